import { DunlinError, type NpyArray } from '../core/index.ts';
import { type GoldenVector, MAX_GOLDEN_VECTORS } from './smp/model-group.ts';

/** Arrays of a release's golden.npz: what goes to a device, and what must come out; int8, [count, bytes]. */
export const GOLDEN_INPUT = 'input_mcu';
export const GOLDEN_EXPECTED = 'expected_mcu';

/** The vectors of a golden.npz. @throws `input-invalid` where there are none, or too many, or they are no pairs */
export function goldenVectorsOf(
  arrays: ReadonlyMap<string, NpyArray>,
  what: string,
): GoldenVector[] {
  const rows = (name: string): Uint8Array[] => rowsOf(arrays.get(name), `${what}: ${name}`);
  const [inputs, outputs] = [rows(GOLDEN_INPUT), rows(GOLDEN_EXPECTED)];
  if (inputs.length !== outputs.length) {
    throw invalid(`${what}: ${inputs.length} inputs and ${outputs.length} outputs`);
  }
  return inputs.map((input, index) => ({ input, output: outputs[index]! }));
}

function rowsOf(array: NpyArray | undefined, what: string): Uint8Array[] {
  if (array === undefined) {
    throw invalid(`${what}: no such array; a release built with --mcu or --mcu-tflite has it`);
  }
  const [count, bytes, ...more] = array.shape;
  const isMatrix = array.type === 'int8' && bytes !== undefined && more.length === 0;
  if (!isMatrix || count === 0 || count! > MAX_GOLDEN_VECTORS) {
    throw invalid(`${what}: not int8 [count, bytes] with a count of 1 to ${MAX_GOLDEN_VECTORS}`);
  }
  const all = new Uint8Array(array.data.buffer, array.data.byteOffset, array.data.byteLength);
  return Array.from({ length: count! }, (_, row) => all.subarray(row * bytes, (row + 1) * bytes));
}

function invalid(message: string): DunlinError {
  return new DunlinError(message, { code: 'input-invalid' });
}
