import type { Options } from '../tflite/sample-plan.ts';
import { countOf, type RandomGraph, type Step, type Wire } from './random-graph.ts';
import {
  activationOption,
  convolution,
  dense,
  depthwise,
  pool,
  transposedConvolution,
} from './random-layers.ts';

/** For what has grown too large. */
export const SHRINK: Step = {
  name: 'MEAN',
  takes: () => true,
  make: (...of) => reduce('MEAN')(...of),
};

const any = ({ shape }: Wire): boolean => shape.length >= 1 && shape.length <= 4;
const image = ({ shape }: Wire): boolean =>
  shape.length === 4 && shape[0] === 1 && shape[1]! >= 2 && shape[2]! >= 2 && shape[3]! <= 16;
const wide = ({ shape }: Wire): boolean => any({ index: 0, shape }) && countOf(shape) >= 4;

/** A second operand: another tensor, or a constant of the same shape, of one number, or one for each channel. */
function operand(graph: RandomGraph, wire: Wire): { sources: Wire[]; index: number } {
  if (graph.random.chance(0.5)) {
    const other = graph.partner(wire);
    return { sources: [other], index: other.index };
  }
  const shape = graph.random.pick([wire.shape, [1], wire.shape.slice(-1)]);
  return { sources: [], index: graph.constant(shape, 0.8) };
}

function arithmetic(builtin: string, fused: boolean): Step['make'] {
  return (graph, wire) => {
    const other = operand(graph, wire);
    const inputs = [wire.index, other.index];
    // MUL, MAXIMUM and MINIMUM take either order; of SUB it makes another.
    if (graph.random.chance(0.3)) inputs.reverse();
    const options = fused ? { fusedActivationFunction: activationOption(graph.random) } : {};
    return [graph.operator(builtin, [wire, ...other.sources], inputs, wire.shape, options)];
  };
}

function unary(builtin: string, options: Options = {}): Step['make'] {
  return (graph, wire) => [graph.operator(builtin, [wire], [wire.index], wire.shape, options)];
}

function reduce(builtin: string): Step['make'] {
  return (graph, wire) => {
    const axis = graph.random.whole(0, wire.shape.length - 1);
    const keepDims = wire.shape.length === 1 || graph.random.chance(0.5);
    const shape = keepDims ? wire.shape.with(axis, 1) : wire.shape.toSpliced(axis, 1);
    return [
      graph.operator(builtin, [wire], [wire.index, graph.control([1], [axis])], shape, {
        keepDims,
      }),
    ];
  };
}

function reshape(graph: RandomGraph, wire: Wire): Wire[] {
  const count = countOf(wire.shape);
  const shapes = [[1, count], [count], ...(count % 2 === 0 ? [[2, count / 2]] : [])];
  const images = [2, 3, 4].flatMap((side) =>
    count % (side * side) === 0 ? [[1, side, side, count / side / side]] : [],
  );
  const shape = graph.random.pick([...shapes, ...images, ...images]);
  const inputs = [wire.index, graph.control([shape.length], shape)];
  return [graph.operator('RESHAPE', [wire], inputs, shape)];
}

function concatenation(graph: RandomGraph, wire: Wire): Wire[] {
  // Results of LOGISTIC and TANH have scales of their own: what meets them has to be requantized.
  const bent = graph.random.pick(['LOGISTIC', 'TANH', undefined]);
  const other =
    bent === undefined ? graph.partner(wire) : graph.operator(bent, [], [wire.index], wire.shape);
  const axis = graph.random.whole(0, wire.shape.length - 1);
  const parts = graph.random.chance(0.2)
    ? [graph.constant(wire.shape, 0.5), other.index, wire.index]
    : [wire.index, other.index];
  const shape = wire.shape.with(axis, wire.shape[axis]! * parts.length);
  return [graph.operator('CONCATENATION', [wire, other], parts, shape, { axis })];
}

function pad(builtin: 'PAD' | 'PADV2' | 'MIRROR_PAD'): Step['make'] {
  return (graph, wire) => {
    const rank = wire.shape.length;
    const most = (size: number): number => (builtin === 'MIRROR_PAD' ? Math.min(1, size - 1) : 1);
    const pads = wire.shape.flatMap((size) => {
      return [graph.random.whole(0, most(size)), graph.random.whole(0, most(size))];
    });
    const shape = wire.shape.map((size, axis) => size + pads[2 * axis]! + pads[2 * axis + 1]!);
    const value = builtin === 'PADV2' ? [graph.constant([], 0.5)] : [];
    const inputs = [wire.index, graph.control([rank, 2], pads), ...value];
    return [graph.operator(builtin, [wire], inputs, shape)];
  };
}

