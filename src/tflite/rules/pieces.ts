import type { Rule } from './operator-view.ts';
import { requireIdenticalQuantization } from './quantization.ts';

/** The kernels below unroll four dimensions, or are known to be right up to there. */
const MAX_UNROLLED_RANK = 4;

/** kernels/slice.cc: inputs 1 and 2 are where it begins and its size; -1 is all that is left. */
export const slice: Rule = (view) => {
  const { shape } = view.input(0);
  view.requireRank(view.input(0), 1, MAX_UNROLLED_RANK);
  requireIdenticalQuantization(view, view.input(0), view.output);
  const begins = view.vector(1, shape.length);
  const sizes = view.vector(2, shape.length);
  return [
    shape.map((length, index) => {
      const begin = begins[index]!;
      const size = sizes[index] === -1 ? length - begin : sizes[index]!;
      view.require(
        begin >= 0 && size >= 1 && begin + size <= length,
        `a slice of ${sizes[index]} at ${begin} of ${length}`,
      );
      return size;
    }),
  ];
};

/** kernels/gather.cc: the runtime reads wherever too large an index points. */
export const gather: Rule = (view) => {
  const { shape } = view.input(0);
  view.requireRank(view.input(0), 1, MAX_UNROLLED_RANK);
  view.requireRank(view.input(1), 0, 2);
  requireIdenticalQuantization(view, view.input(0), view.output);
  const axis = view.axis(view.number('axis'), shape.length);
  if (view.number('batchDims') !== 0) view.unsupported(`batchDims ${view.number('batchDims')}`);
  const size = shape[axis]!;
  const outside = view.constants(1).find((index) => index < 0 || index >= size);
  view.require(outside === undefined, `index ${outside} of ${size}`);
  return [[...shape.slice(0, axis), ...view.input(1).shape, ...shape.slice(axis + 1)]];
};

/** kernels/pack.cc: inputs of one shape along a new dimension. */
export const pack: Rule = (view) => {
  const inputs = view.alike();
  const { shape } = view.input(0);
  view.requireRank(view.input(0), 0, MAX_UNROLLED_RANK);
  requireIdenticalQuantization(view, ...inputs, view.output);
  const count = inputs.length;
  view.require(view.number('valuesCount') === count, `valuesCount for ${count} inputs`);
  const axis = view.axis(view.number('axis'), shape.length + 1);
  return [shape.toSpliced(axis, 0, count)];
};

/** kernels/unpack.cc: an output for each place along a dimension. */
export const unpack: Rule = (view) => {
  const { shape } = view.input(0);
  view.requireRank(view.input(0), 1, MAX_UNROLLED_RANK);
  requireIdenticalQuantization(view, view.input(0), ...view.outputs);
  const axis = view.axis(view.number('axis'), shape.length);
  const count = view.outputs.length;
  view.require(
    view.number('num') === count && shape[axis] === count,
    `${shape[axis]} slices, num ${view.number('num')}, into ${count} outputs`,
  );
  return view.outputs.map(() => shape.toSpliced(axis, 1));
};

/** kernels/split_v.cc: input 1 holds the sizes of the parts, one of which may be -1; 2 the axis. */
export const splitInto: Rule = (view) => {
  const { shape } = view.input(0);
  view.requireRank(view.input(0), 1, MAX_UNROLLED_RANK);
  view.requireRank(view.input(1), 1);
  view.requireRank(view.input(2), 0, 1);
  requireIdenticalQuantization(view, view.input(0), ...view.outputs);
  const axis = view.axis(view.constant(2), shape.length);
  const wanted = view.constants(1);
  const count = view.outputs.length;
  view.require(
    view.number('numSplits') === count && wanted.length === count,
    `${wanted.length} sizes, numSplits ${view.number('numSplits')}, into ${count} outputs`,
  );
  const open = wanted.filter((size) => size === -1).length;
  const known = wanted.filter((size) => size !== -1).reduce((sum, size) => sum + size, 0);
  const sizes = wanted.map((size) => (size === -1 ? shape[axis]! - known : size));
  view.require(
    open <= 1 &&
      sizes.every((size) => size >= 1) &&
      sizes.reduce((sum, size) => sum + size, 0) === shape[axis],
    `${shape[axis]} in parts of [${wanted}]`,
  );
  return sizes.map((size) => shape.with(axis, size));
};
