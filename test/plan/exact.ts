/**
 * The definitions of the fixed-point functions in whole numbers of any size, written as their C++ is:
 * 64-bit products, division that truncates towards zero.
 */

const TWO_31 = 2n ** 31n;
const TWO_30 = 2n ** 30n;
const INT32_MAX = TWO_31 - 1n;

export const wrap32 = (x: bigint): bigint => BigInt.asIntN(32, x);

export function exactHighMultiply(a: bigint, b: bigint): bigint {
  if (a === -TWO_31 && b === -TWO_31) return INT32_MAX;
  const product = a * b;
  const nudge = product >= 0n ? TWO_30 : 1n - TWO_30;
  return (product + nudge) / TWO_31;
}

/** The nearest whole number to x / 2^exponent, halves away from zero. */
export function exactDivide(x: bigint, exponent: number): bigint {
  const divisor = 2n ** BigInt(exponent);
  const magnitude = ((x < 0n ? -x : x) * 2n + divisor) / (2n * divisor);
  return x < 0n ? -magnitude : magnitude;
}

export interface ExactMultiplier {
  readonly value: bigint;
  readonly shift: number;
}

/** From the bits of a float64, which is mantissa * 2^exponent exactly. */
export function exactMultiplier(real: number): ExactMultiplier {
  if (real === 0) return { value: 0n, shift: 0 };
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, real);
  const bits = view.getBigUint64(0);
  const mantissa = (bits & (2n ** 52n - 1n)) | (2n ** 52n);
  // The fraction mantissa / 2^53 is in [0.5, 1); 53 bits are rounded to 31.
  let shift = Number((bits >> 52n) & 0x7ffn) - 1022;
  let value = exactDivide(mantissa, 22);
  if (value === TWO_31) {
    value = TWO_30;
    shift++;
  }
  return shift < -31 ? { value: 0n, shift: 0 } : { value, shift };
}

export function exactMultiply(x: bigint, { value, shift }: ExactMultiplier): bigint {
  return shift > 0
    ? exactHighMultiply(wrap32(x * 2n ** BigInt(shift)), value)
    : exactDivide(exactHighMultiply(x, value), -shift);
}

export function exactClamp(x: bigint, [min, max]: readonly [number, number]): number {
  return Math.min(Math.max(Number(x), min), max);
}