function stridedSlice(graph: RandomGraph, wire: Wire): Wire[] {
  const rank = wire.shape.length;
  const begins = wire.shape.map((size) => graph.random.whole(0, Math.floor((size - 1) / 2)));
  const strides = wire.shape.map((size) => graph.random.whole(1, Math.min(2, size)));
  const shape = wire.shape.map((size, axis) => Math.ceil((size - begins[axis]!) / strides[axis]!));
  const inputs = [begins, wire.shape, strides].map((values) => graph.control([rank], values));
  return [graph.operator('STRIDED_SLICE', [wire], [wire.index, ...inputs], shape)];
}

function slice(graph: RandomGraph, wire: Wire): Wire[] {
  const rank = wire.shape.length;
  const begins = wire.shape.map((size) => graph.random.whole(0, size - 1));
  const shape = wire.shape.map((size, axis) => graph.random.whole(1, size - begins[axis]!));
  const inputs = [wire.index, graph.control([rank], begins), graph.control([rank], shape)];
  return [graph.operator('SLICE', [wire], inputs, shape)];
}

function evenAxis({ shape }: Wire): number {
  return shape.findIndex((size) => size % 2 === 0);
}

function split(graph: RandomGraph, wire: Wire): Wire[] {
  const axis = evenAxis(wire);
  const half = wire.shape.with(axis, wire.shape[axis]! / 2);
  const inputs = [graph.control([], [axis]), wire.index];
  return graph.operators('SPLIT', [wire], inputs, [half, half], { numSplits: 2 });
}

function splitUneven(graph: RandomGraph, wire: Wire): Wire[] {
  const axis = wire.shape.findIndex((size) => size >= 2);
  const sizes = [1, wire.shape[axis]! - 1];
  const inputs = [wire.index, graph.control([2], sizes), graph.control([], [axis])];
  const shapes = sizes.map((size) => wire.shape.with(axis, size));
  return graph.operators('SPLIT_V', [wire], inputs, shapes, { numSplits: 2 });
}

function resize(builtin: string): Step['make'] {
  return (graph, wire) => {
    const [, height, width, depth] = wire.shape as [number, number, number, number];
    const to = [graph.random.whole(1, 2 * height), graph.random.whole(1, 2 * width)];
    const flags = graph.random.pick([{}, { alignCorners: true }, { halfPixelCenters: true }]);
    const inputs = [wire.index, graph.control([2], to)];
    return [graph.operator(builtin, [wire], inputs, [1, to[0]!, to[1]!, depth], flags)];
  };
}

function transpose(graph: RandomGraph, wire: Wire): Wire[] {
  const order = [...wire.shape.keys()];
  for (let at = order.length - 1; at > 0; at--) {
    const other = graph.random.whole(0, at);
    [order[at], order[other]] = [order[other]!, order[at]!];
  }
  const shape = order.map((axis) => wire.shape[axis]!);
  const inputs = [wire.index, graph.control([order.length], order)];
  return [graph.operator('TRANSPOSE', [wire], inputs, shape)];
}

function squeeze(graph: RandomGraph, wire: Wire): Wire[] {
  const axis = wire.shape.indexOf(1);
  const shape = wire.shape.toSpliced(axis, 1);
  return [graph.operator('SQUEEZE', [wire], [wire.index], shape, { squeezeDims: [axis] })];
}

function expandDims(graph: RandomGraph, wire: Wire): Wire[] {
  const axis = graph.random.whole(0, wire.shape.length);
  const inputs = [wire.index, graph.control([], [axis])];
  return [graph.operator('EXPAND_DIMS', [wire], inputs, wire.shape.toSpliced(axis, 0, 1))];
}

function pack(graph: RandomGraph, wire: Wire): Wire[] {
  const other = graph.partner(wire);
  const axis = graph.random.whole(0, wire.shape.length);
  const shape = wire.shape.toSpliced(axis, 0, 2);
  const options = { valuesCount: 2, axis };
  return [graph.operator('PACK', [wire, other], [wire.index, other.index], shape, options)];
}

function unpack(graph: RandomGraph, wire: Wire): Wire[] {
  const axis = wire.shape.findIndex((size) => size <= 3);
  const num = wire.shape[axis]!;
  const part = wire.shape.toSpliced(axis, 1);
  const parts = Array.from({ length: num }, () => part);
  return graph.operators('UNPACK', [wire], [wire.index], parts, { num, axis });
}

