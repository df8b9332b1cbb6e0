import {
  clamp,
  doublingHighMultiply,
  INT8_MAX,
  INT8_MIN,
  multiplyByMultiplier,
  roundingDivideByPowerOfTwo,
} from './fixed-point.ts';
import { expOnNegative, reciprocal } from './transcendental.ts';

/** reference/softmax.h: integer bits of differences from the maximum, and of the sum of exps. */
export const DIFFERENCE_INTEGER_BITS = 5;
const SUM_INTEGER_BITS = 12;
/** 31 fractional bits to the 8 of the output. */
const OUTPUT_SHIFT = 31 - 8;

/**
 * exp of each difference from a row's maximum in Q0, by the steps that it is below: 0 where that is
 * too much to count.
 * @param least differences below this do not count; at most 0
 */
export function softmaxExps(multiplier: number, shift: number, least: number): Int32Array {
  return Int32Array.from({ length: INT8_MAX - INT8_MIN + 1 }, (_, below) =>
    -below < least
      ? 0
      : expOnNegative(multiplyByMultiplier(-below, multiplier, shift), DIFFERENCE_INTEGER_BITS),
  );
}

/** Softmax of reference/softmax.h over a row; the output is 1/256 and -128. In place too. */
export function softmaxRow(exps: Int32Array, values: Int8Array, output: Int8Array): void {
  let max = INT8_MIN;
  for (const value of values) max = Math.max(max, value);
  let sum = 0;
  for (const value of values) {
    sum = (sum + roundingDivideByPowerOfTwo(exps[max - value]!, SUM_INTEGER_BITS)) | 0;
  }
  const { value: scale, bitsOverUnit } = reciprocal(sum, SUM_INTEGER_BITS);
  for (const [index, value] of values.entries()) {
    const product = doublingHighMultiply(scale, exps[max - value]!);
    const unsigned = roundingDivideByPowerOfTwo(product, bitsOverUnit + OUTPUT_SHIFT);
    output[index] = clamp(unsigned + INT8_MIN, INT8_MIN, INT8_MAX);
  }
}
