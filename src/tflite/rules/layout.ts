import { elementCount } from '../tensor-type.ts';
import type { Rule } from './operator-view.ts';
import { requireSameQuantization } from './quantization.ts';

/** The kernels below unroll four dimensions. */
const MAX_LAYOUT_RANK = 4;

/** kernels/reshape.cc: the shape is input 1, else the option; one -1 takes what is left. */
export const reshape: Rule = (view) => {
  const input = view.input(0);
  requireSameQuantization(view, input, view.output);
  const wanted = view.optional(1) === undefined ? view.list('newShape') : view.constants(1);
  if (wanted === undefined) return view.fail('it has neither a shape input nor a shape option');
  if (view.optional(1) !== undefined) view.requireRank(view.input(1), 1);
  const open = wanted.filter((size) => size === -1).length;
  view.require(
    open <= 1 && wanted.every((size) => size === -1 || size > 0),
    `a new shape of [${wanted}]`,
  );
  const known = elementCount(wanted.filter((size) => size !== -1));
  const count = elementCount(input.shape);
  const shape = wanted.map((size) => (size === -1 ? Math.floor(count / known) : size));
  view.require(elementCount(shape) === count, `[${input.shape}] does not reshape to [${wanted}]`);
  return [shape];
};

/** kernels/pad.cc: input 1 holds [before, after] of each dimension. */
export const pad: Rule = (view) => {
  const input = view.input(0);
  view.requireRank(input, 1, MAX_LAYOUT_RANK);
  requireSameQuantization(view, input, view.output);
  const amounts = view.constants(1);
  const rank = input.shape.length;
  view.require(
    view.input(1).shape.length === 2 && amounts.length === 2 * rank,
    `paddings of shape [${view.input(1).shape}] for ${rank} dimensions`,
  );
  view.require(
    amounts.every((amount) => amount >= 0),
    `negative padding [${amounts}]`,
  );
  return [input.shape.map((size, index) => size + amounts[2 * index]! + amounts[2 * index + 1]!)];
};

/** kernels/concatenation.cc; int8 inputs must share the output's parameters. */
export const concatenation: Rule = (view) => {
  const first = view.input(0).shape;
  view.requireRank(view.input(0), 1, MAX_LAYOUT_RANK);
  if (view.number('fusedActivationFunction') !== 0) view.unsupported('a fused activation');
  const axis = view.axis(view.number('axis'), first.length);
  let size = 0;
  for (const position of view.inputs.keys()) {
    const tensor = view.input(position);
    const fits =
      tensor.shape.length === first.length &&
      tensor.shape.every((length, index) => index === axis || length === first[index]);
    view.require(fits, `[${tensor.shape}] beside [${first}] along dimension ${axis}`);
    if (tensor.type === 'int8') requireSameQuantization(view, tensor, view.output);
    size += tensor.shape[axis]!;
  }
  return [first.map((length, index) => (index === axis ? size : length))];
};

/** kernels/strided_slice.cc with dense specifications and forward strides. */
export const stridedSlice: Rule = (view) => {
  const input = view.input(0);
  const rank = input.shape.length;
  view.requireRank(input, 1, MAX_LAYOUT_RANK);
  requireSameQuantization(view, input, view.output);
  const specs = [1, 2, 3].map((position) => {
    view.requireRank(view.input(position), 1);
    const values = view.constants(position);
    if (values.length !== rank)
      view.unsupported(`a slice of ${values.length} of ${rank} dimensions`);
    return values;
  });
  for (const name of ['ellipsisMask', 'newAxisMask']) {
    if (view.number(name) !== 0) view.unsupported(`${name} ${view.number(name)}`);
  }
  if (view.flag('offset')) view.unsupported('an end given as an offset');
  const masks = ['beginMask', 'endMask', 'shrinkAxisMask'].map((name) => view.number(name));
  return [
    input.shape.flatMap((size, index) => {
      const [begin, end, stride] = specs.map((values) => values[index]!) as [
        number,
        number,
        number,
      ];
      const [beginMasked, endMasked, shrunk] = masks.map((mask) => ((mask >> index) & 1) === 1);
      if (stride < 1 || stride > size) view.unsupported(`a slice stride of ${stride} over ${size}`);
      const clamp = (value: number): number =>
        Math.min(Math.max(value < 0 ? value + size : value, 0), size);
      const start = beginMasked ? 0 : clamp(begin);
      if (shrunk) {
        view.require(
          !beginMasked && stride === 1 && begin >= -size && begin < size,
          `index ${begin} of ${size}`,
        );
        return [];
      }
      const stop = endMasked ? size : clamp(end);
      return [Math.ceil((stop - start) / stride)];
    }),
  ];
};

/** kernels/split.cc: input 0 is the axis. */
export const split: Rule = (view) => {
  const input = view.input(1);
  view.requireRank(input, 1, MAX_LAYOUT_RANK);
  const axis = view.axis(view.constant(0), input.shape.length);
  const parts = view.bounded('numSplits', 1, view.outputs.length);
  view.require(parts === view.outputs.length, `${parts} parts into ${view.outputs.length} outputs`);
  view.require(input.shape[axis]! % parts === 0, `${input.shape[axis]} in ${parts} parts`);
  for (const output of view.outputs) requireSameQuantization(view, input, output);
  const shape = input.shape.map((size, index) => (index === axis ? size / parts : size));
  return view.outputs.map(() => shape);
};

/** kernels/resize_bilinear.cc and resize_nearest_neighbor.cc: input 1 is [height, width]. */
export const resize: Rule = (view) => {
  const input = view.input(0);
  view.requireRank(input, 4);
  requireSameQuantization(view, input, view.output);
  const size = view.constants(1);
  view.require(
    size.length === 2 && view.input(1).shape.length === 1,
    `a size of ${size.length} numbers, not 2`,
  );
  view.require(
    !(view.flag('alignCorners') && view.flag('halfPixelCenters')),
    'alignCorners and halfPixelCenters exclude each other',
  );
  return [[input.shape[0]!, size[0]!, size[1]!, input.shape[3]!]];
};