function gather(graph: RandomGraph, wire: Wire): Wire[] {
  const axis = graph.random.whole(0, wire.shape.length - 1);
  const places = [0, 1].map(() => graph.random.whole(0, wire.shape[axis]! - 1));
  const inputs = [wire.index, graph.control([2], places)];
  return [graph.operator('GATHER', [wire], inputs, wire.shape.with(axis, 2), { axis })];
}

function reverse(graph: RandomGraph, wire: Wire): Wire[] {
  const axis = graph.random.whole(0, wire.shape.length - 1);
  const inputs = [wire.index, graph.control([1], [axis])];
  return [graph.operator('REVERSE_V2', [wire], inputs, wire.shape)];
}

function tile(graph: RandomGraph, wire: Wire): Wire[] {
  const times = wire.shape.map(() => (graph.random.chance(0.4) ? 2 : 1));
  const inputs = [wire.index, graph.control([times.length], times)];
  const shape = wire.shape.map((size, axis) => size * times[axis]!);
  return [graph.operator('TILE', [wire], inputs, shape)];
}

/** Takes blocks apart, and puts them together again. */
function blocks(graph: RandomGraph, wire: Wire): Wire[] {
  const [, height, width, depth] = wire.shape as [number, number, number, number];
  const half = [1, height / 2, width / 2, depth * 4];
  if (graph.random.chance(0.5)) {
    const deep = graph.operator('SPACE_TO_DEPTH', [wire], [wire.index], half, { blockSize: 2 });
    const bent = graph.operator('LEAKY_RELU', [deep], [deep.index], half, { alpha: 0.25 });
    const options = { blockSize: 2 };
    return [graph.operator('DEPTH_TO_SPACE', [bent], [bent.index], wire.shape, options)];
  }
  const size = graph.control([2], [2, 2]);
  const none = graph.control([2, 2], [0, 0, 0, 0]);
  const shape = [4, height / 2, width / 2, depth];
  const many = graph.operator('SPACE_TO_BATCH_ND', [wire], [wire.index, size, none], shape);
  const bent = graph.operator('RELU', [many], [many.index], shape);
  return [graph.operator('BATCH_TO_SPACE_ND', [bent], [bent.index, size, none], wire.shape)];
}

/** Rows without a direction of their own are all rounding: each has an element that is no less than 1. */
function normalized(graph: RandomGraph, wire: Wire): Wire[] {
  const first = wire.shape.with(-1, 1);
  const one = graph.constantOf(first, Array<number>(countOf(first)).fill(1));
  const shape = wire.shape.with(-1, wire.shape.at(-1)! + 1);
  const options = { axis: wire.shape.length - 1 };
  const row = graph.operator('CONCATENATION', [wire], [wire.index, one], shape, options);
  return [graph.operator('L2_NORMALIZATION', [row], [row.index], shape)];
}

function prelu(graph: RandomGraph, wire: Wire): Wire[] {
  const slopes = graph.constant([wire.shape.at(-1)!], 0.3);
  return [graph.operator('PRELU', [wire], [wire.index, slopes], wire.shape)];
}

function matrixProduct(graph: RandomGraph, wire: Wire): Wire[] {
  const [rows, depth] = wire.shape.slice(-2) as [number, number];
  if (graph.random.chance(0.5)) {
    // Of a matrix and itself, turned over.
    const shape = [...wire.shape.slice(0, -1), rows];
    const scaled = graph.operator(
      'MUL',
      [wire],
      [wire.index, graph.constantOf([1], [1 / Math.sqrt(depth)])],
      wire.shape,
    );
    const options = { adjY: true };
    const inputs = [wire.index, scaled.index];
    return [graph.operator('BATCH_MATMUL', [wire, scaled], inputs, shape, options)];
  }
  const columns = graph.random.whole(1, 6);
  const constant = graph.constant([depth, columns], 1 / Math.sqrt(depth));
  const shape = [...wire.shape.slice(0, -1), columns];
  return [graph.operator('BATCH_MATMUL', [wire], [wire.index, constant], shape)];
}

/** Islands of float: a positive value and what may be asked of it. */
function floatOnly(graph: RandomGraph, wire: Wire): readonly Wire[] {
  const { random } = graph;
  const bounded = graph.operator('TANH', [wire], [wire.index], wire.shape);
  const positive = graph.operator('EXP', [bounded], [bounded.index], wire.shape);
  switch (random.pick(['none', 'root', 'quotient', 'sum', 'square'])) {
    case 'root':
      return [graph.operator('SQRT', [positive], [positive.index], wire.shape)];
    case 'quotient': {
      const inputs = [wire.index, positive.index];
      return [graph.operator('DIV', [wire, positive], inputs, wire.shape)];
    }
    case 'sum':
      return reduce('SUM')(graph, bounded);
    case 'square':
      return [graph.operator('SQUARE', [bounded], [bounded.index], wire.shape)];
    default:
      return [positive];
  }
}

