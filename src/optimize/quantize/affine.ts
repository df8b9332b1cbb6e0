import type { Quantization } from '../../tflite/index.ts';

/** real = scale * (q - zeroPoint), q an int8. */
export interface Affine {
  readonly scale: number;
  readonly zeroPoint: number;
}

export interface Range {
  readonly low: number;
  readonly high: number;
}

export const INT8_LOW = -128;
export const INT8_HIGH = 127;
/** Weights are symmetric: -128 is left out, so that every weight has its opposite. */
export const WEIGHT_HIGH = 127;
/** Tensors that are never anything but zero still need a scale that kernels can hold. */
export const LEAST_SCALE = 2 ** -60;

/** A scale's mantissa: a step is less than half a percent wider for it, and files compress better. */
const SCALE_BITS = 8;

/** The least scale of so few bits that is no smaller. */
export function shortScale(scale: number): number {
  return shorten(scale, Math.ceil);
}

/** The nearest scale of so few bits. */
export function nearestShortScale(scale: number): number {
  return shorten(scale, Math.round);
}

function shorten(scale: number, round: (value: number) => number): number {
  if (scale === 0) return 0;
  const unit = 2 ** (Math.floor(Math.log2(scale)) - SCALE_BITS);
  return round(scale / unit) * unit;
}

/** Scale and zero point that cover a range; 0 is always exactly one of the 256 values. */
export function affineOf({ low, high }: Range): Affine {
  const from = Math.min(low, 0);
  const to = Math.max(high, 0);
  const scale = shortScale(Math.max((to - from) / (INT8_HIGH - INT8_LOW), LEAST_SCALE));
  return { scale, zeroPoint: clampInt8(Math.round(INT8_LOW - from / scale)) };
}

/** The reals that an int8 tensor can say. */
export function rangeOf({ scale, zeroPoint }: Affine): Range {
  return { low: scale * (INT8_LOW - zeroPoint), high: scale * (INT8_HIGH - zeroPoint) };
}

export function clampInt8(value: number): number {
  return Math.max(INT8_LOW, Math.min(INT8_HIGH, value));
}

export function quantizeValue(value: number, { scale, zeroPoint }: Affine): number {
  return clampInt8(Math.round(value / scale) + zeroPoint);
}

export function sameAffine(a: Affine, b: Affine): boolean {
  return a.scale === b.scale && a.zeroPoint === b.zeroPoint;
}

/** As a tensor carries it. */
export function perTensor({ scale, zeroPoint }: Affine): Quantization {
  return { scale: [scale], zeroPoint: [zeroPoint], axis: 0 };
}
