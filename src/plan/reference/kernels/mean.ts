import {
  clamp,
  INT8_MAX,
  INT8_MIN,
  type Multiplier,
  multiplyByMultiplier,
} from '../fixed-point.ts';
import type { Affine, Kernel, Node } from '../node.ts';
import { rescaleMultiplier } from '../parameters.ts';
import { offsets, strides } from './strides.ts';

/**
 * QuantizedMeanOrSum of tensorflow/lite/kernels/internal/reference/reduce.h: the division by the count
 * is folded into the multiplier, truncated after as many bits as its headroom gives.
 */
export function meanMultiplier(input: Affine, output: Affine, count: number): Multiplier {
  const { value, shift } = rescaleMultiplier(input, output);
  const extraBits = Math.min(31 - Math.clz32(count), 31 + shift);
  // Up to 2^62, of which the quotient keeps the upper half exactly.
  const factor = Number((BigInt(value) << BigInt(extraBits)) / BigInt(count));
  return { value: factor, shift: shift - extraBits };
}

/** The dimensions that are taken away. */
export function reducedAxes(node: Node): ReadonlySet<number> {
  const rank = node.input(0).shape.length;
  return new Set(node.control(1).map((axis) => (axis < 0 ? axis + rank : axis)));
}

export const mean: Kernel = (node) => {
  const input = node.input(0);
  const output = node.output();
  const axes = reducedAxes(node);
  const isReduced = (_: unknown, axis: number): boolean => axes.has(axis);
  const isKept = (_: unknown, axis: number): boolean => !axes.has(axis);
  const own = strides(input.shape);
  const kept = offsets(input.shape.filter(isKept), own.filter(isKept), 0);
  const reduced = offsets(input.shape.filter(isReduced), own.filter(isReduced), 0);

  const count = reduced.length;
  const by = meanMultiplier(input, output, count);
  return () => {
    for (const [index, first] of kept.entries()) {
      let sum = 0;
      for (const offset of reduced) sum += input.values[first + offset]!;
      const steps = sum - input.zeroPoint * count;
      const scaled = multiplyByMultiplier(steps, by.value, by.shift);
      output.values[index] = clamp(scaled + output.zeroPoint, INT8_MIN, INT8_MAX);
    }
  };
};