export const STEPS: readonly Step[] = [
  { name: 'CONV_2D', takes: image, make: convolution },
  { name: 'CONV_2D', takes: image, make: convolution },
  { name: 'DEPTHWISE_CONV_2D', takes: image, make: depthwise },
  { name: 'TRANSPOSE_CONV', takes: image, make: transposedConvolution },
  { name: 'FULLY_CONNECTED', takes: wide, make: dense },
  { name: 'AVERAGE_POOL_2D', takes: image, make: pool('AVERAGE_POOL_2D') },
  { name: 'MAX_POOL_2D', takes: image, make: pool('MAX_POOL_2D') },
  { name: 'ADD', takes: any, make: arithmetic('ADD', true) },
  { name: 'SUB', takes: any, make: arithmetic('SUB', true) },
  { name: 'MUL', takes: any, make: arithmetic('MUL', true) },
  { name: 'MAXIMUM', takes: any, make: arithmetic('MAXIMUM', false) },
  { name: 'MINIMUM', takes: any, make: arithmetic('MINIMUM', false) },
  { name: 'CONCATENATION', takes: any, make: concatenation },
  { name: 'CONCATENATION', takes: any, make: concatenation },
  { name: 'RESHAPE', takes: any, make: reshape },
  { name: 'PAD', takes: any, make: pad('PAD') },
  { name: 'PADV2', takes: any, make: pad('PADV2') },
  { name: 'MIRROR_PAD', takes: any, make: pad('MIRROR_PAD') },
  { name: 'MEAN', takes: wide, make: reduce('MEAN') },
  { name: 'REDUCE_MAX', takes: wide, make: reduce('REDUCE_MAX') },
  { name: 'REDUCE_MIN', takes: wide, make: reduce('REDUCE_MIN') },
  ...['RELU', 'RELU6', 'HARD_SWISH', 'LOGISTIC', 'TANH', 'ELU', 'GELU', 'ABS'].map((name) => ({
    name,
    takes: any,
    make: unary(name),
  })),
  { name: 'LEAKY_RELU', takes: any, make: unary('LEAKY_RELU', { alpha: 0.25 }) },
  { name: 'L2_NORMALIZATION', takes: wide, make: normalized },
  { name: 'PRELU', takes: any, make: prelu },
  {
    name: 'BATCH_MATMUL',
    takes: (wire) => wide(wire) && wire.shape.length >= 2,
    make: matrixProduct,
  },
  { name: 'STRIDED_SLICE', takes: wide, make: stridedSlice },
  { name: 'SLICE', takes: wide, make: slice },
  { name: 'SPLIT', takes: (wire) => any(wire) && evenAxis(wire) >= 0, make: split },
  {
    name: 'SPLIT_V',
    takes: (wire) => any(wire) && wire.shape.some((size) => size >= 2),
    make: splitUneven,
  },
  { name: 'RESIZE_BILINEAR', takes: image, make: resize('RESIZE_BILINEAR') },
  { name: 'RESIZE_NEAREST_NEIGHBOR', takes: image, make: resize('RESIZE_NEAREST_NEIGHBOR') },
  { name: 'TRANSPOSE', takes: any, make: transpose },
  {
    name: 'SQUEEZE',
    takes: (wire) => any(wire) && wire.shape.length >= 2 && wire.shape.includes(1),
    make: squeeze,
  },
  { name: 'EXPAND_DIMS', takes: (wire) => wire.shape.length < 4, make: expandDims },
  { name: 'PACK', takes: (wire) => wire.shape.length < 4, make: pack },
  {
    name: 'UNPACK',
    takes: (wire) => wire.shape.length >= 2 && wire.shape.some((size) => size <= 3),
    make: unpack,
  },
  { name: 'GATHER', takes: any, make: gather },
  { name: 'REVERSE_V2', takes: any, make: reverse },
  { name: 'TILE', takes: any, make: tile },
  {
    name: 'SPACE_TO_DEPTH',
    takes: (wire) => image(wire) && wire.shape[1]! % 2 === 0 && wire.shape[2]! % 2 === 0,
    make: blocks,
  },
  { name: 'EXP', takes: any, make: floatOnly },
];
