/**
 * exp, the logistic function and tanh in fixed point: gemmlowp fixedpoint/fixedpoint.h. A number
 * with n integer bits is an int32 that stands for raw / 2^(31 - n); "Q0" has none.
 */
import {
  doublingHighMultiply,
  INT32_MAX,
  INT32_MIN,
  roundingDivideByPowerOfTwo,
} from './fixed-point.ts';

const ONE_Q0 = INT32_MAX;
const ONE_Q2 = 1 << 29;
const HALF_Q0 = 1 << 30;
const EIGHTH_Q0 = 1 << 28;
/** exp(-1/8), around which exp is expanded. */
const EXP_MINUS_EIGHTH_Q0 = 1895147668;
const THIRD_Q0 = 715827883;
/** exp(-2^k) for k from -2 to 4, in Q0. */
const EXP_MINUS_POWERS_Q0 = [1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242];
const FIRST_POWER = -2;
/** Newton's division begins with 48/17 - 32/17 d. */
const NEWTON_48_17_Q2 = 1515870810;
const NEWTON_MINUS_32_17_Q2 = -1010580540;
const NEWTON_STEPS = 3;

/** SaturatingRoundingMultiplyByPOT with a positive exponent. */
function saturatingShiftLeft(x: number, exponent: number): number {
  const threshold = 2 ** (31 - exponent) - 1;
  if (x > threshold) return INT32_MAX;
  return x < -threshold ? INT32_MIN : x << exponent;
}

/** exp(a) for a in [-1/4, 0), both in Q0. */
function expOfLastQuarter(a: number): number {
  const x = (a + EIGHTH_Q0) | 0;
  const x2 = doublingHighMultiply(x, x);
  const x3 = doublingHighMultiply(x2, x);
  const x4 = doublingHighMultiply(x2, x2);
  const x4Over4 = roundingDivideByPowerOfTwo(x4, 2);
  const cubic = doublingHighMultiply((x4Over4 + x3) | 0, THIRD_Q0);
  const tail = roundingDivideByPowerOfTwo((cubic + x2) | 0, 1);
  return (EXP_MINUS_EIGHTH_Q0 + doublingHighMultiply(EXP_MINUS_EIGHTH_Q0, (x + tail) | 0)) | 0;
}

/** exp_on_negative_values: exp(a) in Q0 for a <= 0 with 1 to 5 integer bits. */
export function expOnNegative(a: number, integerBits: number): number {
  if (a === 0) return ONE_Q0;
  const fractionalBits = 31 - integerBits;
  const quarter = 1 << (fractionalBits - 2);
  const reduced = (a & (quarter - 1)) - quarter;
  let result = expOfLastQuarter(saturatingShiftLeft(reduced, integerBits));
  const remainder = (reduced - a) | 0;
  for (const [index, factor] of EXP_MINUS_POWERS_Q0.entries()) {
    const power = FIRST_POWER + index;
    if (integerBits > power && (remainder & (1 << (fractionalBits + power))) !== 0) {
      result = doublingHighMultiply(result, factor);
    }
  }
  return result;
}

/** gemmlowp RoundingHalfSum: (a + 1) / 2 in Q0, halves away from zero. */
function halfOfOnePlus(a: number): number {
  const sum = a + ONE_Q0;
  return Math.trunc((sum + (sum >= 0 ? 1 : -1)) / 2);
}

/** 2 / (1 + a) in Q2 for a in [0, 1) in Q0, by Newton's method. */
function twoOverOnePlus(a: number): number {
  const half = halfOfOnePlus(a);
  let x = (NEWTON_48_17_Q2 + doublingHighMultiply(half, NEWTON_MINUS_32_17_Q2)) | 0;
  for (let step = 0; step < NEWTON_STEPS; step++) {
    const rest = (ONE_Q2 - doublingHighMultiply(half, x)) | 0;
    x = (x + saturatingShiftLeft(doublingHighMultiply(x, rest), 2)) | 0;
  }
  return x;
}

/** one_over_one_plus_x_for_x_in_0_1, Q0 to Q0. */
export function oneOverOnePlus(a: number): number {
  return saturatingShiftLeft(twoOverOnePlus(a), 1);
}

/** one_minus_x_over_one_plus_x_for_x_in_0_1, Q0 to Q0. */
function oneMinusOverOnePlus(a: number): number {
  return saturatingShiftLeft((twoOverOnePlus(a) - ONE_Q2) | 0, 2);
}

/** logistic(a) in Q0. */
export function logisticFixed(a: number, integerBits: number): number {
  if (a === 0) return HALF_Q0;
  const ofPositive = oneOverOnePlus(expOnNegative(a > 0 ? -a : a, integerBits));
  return a > 0 ? ofPositive : ONE_Q0 - ofPositive;
}

/** tanh(a) in Q0: the doubled argument has one integer bit more. */
export function tanhFixed(a: number, integerBits: number): number {
  if (a === 0) return 0;
  const ofPositive = oneMinusOverOnePlus(expOnNegative(a > 0 ? -a : a, integerBits + 1));
  return a > 0 ? ofPositive : -ofPositive;
}

/**
 * GetReciprocal of tensorflow/lite/kernels/internal/common.h: 1 / x as `value` (Q0) / 2^bitsOverUnit.
 * @param x positive, with so many integer bits
 */
export function reciprocal(
  x: number,
  integerBits: number,
): { readonly value: number; readonly bitsOverUnit: number } {
  const headroom = Math.clz32(x);
  const fraction = (x << headroom) & INT32_MAX;
  return { value: oneOverOnePlus(fraction), bitsOverUnit: integerBits - headroom };
}
