import { DunlinError, type NpyArray } from '../core/index.ts';
import type { LoadedModel } from './sandbox.ts';
import { dequantize, elementsOf, quantize, type TensorSpec } from './tensor-spec.ts';

/** More samples than this in one array are a mistake. */
const MAX_SAMPLES = 1_000_000;

/**
 * Cuts an array into a model's inputs. The array has the input's shape, or that shape with more in the
 * leading dimension, or lacks a leading dimension of one; float32 is quantized by the input's own
 * parameters, an array of the input's type is taken as it is.
 * @returns each of `spec.lengthBytes`
 * @throws `input-invalid`, naming `what`
 */
export function cutIntoInputs(array: NpyArray, spec: TensorSpec, what: string): Uint8Array[] {
  const count = inputCount(array.shape, spec.shape);
  if (count === undefined || count > MAX_SAMPLES) {
    throw new DunlinError(
      `${what}: shape (${array.shape.join(', ')}) does not fit the model's input (${spec.shape.join(', ')})`,
      { code: 'input-invalid' },
    );
  }
  const bytes = inputBytes(array, spec, what);
  return Array.from({ length: count }, (_, index) =>
    bytes.subarray(index * spec.lengthBytes, (index + 1) * spec.lengthBytes),
  );
}

/** How many inputs of one shape an array of another holds. */
function inputCount(shape: readonly number[], input: readonly number[]): number | undefined {
  const [batch = 1, ...sample] = input;
  const equal = (a: readonly number[], b: readonly number[]): boolean => a.join() === b.join();
  if (batch === 1 && equal(shape, sample)) return 1;
  const [leading = 1, ...rest] = shape;
  if (!equal(rest, sample) || leading === 0 || leading % batch !== 0) return undefined;
  return leading / batch;
}

function inputBytes(array: NpyArray, spec: TensorSpec, what: string): Uint8Array {
  if (array.type === spec.type) {
    const { buffer, byteOffset, byteLength } = array.data;
    return new Uint8Array(buffer, byteOffset, byteLength);
  }
  if (array.type === 'float32') return quantize(array.data, spec);
  throw new DunlinError(
    `${what}: ${array.type} values, and the model's input is ${spec.type}; give float32 or ${spec.type}`,
    { code: 'input-invalid' },
  );
}

/** What a run over many inputs gave. */
export interface BatchResult {
  /** For each of the model's outputs: its bytes for all inputs, end to end. */
  readonly outputs: Uint8Array[];
  /** Of each inference. */
  readonly latenciesUs: Float64Array;
}

/** Runs a model with one input over many, one after the other. */
export async function runBatch(
  model: LoadedModel,
  inputs: readonly Uint8Array[],
  signal: AbortSignal,
): Promise<BatchResult> {
  const outputs = model.outputs.map((spec) => new Uint8Array(inputs.length * spec.lengthBytes));
  const latenciesUs = new Float64Array(inputs.length);
  for (const [index, input] of inputs.entries()) {
    signal.throwIfAborted();
    const result = await model.infer([input]);
    latenciesUs[index] = result.latencyUs;
    for (const [output, bytes] of result.outputs.entries()) {
      outputs[output]!.set(bytes, index * bytes.byteLength);
    }
  }
  return { outputs, latenciesUs };
}

/** What outputs come as: .npy holds every type that a tensor has here, and one more. */
export type OutputArray = Exclude<NpyArray, { readonly type: 'int64' }>;

/** An output of a run over many inputs as an array: dequantized to float32, or `raw` as the tensor is. */
export function outputArray(
  bytes: Uint8Array,
  spec: TensorSpec,
  count: number,
  raw: boolean,
): OutputArray {
  const [batch = 1, ...sample] = spec.shape;
  const shape = [batch * count, ...sample];
  if (!raw) return { type: 'float32', shape, data: dequantize(bytes, spec) };
  return { type: spec.type, shape, data: elementsOf(bytes, spec.type) } as OutputArray;
}
