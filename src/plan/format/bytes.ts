/** The least multiple that is not below the value. */
export const roundUp = (value: number, multiple: number): number =>
  Math.ceil(value / multiple) * multiple;

/** Little-endian int32 values, which may start anywhere in memory. */
export function int32Values(bytes: Uint8Array): Int32Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Int32Array.from({ length: bytes.length / 4 }, (_, index) =>
    view.getInt32(4 * index, true),
  );
}
