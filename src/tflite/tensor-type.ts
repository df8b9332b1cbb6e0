/** TensorType of tensorflow/lite/schema/schema.fbs, in the order of its numbers, with bytes an element. */
const TYPES = [
  ['float32', 4],
  ['float16', 2],
  ['int32', 4],
  ['uint8', 1],
  ['int64', 8],
  ['string', 0],
  ['bool', 1],
  ['int16', 2],
  ['complex64', 8],
  ['int8', 1],
  ['float64', 8],
  ['complex128', 16],
  ['uint64', 8],
  ['resource', 0],
  ['variant', 0],
  ['uint32', 4],
  ['uint16', 2],
  ['int4', 0],
] as const;

export type TensorType = (typeof TYPES)[number][0];

export function tensorTypeFromNumber(number: number): TensorType | undefined {
  return TYPES[number]?.[0];
}

export function tensorTypeToNumber(type: TensorType): number {
  return TYPES.findIndex(([name]) => name === type);
}

/** Bytes of one element; 0 where elements have no fixed size in bytes. */
export function elementBytes(type: TensorType): number {
  return TYPES[tensorTypeToNumber(type)]![1];
}

/** The values a quantized integer type can hold; undefined for the others. */
export function integerRange(type: TensorType): readonly [number, number] | undefined {
  switch (type) {
    case 'int8':
      return [-128, 127];
    case 'uint8':
      return [0, 255];
    case 'int16':
      return [-32768, 32767];
    case 'int32':
    case 'int64':
      return [-(2 ** 31), 2 ** 31 - 1];
    default:
      return undefined;
  }
}

/** Product of a shape; a scalar (empty shape) has one element. */
export function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}
