import {
  clamp,
  type Multiplier,
  multiplyByMultiplier,
  quantizeMultiplier,
} from '../fixed-point.ts';
import type { Affine, Kernel, Node, Step } from '../node.ts';
import { fusedRange } from '../parameters.ts';
import { broadcastOffsets } from './strides.ts';

/** add_common.cc and sub_common.cc: inputs are shifted left by this before they are rescaled. */
const LEFT_SHIFT = 20;

/** A function of two steps above their zero points, which gives steps above the output's. */
type Combine = (a: number, b: number) => number;

/** NumPy's broadcasting, as BroadcastBinaryOpSimple of reference/broadcast_loop.h. */
function binary(node: Node, combine: Combine): Step {
  const [a, b, output] = [node.input(0), node.input(1), node.output()];
  const { min, max } = fusedRange(node, output);
  const fromA = broadcastOffsets(a.shape, output.shape);
  const fromB = broadcastOffsets(b.shape, output.shape);
  return () => {
    for (let index = 0; index < output.values.length; index++) {
      const left = a.values[fromA[index]!]! - a.zeroPoint;
      const right = b.values[fromB[index]!]! - b.zeroPoint;
      output.values[index] = clamp(combine(left, right) + output.zeroPoint, min, max);
    }
  };
}

export interface SumMultipliers {
  readonly a: Multiplier;
  readonly b: Multiplier;
  readonly output: Multiplier;
}

/** CalculateOpDataAdd of tensorflow/lite/micro/kernels/add_common.cc: in float64. */
export function addMultipliers(a: Affine, b: Affine, output: Affine): SumMultipliers {
  const twiceMax = 2 * Math.max(a.scale, b.scale);
  return {
    a: quantizeMultiplier(a.scale / twiceMax),
    b: quantizeMultiplier(b.scale / twiceMax),
    output: quantizeMultiplier(twiceMax / (2 ** LEFT_SHIFT * output.scale)),
  };
}

/** CalculateOpDataSub of tensorflow/lite/micro/kernels/sub_common.cc: the ratios are float32. */
export function subMultipliers(a: Affine, b: Affine, output: Affine): SumMultipliers {
  const { fround } = Math;
  const twiceMax = fround(2 * Math.max(a.scale, b.scale));
  return {
    a: quantizeMultiplier(fround(a.scale / twiceMax)),
    b: quantizeMultiplier(fround(b.scale / twiceMax)),
    output: quantizeMultiplier(fround(twiceMax / fround(2 ** LEFT_SHIFT * output.scale))),
  };
}

const apply = (x: number, { value, shift }: Multiplier): number =>
  multiplyByMultiplier(x, value, shift);

/** Steps of a sum, or of a difference, of two numbers of steps. */
export function sumOf(by: SumMultipliers, a: number, b: number, isDifference: boolean): number {
  const left = apply(a << LEFT_SHIFT, by.a);
  const right = apply(b << LEFT_SHIFT, by.b);
  return apply((isDifference ? left - right : left + right) | 0, by.output);
}

/** AddFunc of reference/integer_ops/add.h. */
export const add: Kernel = (node) => {
  const by = addMultipliers(node.input(0), node.input(1), node.output());
  return binary(node, (a, b) => sumOf(by, a, b, false));
};

/** BroadcastQuantSubSlow of reference/sub.h. */
export const subtract: Kernel = (node) => {
  const by = subMultipliers(node.input(0), node.input(1), node.output());
  return binary(node, (a, b) => sumOf(by, a, b, true));
};

/** CalculateOpDataMul of micro/kernels/mul_common.cc. */
export const mulMultiplier = (a: Affine, b: Affine, output: Affine): Multiplier =>
  quantizeMultiplier((a.scale * b.scale) / output.scale);

/** MulElementwise of reference/integer_ops/mul.h. */
export const multiply: Kernel = (node) => {
  const by = mulMultiplier(node.input(0), node.input(1), node.output());
  return binary(node, (a, b) => apply(a * b, by));
};
