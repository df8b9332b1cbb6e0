import { DunlinError } from '../core/index.ts';

/** Bytes of an element, of the tensor types that inference takes in or gives out. */
export const ITEM_BYTES = {
  int8: 1,
  uint8: 1,
  bool: 1,
  int16: 2,
  int32: 4,
  float32: 4,
} as const;
export type TensorType = keyof typeof ITEM_BYTES;

/** An input or output of a model. `scale` and `zeroPoint` are there when it is quantized. */
export interface TensorSpec {
  readonly name: string;
  readonly type: TensorType;
  readonly shape: readonly number[];
  readonly lengthBytes: number;
  readonly scale?: number;
  readonly zeroPoint?: number;
}

const INTEGER_RANGE = {
  int8: [-128, 127],
  uint8: [0, 255],
  int16: [-32_768, 32_767],
} as const;
type QuantizedType = keyof typeof INTEGER_RANGE;

type Elements = Int8Array | Uint8Array | Int16Array | Int32Array | Float32Array;

function isQuantizedType(type: TensorType): type is QuantizedType {
  return type in INTEGER_RANGE;
}

/** A typed array over the bytes; a copy when they are not aligned for it. */
export function elementsOf(bytes: Uint8Array, type: TensorType): Elements {
  const itemBytes = ITEM_BYTES[type];
  const aligned = bytes.byteOffset % itemBytes === 0 ? bytes : new Uint8Array(bytes);
  const { buffer, byteOffset } = aligned;
  const length = Math.floor(aligned.byteLength / itemBytes);
  switch (type) {
    case 'int8':
      return new Int8Array(buffer, byteOffset, length);
    case 'uint8':
    case 'bool':
      return new Uint8Array(buffer, byteOffset, length);
    case 'int16':
      return new Int16Array(buffer, byteOffset, length);
    case 'int32':
      return new Int32Array(buffer, byteOffset, length);
    case 'float32':
      return new Float32Array(buffer, byteOffset, length);
  }
}

/**
 * Real values to a tensor's bytes: q = round(x / scale) + zeroPoint, halves away from zero, clamped
 * to the type (TFLite's AffineQuantize, tensorflow/lite/kernels/internal/reference/quantize.h).
 * float32 tensors take the values as they are.
 * @throws `input-invalid` on NaN, or when the tensor is neither float32 nor quantized
 */
export function quantize(values: Float32Array, spec: TensorSpec): Uint8Array {
  if (spec.type === 'float32') {
    return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  }
  const { scale, zeroPoint } = quantization(spec);
  const type = spec.type as QuantizedType;
  const [low, high] = INTEGER_RANGE[type];
  const bytes = new Uint8Array(values.length * ITEM_BYTES[type]);
  const out = elementsOf(bytes, type);
  for (let index = 0; index < values.length; index++) {
    const steps = Math.fround(values[index]! / scale);
    const rounded = Math.sign(steps) * Math.round(Math.abs(steps)) + zeroPoint;
    if (Number.isNaN(rounded)) {
      throw new DunlinError(`element ${index} for input ${spec.name} is not a number`, {
        code: 'input-invalid',
      });
    }
    out[index] = Math.min(Math.max(rounded, low), high);
  }
  return bytes;
}

/**
 * A tensor's bytes to real values: (q - zeroPoint) * scale; integers without quantization as they are.
 * @throws `input-invalid` when the length is not whole elements
 */
export function dequantize(bytes: Uint8Array, spec: TensorSpec): Float32Array {
  if (bytes.byteLength % ITEM_BYTES[spec.type] !== 0) {
    throw new DunlinError(`${bytes.byteLength} bytes are not whole ${spec.type} elements`, {
      code: 'input-invalid',
    });
  }
  const elements = elementsOf(bytes, spec.type);
  const { scale, zeroPoint = 0 } = spec;
  if (scale === undefined || !isQuantizedType(spec.type)) return Float32Array.from(elements);
  const out = new Float32Array(elements.length);
  for (let index = 0; index < elements.length; index++) {
    out[index] = (elements[index]! - zeroPoint) * scale;
  }
  return out;
}

function quantization(spec: TensorSpec): { scale: number; zeroPoint: number } {
  const { scale, zeroPoint = 0, type } = spec;
  if (scale === undefined || !isQuantizedType(type)) {
    throw new DunlinError(
      `input ${spec.name} is ${type} without quantization: give it ${type} values, not float32`,
      { code: 'input-invalid' },
    );
  }
  return { scale, zeroPoint };
}
