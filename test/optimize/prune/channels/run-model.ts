import type { ExecutionPath, LoadModel } from '../../../../src/inference/index.ts';
import { finishModel } from '../../../../src/optimize/finish-model.ts';
import { elementCount, type TfliteModel } from '../../../../src/tflite/index.ts';
import { RandomValues } from '../../random-values.ts';

/** Random inputs for a model: normal reals, or all that integers can say. */
export function randomInputs(model: TfliteModel, count: number, seed: number): Uint8Array[][] {
  const [graph] = model.subgraphs;
  const random = new RandomValues(seed);
  return Array.from({ length: count }, () =>
    graph!.inputs.map((index) => {
      const { shape, type } = graph!.tensors[index]!;
      const size = elementCount(shape);
      return type === 'float32'
        ? new Uint8Array(Float32Array.from(random.normals(size, 1)).buffer)
        : Uint8Array.from({ length: size }, () => random.whole(0, 255));
    }),
  );
}

/** Outputs of the real runtime for each of the inputs, as they are stored. */
export async function runModel(
  load: LoadModel,
  model: TfliteModel,
  inputs: readonly (readonly Uint8Array[])[],
  path: ExecutionPath = 'stock',
): Promise<Buffer[][]> {
  const loaded = await load(finishModel(model, 'model'), 'model', path);
  try {
    const rows: Buffer[][] = [];
    for (const row of inputs) {
      const { outputs } = await loaded.infer([...row]);
      rows.push(outputs.map((bytes) => Buffer.from(bytes)));
    }
    return rows;
  } finally {
    await loaded.close();
  }
}

/** Largest difference of float outputs, as a share of the largest value of the output; integers give 0 or infinity. */
export function distance(
  model: TfliteModel,
  wanted: readonly (readonly Buffer[])[],
  found: readonly (readonly Buffer[])[],
): number {
  const [graph] = model.subgraphs;
  let largest = 0;
  for (const [place, index] of graph!.outputs.entries()) {
    const isFloat = graph!.tensors[index]!.type === 'float32';
    for (const [row, outputs] of wanted.entries()) {
      const [a, b] = [outputs[place]!, found[row]![place]!];
      if (!isFloat) largest = a.equals(b) ? largest : Number.POSITIVE_INFINITY;
      else largest = Math.max(largest, relative(floats(a), floats(b)));
    }
  }
  return largest;
}

const floats = (bytes: Buffer): Float32Array => new Float32Array(new Uint8Array(bytes).buffer);

function relative(wanted: Float32Array, found: Float32Array): number {
  if (wanted.length !== found.length) return Number.POSITIVE_INFINITY;
  const most = wanted.reduce((max, value) => Math.max(max, Math.abs(value)), 0);
  const error = wanted.reduce((max, value, at) => Math.max(max, Math.abs(value - found[at]!)), 0);
  return error === 0 ? 0 : error / most;
}
