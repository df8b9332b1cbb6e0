import test from 'ava';
import { silentLogger, systemClock } from '../../src/core/index.ts';
import { sandboxLoader } from '../../src/inference/index.ts';
import { readSamples, type Samples, samplesOf } from '../../src/optimize/index.ts';
import { encodeInputs } from '../../src/optimize/measure/sample-runs.ts';
import {
  elementCount,
  parseModel,
  renameInner,
  repackModel,
  serializeModel,
  type TfliteTensor,
} from '../../src/tflite/index.ts';
import { sharedFile, sharedModel } from '../shared-folder.ts';
import { computationOf } from './computation.ts';
import { sampleSet } from './optimize-request.ts';
import { RandomValues } from './random-values.ts';

interface Case {
  readonly name: string;
  /** Evaluation inputs; random ones without. */
  readonly inputs?: string;
  readonly mostBytes: number;
}
const CASES: readonly Case[] = [
  { name: 'kws_int8', inputs: 'kws_eval.npy', mostBytes: 33_440 },
  { name: 'ad01_int8', inputs: 'ad01_eval.npy', mostBytes: 274_112 },
  { name: 'ic_int8', inputs: 'ic_eval.npy', mostBytes: 86_784 },
  { name: 'kws_ref_model', inputs: 'kws_eval.npy', mostBytes: 33_440 },
  { name: 'mobilenet_v1_0.25_128_quant', mostBytes: 488_000 },
];
const RANDOM_INPUTS = 20;

const load = sandboxLoader({ clock: systemClock, logger: silentLogger });

function randomInputs({ shape, quantization }: TfliteTensor): Samples {
  const size = elementCount(shape);
  const random = new RandomValues(7);
  const { scale, zeroPoint } = quantization!;
  const values = Float32Array.from({ length: RANDOM_INPUTS * size }, () =>
    random.between(-scale[0]! * zeroPoint[0]!, scale[0]! * (255 - zeroPoint[0]!)),
  );
  return samplesOf([sampleSet(values, RANDOM_INPUTS)]);
}

/** The raw bytes of every output for every input. */
async function outputsOf(bytes: Uint8Array, samples: Samples): Promise<Buffer[]> {
  const loaded = await load(bytes, 'model', 'stock');
  try {
    const found: Buffer[] = [];
    for (let index = 0; index < samples.count; index++) {
      const { outputs } = await loaded.infer(encodeInputs(loaded, samples.at(index)));
      found.push(Buffer.concat(outputs));
    }
    return found;
  } finally {
    await loaded.close();
  }
}

for (const { name, inputs, mostBytes } of CASES) {
  test(`${name} repacked computes the same to the last bit`, async (t) => {
    t.timeout(120_000);
    const bytes = sharedModel(t, `${name}.tflite`);
    const file = inputs === undefined ? undefined : sharedFile(`data/${inputs}`, t);
    if (bytes === undefined || (inputs !== undefined && file === undefined)) return t.pass();
    const model = parseModel(bytes, name);
    const packed = serializeModel(renameInner(repackModel(model), 'none'));
    t.log(`${bytes.byteLength} → ${packed.byteLength} bytes`);
    t.true(packed.byteLength <= mostBytes);
    const again = parseModel(packed, name);
    t.deepEqual(computationOf(again), computationOf(model));
    t.deepEqual(serializeModel(renameInner(repackModel(again), 'none')), packed);

    const [graph] = model.subgraphs;
    const input = graph!.tensors[graph!.inputs[0]!]!;
    const samples =
      file === undefined
        ? randomInputs(input)
        : samplesOf([await readSamples(file, input, { use: 'evaluation' })]);
    const [before, after] = [await outputsOf(bytes, samples), await outputsOf(packed, samples)];
    t.is(after.length, samples.count);
    t.true(
      after.every((row, index) => row.equals(before[index]!)),
      'an output differs',
    );
    t.true(new Set(before.map((row) => row.toString('hex'))).size > 1, 'all outputs are the same');
  });
}
