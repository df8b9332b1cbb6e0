import {
  clamp,
  doublingHighMultiply,
  INT8_MAX,
  INT8_MIN,
  INT32_MAX,
  inputRadius,
  multiplyByMultiplier,
  quantizeMultiplier,
  roundingDivideByPowerOfTwo,
} from '../fixed-point.ts';
import type { Kernel, Node } from '../node.ts';
import { expOnNegative, reciprocal } from '../transcendental.ts';

/** reference/softmax.h: integer bits of differences from the maximum, and of the sum of exps. */
const DIFFERENCE_INTEGER_BITS = 5;
const SUM_INTEGER_BITS = 12;
/** 31 fractional bits to the 8 of the output. */
const OUTPUT_SHIFT = 31 - 8;

export interface SoftmaxParameters {
  readonly multiplier: number;
  readonly shift: number;
  /** Differences from the maximum below this count as nothing. */
  readonly least: number;
}

/** CalculateSoftmaxParams of micro/kernels/softmax_common.cc. */
export function softmaxParameters(node: Node): SoftmaxParameters {
  const input = node.input(0);
  const real = Math.fround(node.number('beta')) * input.scale;
  const scaled = Math.min(real * 2 ** (31 - DIFFERENCE_INTEGER_BITS), INT32_MAX);
  if (scaled <= 1) node.unsupported(`an input scale of ${input.scale}`);
  const { value: multiplier, shift } = quantizeMultiplier(scaled);
  return { multiplier, shift, least: -inputRadius(DIFFERENCE_INTEGER_BITS, shift) };
}

/** Softmax of reference/softmax.h over the last dimension. */
export const softmax: Kernel = (node) => {
  const input = node.input(0);
  const output = node.output();
  const depth = input.shape.at(-1)!;
  const { multiplier: factor, shift, least } = softmaxParameters(node);
  /** exp of a difference (in steps, 0 or less) in Q0; 0 where it is too small to count. */
  const exps = Int32Array.from({ length: INT8_MAX - INT8_MIN + 1 }, (_, below) =>
    -below < least
      ? 0
      : expOnNegative(multiplyByMultiplier(-below, factor, shift), DIFFERENCE_INTEGER_BITS),
  );
  const row = (first: number): void => {
    const values = input.values.subarray(first, first + depth);
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
      output.values[first + index] = clamp(unsigned + INT8_MIN, INT8_MIN, INT8_MAX);
    }
  };
  return () => {
    for (let first = 0; first < input.values.length; first += depth) row(first);
  };
};
