/**
 * The 32-bit fixed-point arithmetic of TFLite Micro's kernels, exact. Products of two int32 pass
 * 2^53, so they are taken in two parts that do not.
 * Sources: gemmlowp fixedpoint/fixedpoint.h; tensorflow/lite/kernels/internal/common.h, common.cc and
 * quantization_util.cc, in the double rounding that TFLite Micro builds (no TFLITE_SINGLE_ROUNDING).
 */

export const INT8_MIN = -128;
export const INT8_MAX = 127;
export const INT32_MIN = -(2 ** 31);
export const INT32_MAX = 2 ** 31 - 1;

const TWO_15 = 2 ** 15;
const TWO_16 = 2 ** 16;
const TWO_30 = 2 ** 30;
const TWO_31 = 2 ** 31;
/** QuantizeMultiplier: a shift below this makes a multiplier of zero. */
const MIN_SHIFT = -31;

/** A positive factor: value / 2^31 * 2^shift, value in [2^30, 2^31); or zero. */
export interface Multiplier {
  readonly value: number;
  readonly shift: number;
}

export const clamp = (value: number, min: number, max: number): number =>
  value < min ? min : value > max ? max : value;

/** std::round: to the nearest integer, halves away from zero. */
export function roundHalfAway(value: number): number {
  const truncated = Math.trunc(value);
  return Math.abs(value - truncated) >= 0.5 ? truncated + Math.sign(value) : truncated;
}

/** sum / count to the nearest integer, halves away from zero, as reference/integer_ops/pooling.h. */
export function roundedAverage(sum: number, count: number): number {
  const half = Math.trunc(count / 2);
  return Math.trunc((sum > 0 ? sum + half : sum - half) / count);
}

/**
 * gemmlowp SaturatingRoundingDoublingHighMul: a * b / 2^31 of two int32, rounded to the nearest,
 * halves up. (There written as a nudge by sign and a division that truncates, which is the same.)
 */
export function doublingHighMultiply(a: number, b: number): number {
  if (a === INT32_MIN && b === INT32_MIN) return INT32_MAX;
  const low = Math.floor((a * (b & 0xffff) + TWO_30) / TWO_16);
  return Math.floor((a * (b >> 16) + low) / TWO_15);
}

/** gemmlowp RoundingDivideByPOT: x / 2^exponent of an int32, halves away from zero; exponent 0 to 31. */
export function roundingDivideByPowerOfTwo(x: number, exponent: number): number {
  const mask = ((1 << exponent) - 1) | 0;
  const threshold = (mask >> 1) + (x < 0 ? 1 : 0);
  return (x >> exponent) + ((x & mask) > threshold ? 1 : 0);
}

/** MultiplyByQuantizedMultiplier of an int32: it rounds twice. A left shift past 32 bits wraps. */
export function multiplyByMultiplier(x: number, value: number, shift: number): number {
  return shift > 0
    ? doublingHighMultiply(x << shift, value)
    : roundingDivideByPowerOfTwo(doublingHighMultiply(x, value), -shift);
}

/** std::frexp: positive `real` as fraction * 2^exponent with the fraction in [0.5, 1). */
function splitExponent(real: number): { fraction: number; exponent: number } {
  let exponent = Math.floor(Math.log2(real)) + 1;
  let fraction = real / 2 ** exponent;
  // log2 is rounded: just below a power of two it may say the power.
  if (fraction < 0.5) {
    fraction *= 2;
    exponent--;
  } else if (fraction >= 1) {
    fraction /= 2;
    exponent++;
  }
  return { fraction, exponent };
}

/** QuantizeMultiplier. @param real 0, or a positive normal number */
export function quantizeMultiplier(real: number): Multiplier {
  if (real === 0) return { value: 0, shift: 0 };
  const { fraction, exponent } = splitExponent(real);
  const value = Math.round(fraction * TWO_31);
  const multiplier =
    value === TWO_31 ? { value: TWO_30, shift: exponent + 1 } : { value, shift: exponent };
  return multiplier.shift < MIN_SHIFT ? { value: 0, shift: 0 } : multiplier;
}

/**
 * CalculateInputRadius: from this distance on, an input scaled by 2^leftShift leaves a fixed-point
 * number of so many integer bits.
 */
export function inputRadius(integerBits: number, leftShift: number): number {
  return Math.floor(((2 ** integerBits - 1) * 2 ** (31 - integerBits)) / 2 ** leftShift);
}
