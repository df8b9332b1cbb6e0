import test from 'ava';
import { referenceExecutor } from '../../src/plan/index.ts';
import { parseModel } from '../../src/tflite/index.ts';
import { sharedModel } from '../shared-folder.ts';
import { fnv1a, lcgInputs } from './lcg.ts';

const SEEDS = [12345, 12346, 12347];

/** FNV-1a over the outputs for three inputs, from TFLite Micro's reference kernels on a Cortex-M4. */
for (const [file, checksum] of [
  ['ad01_int8.tflite', 'f638ae26'],
  ['kws_ref_model.tflite', 'a948e204'],
  ['ic_int8.tflite', '37830a49'],
] as const) {
  test(`${file} gives the bytes of TFLite Micro's reference kernels`, (t) => {
    const bytes = sharedModel(t, file);
    if (bytes === undefined) return;
    const executor = referenceExecutor(parseModel(bytes, file), file);
    const start = performance.now();
    const outputs = SEEDS.flatMap((seed) => executor.run(lcgInputs(executor, seed)));
    t.log(`${((performance.now() - start) / SEEDS.length).toFixed(0)} ms an inference`);
    t.is(fnv1a(outputs), checksum);
  });
}
