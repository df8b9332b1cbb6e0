import test from 'ava';
import { parseJson, silentLogger, systemClock } from '../../src/core/index.ts';
import { sandboxLoader } from '../../src/inference/index.ts';
import {
  compareModels,
  optimize,
  Report,
  readSamples,
  samplesOf,
  type Variant,
} from '../../src/optimize/index.ts';
import { parseModel } from '../../src/tflite/index.ts';
import { sharedFile, sharedModel } from '../shared-folder.ts';
import { requestFor } from './optimize-request.ts';

/** What the quantizer must reach on the models of the shared folder, with its defaults and nothing else. */
interface Wanted {
  readonly sqnrDb: number;
  readonly sizeBytes: number;
}
const INT8: Readonly<Record<string, Wanted>> = {
  kws: { sqnrDb: 33, sizeBytes: 33_600 },
  ad01: { sqnrDb: 38, sizeBytes: 274_200 },
  ic: { sqnrDb: 29, sizeBytes: 87_000 },
};
const FLOAT16 = { sqnrDb: 54, sizeShare: 0.62 };
const DYNAMIC = { sqnrDb: 31, sizeShare: 0.49 };

const load = sandboxLoader({
  clock: systemClock,
  logger: silentLogger,
  limits: { memoryBytes: 3 * 1024 ** 3, inferTimeoutMs: 60_000, loadTimeoutMs: 60_000 },
});
const { signal } = new AbortController();

const sqnrOf = ({ logits, output }: Variant): number =>
  (logits ?? output).sqnrDb ?? Number.POSITIVE_INFINITY;

for (const [name, wanted] of Object.entries(INT8)) {
  test(`${name} by the defaults: error, agreement and size against TensorFlow's`, async (t) => {
    t.timeout(300_000);
    const [float, theirs] = ['float', 'int8'].map((kind) =>
      sharedModel(t, `${name}_${kind}.tflite`),
    );
    const [calibrationFile, evaluationFile] = ['cal', 'eval'].map((set) =>
      sharedFile(`data/${name}_${set}.npy`, t),
    );
    if (!float || !theirs || !calibrationFile || !evaluationFile) return t.pass();
    const graph = parseModel(float, name).subgraphs[0]!;
    const input = graph.tensors[graph.inputs[0]!]!;
    const calibration = [await readSamples(calibrationFile, input, { use: 'calibration' })];
    const evaluation = [await readSamples(evaluationFile, input, { use: 'evaluation' })];
    const { report } = await optimize(
      requestFor(float, load, {
        calibration,
        settings: { modes: ['int8', 'dynamic', 'float16'] },
        more: { evaluation },
      }),
    );
    parseJson(Report, JSON.stringify(report), name);
    const named = new Map(report.variants.map((variant) => [variant.name, variant]));
    const [int8, dynamic, float16] = ['int8', 'dynamic', 'float16'].map((each) => named.get(each)!);
    for (const variant of [int8, dynamic, float16]) {
      const share = (variant!.sizeBytes / float.byteLength).toFixed(3);
      t.log(`${variant!.name}: ${sqnrOf(variant!)} dB, ${variant!.sizeBytes} bytes (${share})`);
    }
    t.true(sqnrOf(int8!) >= wanted.sqnrDb);
    t.true(int8!.sizeBytes <= wanted.sizeBytes);
    t.true(int8!.fullyInt8);
    t.deepEqual([int8!.inputType, int8!.outputType], ['int8', 'int8']);
    t.true(sqnrOf(float16!) >= FLOAT16.sqnrDb);
    t.true(float16!.sizeBytes <= FLOAT16.sizeShare * float.byteLength);
    t.true(sqnrOf(dynamic!) >= DYNAMIC.sqnrDb);
    t.true(dynamic!.sizeBytes <= DYNAMIC.sizeShare * float.byteLength);

    const samples = samplesOf(evaluation);
    const comparison = await compareModels(
      { bytes: float, what: 'float' },
      { bytes: theirs, what: 'theirs' },
      samples,
      undefined,
      { load, signal, onProgress: () => {} },
    );
    const [ownTop1, theirTop1] = [int8!.output.top1, comparison.output.top1].map((share) =>
      Math.round(share * samples.count),
    );
    t.log(`top-1 of ${samples.count}: ours ${ownTop1}, TensorFlow's ${theirTop1}`);
    t.true(ownTop1! >= theirTop1! - 1);
  });
}
