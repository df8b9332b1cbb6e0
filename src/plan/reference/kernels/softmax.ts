import { INT32_MAX, inputRadius, quantizeMultiplier } from '../fixed-point.ts';
import type { Kernel, Node } from '../node.ts';
import { DIFFERENCE_INTEGER_BITS, softmaxExps, softmaxRow } from '../softmax-row.ts';

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

/** Softmax over the last dimension. */
export const softmax: Kernel = (node) => {
  const input = node.input(0);
  const output = node.output();
  const depth = input.shape.at(-1)!;
  const { multiplier, shift, least } = softmaxParameters(node);
  const exps = softmaxExps(multiplier, shift, least);
  const row = (values: Int8Array, first: number): Int8Array =>
    values.subarray(first, first + depth);
  return () => {
    for (let first = 0; first < input.values.length; first += depth) {
      softmaxRow(exps, row(input.values, first), row(output.values, first));
    }
  };
};
