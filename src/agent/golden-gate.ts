import { DunlinError, type NpyArray, parseNpz } from '../core/index.ts';
import {
  dequantize,
  type ExecutionPath,
  type LoadedModel,
  percentile,
  quantize,
  type TensorSpec,
} from '../inference/index.ts';
import type { ReleaseDocument } from '../update/index.ts';

const MAX_GOLDEN_BYTES = 64 * 1024 * 1024;
/** Inferences whose median is held against the release's latency budget. */
const LATENCY_RUNS = 30;
/** An output of a softmax in int8 has steps of this size (TFLite quantization specification). */
const PROBABILITY_STEP = 1 / 256;

export interface GoldenVectors {
  /** [count, …input] */
  readonly inputs: NpyArray;
  readonly count: number;
  /** Dequantized, [count, outputs]. */
  readonly expected: Float32Array;
  readonly toleranceAbs: number;
}

/**
 * The golden vectors of an execution path. A path without vectors of its own (an Edge TPU that the
 * release's builder did not have) is held against the stock runtime's.
 * @throws `golden-mismatch` when the release carries none that fit
 */
export function goldenVectors(
  { golden }: ReleaseDocument,
  npz: Uint8Array,
  path: ExecutionPath,
): GoldenVectors {
  const arrays = parseNpz(npz, 'golden.npz', MAX_GOLDEN_BYTES);
  const inputs = arrays.get('input');
  const used = golden.paths[path] === undefined ? 'stock' : path;
  const expected = arrays.get(`expected_${used}`);
  const tolerance = golden.paths[used];
  if (inputs === undefined || expected?.type !== 'float32' || tolerance === undefined) {
    throw mismatch(`the release has no golden vectors for the path ${path}`);
  }
  const { count } = golden;
  if (inputs.shape[0] !== count || expected.shape[0] !== count) {
    throw mismatch(`golden.npz does not hold ${count} vectors`);
  }
  return { inputs, count, expected: expected.data, toleranceAbs: tolerance.toleranceAbs };
}

/**
 * The same vectors behind a softmax, for a model whose logits cannot be had (one compiled for the Edge TPU). A softmax
 * changes by at most half of what its input changes by.
 */
export function behindSoftmax(vectors: GoldenVectors): GoldenVectors {
  const items = vectors.expected.length / vectors.count;
  const expected = new Float32Array(vectors.expected.length);
  for (let index = 0; index < vectors.count; index++) {
    const row = vectors.expected.subarray(index * items, (index + 1) * items);
    expected.set(softmax(row), index * items);
  }
  return { ...vectors, expected, toleranceAbs: vectors.toleranceAbs / 2 + PROBABILITY_STEP };
}

/**
 * Runs the golden inputs through a candidate and compares.
 * @throws `golden-mismatch` naming the first difference beyond the tolerance
 */
export async function checkGolden(candidate: LoadedModel, vectors: GoldenVectors): Promise<void> {
  const { expected, toleranceAbs, count } = vectors;
  const output = singleTensor(candidate.outputs);
  const items = expected.length / count;
  for (let index = 0; index < count; index++) {
    const { outputs } = await candidate.infer([goldenInput(candidate, vectors, index)]);
    const actual = dequantize(outputs[0]!, output);
    if (actual.length !== items) throw mismatch(`${actual.length} outputs instead of ${items}`);
    for (const [item, value] of actual.entries()) {
      const difference = Math.abs(value - expected[index * items + item]!);
      if (difference <= toleranceAbs) continue;
      throw mismatch(
        `golden input ${index}: output ${item} is off by ${difference.toPrecision(3)}, ` +
          `${toleranceAbs.toPrecision(3)} is allowed`,
      );
    }
  }
}

/**
 * @returns the median of some inferences, microseconds
 * @throws `latency-over-budget`
 */
export async function checkLatency(
  candidate: LoadedModel,
  vectors: GoldenVectors,
  budgetUs: number,
): Promise<number> {
  const latencies: number[] = [];
  for (let run = 0; run < LATENCY_RUNS; run++) {
    const input = goldenInput(candidate, vectors, run % vectors.count);
    latencies.push((await candidate.infer([input])).latencyUs);
  }
  const p50Us = percentile(latencies, 0.5);
  if (p50Us > budgetUs) {
    throw new DunlinError(`${Math.round(p50Us)} µs an inference, the release allows ${budgetUs}`, {
      code: 'latency-over-budget',
      context: { p50Us, budgetUs },
    });
  }
  return p50Us;
}

/** @throws `golden-mismatch`: an agent serves models of one input and one output */
export function singleTensor(specs: readonly TensorSpec[]): TensorSpec {
  if (specs.length === 1) return specs[0]!;
  throw mismatch(`the model has ${specs.length} tensors where one is needed`);
}

export function softmax(logits: Float32Array): Float32Array {
  const highest = Math.max(...logits);
  const powers = logits.map((value) => Math.exp(value - highest));
  const sum = powers.reduce((total, value) => total + value, 0);
  return powers.map((value) => value / sum);
}

/** float32 is quantized by the model's own parameters; anything else is the tensor's bytes already. */
function goldenInput(
  candidate: LoadedModel,
  { inputs, count }: GoldenVectors,
  index: number,
): Uint8Array {
  const spec = singleTensor(candidate.inputs);
  const items = inputs.data.length / count;
  const values = inputs.data.subarray(index * items, (index + 1) * items);
  if (values instanceof Float32Array) return quantize(values, spec);
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

function mismatch(message: string): DunlinError {
  return new DunlinError(message, { code: 'golden-mismatch' });
}
