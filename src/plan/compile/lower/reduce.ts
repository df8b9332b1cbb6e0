import { PLAN_MAX_SHIFT } from '../../format/constants.ts';
import { meanMultiplier, reducedAxes } from '../../reference/kernels/mean.ts';
import { softmaxParameters } from '../../reference/kernels/softmax.ts';
import { common, type Lower } from './lowering.ts';

const product = (sizes: readonly number[]): number => sizes.reduce((all, size) => all * size, 1);

/**
 * Exps of a row that sum up to 512 and more, as of so many equal values, make GetReciprocal shift by
 * 32 bits and more, which C leaves undefined: what TFLite Micro computes then depends on the
 * processor. Plans take such a shift modulo 32.
 */
export const softmax: Lower = (node) => {
  const { shape } = node.input(0);
  const [rows, depth] = [product(shape.slice(0, -1)), shape.at(-1) ?? 1];
  const { multiplier, shift, least } = softmaxParameters(node);
  // Where a shift is past what plans hold, `least` is 0: nothing but a difference of 0 is multiplied.
  const held = { multiplier, shift: Math.min(shift, PLAN_MAX_SHIFT), least };
  return [{ kind: 'SOFTMAX', ...common(node), rows, depth, ...held }];
};

/** Axes that lie side by side: a tensor of three dimensions, of which the middle one goes. */
export const mean: Lower = (node) => {
  const input = node.input(0);
  const axes = [...reducedAxes(node)].sort((a, b) => a - b);
  const [from, to] = [axes[0] ?? 0, axes.at(-1) ?? -1];
  if (to - from + 1 !== axes.length) {
    node.unsupported(`a mean over dimensions [${axes.join(', ')}], which do not lie side by side,`);
  }
  const [outer, reduced, inner] = [
    product(input.shape.slice(0, from)),
    product(input.shape.slice(from, to + 1)),
    product(input.shape.slice(to + 1)),
  ];
  const { value: multiplier, shift } = meanMultiplier(input, node.output(), reduced);
  return [{ kind: 'MEAN', ...common(node), outer, reduced, inner, multiplier, shift }];
};
