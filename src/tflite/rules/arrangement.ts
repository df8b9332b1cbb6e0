import { MAX_WINDOW } from '../limits.ts';
import { elementCount } from '../tensor-type.ts';
import type { OperatorView, Rule } from './operator-view.ts';
import { requireIdenticalQuantization } from './quantization.ts';

/** Most kernels below unroll four dimensions. */
const MAX_UNROLLED_RANK = 4;
/** kernels/transpose.cc. */
const MAX_TRANSPOSE_RANK = 5;

/** Every value keeps its scale. */
function moved(view: OperatorView): readonly number[] {
  requireIdenticalQuantization(view, view.input(0), view.output);
  return view.input(0).shape;
}

/** A table of [before, after] for each of some dimensions. */
function pairsOf(
  view: OperatorView,
  position: number,
  length: number,
): (readonly [number, number])[] {
  const { shape } = view.input(position);
  const values = view.constants(position);
  view.require(
    shape.length === 2 && shape[0] === length && shape[1] === 2,
    `input ${position} of shape [${shape}] for ${length} dimensions`,
  );
  view.require(
    values.every((value) => value >= 0),
    `negative numbers in input ${position} [${values}]`,
  );
  return Array.from({ length }, (_, index) => [values[2 * index]!, values[2 * index + 1]!]);
}

/** kernels/transpose.cc: dimension i of the output is dimension `order[i]` of the input. */
export const transpose: Rule = (view) => {
  const shape = moved(view);
  view.requireRank(view.input(0), 1, MAX_TRANSPOSE_RANK);
  const order = view.vector(1, shape.length);
  view.require(
    order.toSorted((a, b) => a - b).every((axis, index) => axis === index),
    `an order of [${order}]`,
  );
  return [order.map((axis) => shape[axis]!)];
};

/** kernels/squeeze.cc: without a list, every dimension of 1 goes. */
export const squeeze: Rule = (view) => {
  const shape = moved(view);
  const axes = (view.list('squeezeDims') ?? []).map((axis) => view.axis(axis, shape.length));
  for (const axis of axes) {
    view.require(shape[axis] === 1, `dimension ${axis} of [${shape}] is not 1`);
  }
  return [shape.filter((size, index) => (axes.length === 0 ? size !== 1 : !axes.includes(index)))];
};

/** kernels/expand_dims.cc. */
export const expandDims: Rule = (view) => {
  const shape = moved(view);
  view.requireRank(view.input(1), 0, 1);
  const axis = view.axis(view.constant(1), shape.length + 1);
  return [shape.toSpliced(axis, 0, 1)];
};

/** kernels/space_to_depth.cc and depth_to_space.cc, NHWC. */
function blocks(view: OperatorView): readonly [number, number, number, number, number] {
  const shape = moved(view);
  view.requireRank(view.input(0), 4);
  const size = view.bounded('blockSize', 1, MAX_WINDOW);
  return [...(shape as [number, number, number, number]), size];
}

export const spaceToDepth: Rule = (view) => {
  const [batch, height, width, depth, size] = blocks(view);
  view.require(
    height % size === 0 && width % size === 0,
    `${height} x ${width} in blocks of ${size}`,
  );
  return [[batch, height / size, width / size, depth * size * size]];
};

export const depthToSpace: Rule = (view) => {
  const [batch, height, width, depth, size] = blocks(view);
  view.require(depth % (size * size) === 0, `${depth} channels in blocks of ${size} x ${size}`);
  return [[batch, height * size, width * size, depth / (size * size)]];
};

/** Batch, one or two dimensions in blocks, channels; and the blocks' sizes. */
function spatial(view: OperatorView): { shape: readonly number[]; sizes: readonly number[] } {
  const shape = moved(view);
  view.requireRank(view.input(0), 3, MAX_UNROLLED_RANK);
  const sizes = view.vector(1, shape.length - 2);
  view.require(
    sizes.every((size) => size >= 1 && size <= MAX_WINDOW),
    `blocks of [${sizes}]; 1 to ${MAX_WINDOW} are taken`,
  );
  return { shape, sizes };
}

/** kernels/space_to_batch_nd.cc: input 2 pads before the blocks are cut. */
export const spaceToBatch: Rule = (view) => {
  const { shape, sizes } = spatial(view);
  const pads = pairsOf(view, 2, sizes.length);
  const cut = sizes.map((size, index) => {
    const padded = shape[index + 1]! + pads[index]![0] + pads[index]![1];
    view.require(padded % size === 0, `${padded} in blocks of ${size}`);
    return padded / size;
  });
  return [[shape[0]! * elementCount(sizes), ...cut, shape.at(-1)!]];
};

/** kernels/batch_to_space_nd.cc: input 2 crops what the blocks make up. */
export const batchToSpace: Rule = (view) => {
  const { shape, sizes } = spatial(view);
  const crops = pairsOf(view, 2, sizes.length);
  const count = elementCount(sizes);
  view.require(shape[0]! % count === 0, `a batch of ${shape[0]} in ${count} blocks`);
  const joined = sizes.map((size, index) => {
    const whole = shape[index + 1]! * size;
    const [before, after] = crops[index]!;
    view.require(before + after < whole, `crops of ${before} and ${after} of ${whole}`);
    return whole - before - after;
  });
  return [[shape[0]! / count, ...joined, shape.at(-1)!]];
};

/** kernels/reverse.cc, of one dimension. */
export const reverse: Rule = (view) => {
  const shape = moved(view);
  view.requireRank(view.input(0), 1, MAX_UNROLLED_RANK);
  view.requireRank(view.input(1), 1);
  view.axis(view.constant(1), shape.length);
  return [shape];
};

/** kernels/tile.cc: how often each dimension is repeated. */
export const tile: Rule = (view) => {
  const shape = moved(view);
  view.requireRank(view.input(0), 1, MAX_UNROLLED_RANK);
  const times = view.vector(1, shape.length);
  view.require(
    times.every((time) => time >= 1),
    `repetitions of [${times}]`,
  );
  return [shape.map((size, index) => size * times[index]!)];
};

/** schema.fbs, MirrorPadMode. */
const REFLECT = 0;
const SYMMETRIC = 1;

/** kernels/mirror_pad.cc: a mirror shows at most what is there, without the edge when reflecting. */
export const mirrorPad: Rule = (view) => {
  const shape = moved(view);
  view.requireRank(view.input(0), 1, MAX_UNROLLED_RANK);
  const pads = pairsOf(view, 1, shape.length);
  const edge = view.bounded('mode', REFLECT, SYMMETRIC) === REFLECT ? 1 : 0;
  return [
    shape.map((size, index) => {
      const [before, after] = pads[index]!;
      view.require(
        Math.max(before, after) <= size - edge,
        `padding of ${before} and ${after} mirrored from ${size}`,
      );
      return size + before + after;
    }),
  ];
};

/** kernels/pad.cc, PADV2: input 2 is the value. */
export const padWithValue: Rule = (view) => {
  const shape = moved(view);
  view.requireRank(view.input(0), 1, MAX_UNROLLED_RANK);
  const pads = pairsOf(view, 1, shape.length);
  const value = view.input(2);
  if (!view.graph.isConstant(value)) view.unsupported('a value that is computed');
  view.requireRank(value, 0, 1);
  view.require(elementCount(value.shape) === 1, `a value of shape [${value.shape}]`);
  requireIdenticalQuantization(view, view.output, value);
  return [shape.map((size, index) => size + pads[index]![0] + pads[index]![1])];
};
