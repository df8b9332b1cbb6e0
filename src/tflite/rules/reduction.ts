import { tensorTypeToNumber } from '../tensor-type.ts';
import type { OperatorView, Rule } from './operator-view.ts';
import { requireIdenticalQuantization, requireRescale } from './quantization.ts';

/** The kernels below are known to be right up to here. */
const MAX_REDUCED_RANK = 4;

/** kernels/reduce.cc: input 1 names the dimensions that go, or stay as 1. */
function reduced(view: OperatorView): number[] {
  const { shape } = view.input(0);
  view.requireRank(view.input(0), 1, MAX_REDUCED_RANK);
  view.requireRank(view.input(1), 0, 1);
  const axes = view.constants(1).map((axis) => view.axis(axis, shape.length));
  view.require(new Set(axes).size === axes.length, `axes [${axes}] name a dimension twice`);
  return view.flag('keepDims')
    ? shape.map((size, index) => (axes.includes(index) ? 1 : size))
    : shape.filter((_, index) => !axes.includes(index));
}

export const mean: Rule = (view) => {
  requireRescale(view);
  return [reduced(view)];
};

/** Float only: the runtime adds up int8 values of equal scales in eight bits, others unclamped. */
export const sum: Rule = (view) => [reduced(view)];

/** REDUCE_MAX and REDUCE_MIN compare what is stored. */
export const extreme: Rule = (view) => {
  requireIdenticalQuantization(view, view.input(0), view.output);
  return [reduced(view)];
};

/** kernels/arg_min_max.cc: the option, not the tensor, says how wide the results are. */
export const argMax: Rule = (view) => {
  const { shape } = view.input(0);
  view.requireRank(view.input(0), 1, MAX_REDUCED_RANK);
  view.requireRank(view.input(1), 0, 1);
  const axis = view.axis(view.constant(1), shape.length);
  const type = tensorTypeToNumber(view.output.type);
  const wanted = view.number('outputType');
  view.require(wanted === type, `type number ${wanted} into an output of ${view.output.type}`);
  return [shape.filter((_, index) => index !== axis)];
};

/** kernels/cumsum.cc. */
export const cumulativeSum: Rule = (view) => {
  const { shape } = view.input(0);
  view.requireRank(view.input(0), 1, MAX_REDUCED_RANK);
  view.requireRank(view.input(1), 0, 1);
  view.axis(view.constant(1), shape.length);
  return [shape];
};
