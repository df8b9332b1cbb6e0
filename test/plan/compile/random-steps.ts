import { elements } from '../one-operator.ts';
import {
  type Affine,
  type Int8Graph,
  type Options,
  randomWeights,
  type Wire,
} from './int8-graph.ts';

/** What makes an operator, or several, of a wire. */
export interface Step {
  readonly takes: (wire: Wire) => boolean;
  readonly make: (graph: Int8Graph, wire: Wire) => Wire;
}

/** Values that an operator may make: what takes long is for other tests. */
const MAX_ELEMENTS = 3000;
const MAX_MACS = 60_000;

type Image = [batches: number, height: number, width: number, channels: number];

const isImage = ({ shape }: Wire): boolean => shape.length === 4;
const imageOf = ({ shape }: Wire): Image => shape as Image;

interface Slide {
  readonly size: number;
  readonly stride: number;
  readonly dilation: number;
  readonly output: number;
}

/** One dimension of a window that fits somewhere. */
function slide(graph: Int8Graph, image: number, isSame: boolean, isDilated: boolean): Slide {
  const { random } = graph;
  const dilation = isDilated ? random.pick([1, 1, 1, 2, 3]) : 1;
  const most = isSame ? 5 : Math.floor((image - 1) / dilation) + 1;
  const size = random.int(1, Math.min(most, random.pick([3, 3, 5])));
  const stride = random.pick([1, 1, 2, 3]);
  const covered = (size - 1) * dilation + 1;
  const output = isSame
    ? Math.ceil(image / stride)
    : Math.floor((image + stride - covered) / stride);
  return { size, stride, dilation, output };
}

interface Window {
  readonly y: Slide;
  readonly x: Slide;
  readonly options: Options;
}

function windowOf(graph: Int8Graph, wire: Wire, isDilated: boolean): Window {
  const [, height, width] = imageOf(wire);
  const isSame = graph.random.int(0, 1) === 0;
  const [y, x] = [slide(graph, height, isSame, isDilated), slide(graph, width, isSame, isDilated)];
  const dilations = isDilated ? { dilationHFactor: y.dilation, dilationWFactor: x.dilation } : {};
  const options = {
    ...{ padding: isSame ? 0 : 1, strideH: y.stride, strideW: x.stride, ...dilations },
    fusedActivationFunction: graph.random.int(0, 3),
  };
  return { y, x, options };
}

/** An output in which sums of so many products neither vanish nor all clip. */
function outputOf(graph: Int8Graph, input: Wire, weightScale: number, taps: number): Affine {
  const spread = input.scale * weightScale * 5000 * Math.sqrt(taps);
  const scale = Math.fround((spread * graph.random.int(3, 30)) / 1000);
  return { ...graph.affine(), scale };
}

const conv: Step = {
  takes: (wire) => isImage(wire),
  make: (graph, wire) => {
    const { random } = graph;
    const [batches, , , depth] = imageOf(wire);
    const { y, x, options } = windowOf(graph, wire, true);
    const pixels = batches * y.output * x.output;
    const taps = y.size * x.size * depth;
    const most = Math.max(1, Math.floor(MAX_MACS / (pixels * taps)));
    const channels = random.int(1, Math.min(random.pick([4, 9, 70]), most, 3000 / pixels + 1));
    const shape = [channels, y.size, x.size, depth];
    const weights = randomWeights(random, shape, 0, wire.scale, random.int(0, 2) > 0);
    const affine = outputOf(graph, wire, weights.scales[0]!, taps);
    const output = [batches, y.output, x.output, channels];
    return graph.weighted('CONV_2D', wire, weights, output, affine, options);
  },
};

const depthwise: Step = {
  takes: (wire) => isImage(wire) && elements(wire.shape) < MAX_ELEMENTS,
  make: (graph, wire) => {
    const { random } = graph;
    const [batches, , , depth] = imageOf(wire);
    const { y, x, options } = windowOf(graph, wire, true);
    const depthMultiplier = random.pick([1, 1, 1, 2, 3]);
    const channels = depth * depthMultiplier;
    const shape = [1, y.size, x.size, channels];
    const weights = randomWeights(random, shape, 3, wire.scale, random.int(0, 2) > 0);
    const affine = outputOf(graph, wire, weights.scales[0]!, y.size * x.size);
    const output = [batches, y.output, x.output, channels];
    const all = { ...options, depthMultiplier };
    return graph.weighted('DEPTHWISE_CONV_2D', wire, weights, output, affine, all);
  },
};

const pool = (name: string): Step => ({
  takes: isImage,
  make: (graph, wire) => {
    const [batches, , , depth] = imageOf(wire);
    const { y, x, options } = windowOf(graph, wire, false);
    const all = { ...options, filterHeight: y.size, filterWidth: x.size };
    return graph.operator(name, [wire], [batches, y.output, x.output, depth], wire, all);
  },
});

const fullyConnected: Step = {
  takes: ({ shape }) => shape.length >= 1 && shape.length <= 4,
  make: (graph, wire) => {
    const { random } = graph;
    const total = elements(wire.shape);
    const last = wire.shape.at(-1)!;
    const depth =
      random.int(0, 2) === 0 ? last : total / (wire.shape.length > 1 ? wire.shape[0]! : 1);
    const rows = total / depth;
    const most = Math.max(1, Math.floor(MAX_MACS / total));
    const units = random.int(1, Math.min(20, most));
    const weights = randomWeights(random, [units, depth], 0, wire.scale, false);
    const affine = outputOf(graph, wire, weights.scales[0]!, depth);
    const keepNumDims = depth === last && random.int(0, 1) === 0;
    const shape = keepNumDims ? [...wire.shape.slice(0, -1), units] : [rows, units];
    const options = { keepNumDims, fusedActivationFunction: random.int(0, 3) };
    return graph.weighted('FULLY_CONNECTED', wire, weights, shape, affine, options);
  },
};

/** A dimension, or the first few, of an operand is 1 or left out. */
function broadcastShape(graph: Int8Graph, shape: readonly number[]): number[] {
  const { random } = graph;
  const style = random.int(0, 4);
  if (style === 0) return [];
  if (style === 1) return [shape.at(-1)!];
  if (style === 2) return [...shape.slice(0, -1).map(() => 1), shape.at(-1)!];
  if (style === 3) return shape.map((size) => (random.int(0, 1) === 0 ? 1 : size));
  return [...shape];
}

/** The other operand: a wire of the same shape, the wire itself, or a constant that is broadcast. */
function partner(graph: Int8Graph, wire: Wire): Wire {
  const { random } = graph;
  const alike = graph.wires.filter(({ shape }) => shape.join() === wire.shape.join());
  if (random.int(0, 2) > 0) return random.pick(alike);
  const shape = wire.shape.length > 4 ? [...wire.shape] : broadcastShape(graph, wire.shape);
  const values = graph.random.int8s(elements(shape));
  const affine = graph.affine();
  if (random.int(0, 3) === 0) values.fill(affine.zeroPoint);
  return graph.constant(shape, affine, values);
}

const binary = (name: 'ADD' | 'SUB' | 'MUL'): Step => ({
  takes: () => true,
  make: (graph, wire) => {
    const other = partner(graph, wire);
    const isSwapped = graph.random.int(0, 1) === 0;
    const spread = name === 'MUL' ? wire.scale * other.scale * 60 : wire.scale + other.scale;
    const affine = { ...graph.affine(), scale: (spread * graph.random.int(5, 20)) / 15 };
    const options = { fusedActivationFunction: graph.random.int(0, 3) };
    const operands = isSwapped ? [other, wire] : [wire, other];
    return graph.operator(name, operands, wire.shape, affine, options);
  },
});

/** Functions of one value; now and then such as change nothing, or only clamp. */
const lookup: Step = {
  takes: () => true,
  make: (graph, wire) => {
    const { random } = graph;
    const name = random.pick(['RELU', 'RELU', 'RELU6', 'LOGISTIC', 'TANH', 'QUANTIZE']);
    const own = random.int(0, 1) === 0 ? wire : graph.affine();
    const outputs: Readonly<Record<string, Affine>> = {
      RELU6: wire,
      LOGISTIC: { scale: 1 / 256, zeroPoint: -128 },
      TANH: { scale: 1 / 128, zeroPoint: 0 },
    };
    return graph.operator(name, [wire], wire.shape, outputs[name] ?? own);
  },
};

const softmax: Step = {
  takes: ({ shape }) => shape.length >= 1 && shape.length <= 4 && shape.at(-1)! < 512,
  make: (graph, wire) =>
    graph.operator(
      'SOFTMAX',
      [wire],
      wire.shape,
      { scale: 1 / 256, zeroPoint: -128 },
      {
        beta: graph.random.pick([1, 1, 0.5, 3]),
      },
    ),
};

const mean: Step = {
  takes: ({ shape }) => shape.length >= 2 && shape.length <= 4,
  make: (graph, wire) => {
    const { random } = graph;
    const rank = wire.shape.length;
    const first = random.int(0, rank - 1);
    const isImageMean = rank === 4 && random.int(0, 1) === 0;
    const last = random.int(first, rank - 1);
    const axes = isImageMean
      ? [1, 2]
      : Array.from({ length: last - first + 1 }, (_, index) => first + index);
    const keepDims = random.int(0, 1) === 0 || axes.length === rank;
    const shape = keepDims
      ? wire.shape.map((size, axis) => (axes.includes(axis) ? 1 : size))
      : wire.shape.filter((_, axis) => !axes.includes(axis));
    const control = axes.map((axis) => (random.int(0, 1) === 0 ? axis : axis - rank));
    const affine = random.int(0, 1) === 0 ? wire : { ...graph.affine(), scale: wire.scale / 2 };
    return graph.operator('MEAN', [wire, graph.control(...control)], shape, affine, { keepDims });
  },
};

const pad: Step = {
  takes: ({ shape }) =>
    shape.length >= 1 && shape.length <= 4 && elements(shape) < MAX_ELEMENTS / 8,
  make: (graph, wire) => {
    const { random } = graph;
    const isSpatial = random.int(0, 2) > 0 && isImage(wire);
    const amounts = wire.shape.flatMap((_, axis) =>
      isSpatial && (axis === 0 || axis === 3) ? [0, 0] : [random.int(0, 2), random.int(0, 1)],
    );
    const shape = wire.shape.map(
      (size, axis) => size + amounts[2 * axis]! + amounts[2 * axis + 1]!,
    );
    const paddings = graph.matrix([wire.shape.length, 2], amounts);
    return graph.operator('PAD', [wire, paddings], shape, wire);
  },
};

const concatenate: Step = {
  takes: ({ shape }) =>
    shape.length >= 1 && shape.length <= 4 && elements(shape) < MAX_ELEMENTS / 4,
  make: (graph, wire) => {
    const { random } = graph;
    const axis = random.int(0, wire.shape.length - 1);
    const fits = ({ shape }: Wire): boolean =>
      shape.length === wire.shape.length &&
      shape.every((size, index) => index === axis || size === wire.shape[index]);
    const others = graph.wires.filter((other) => fits(other) && elements(other.shape) < 800);
    const parts = [wire];
    for (let count = random.int(0, 2); count > 0; count--) {
      const kind = random.int(0, 2);
      const other = random.pick(others);
      const shape = wire.shape.with(axis, random.int(1, 3));
      if (kind === 0) parts.push(wire);
      else if (kind === 1) parts.push(graph.constant(shape, wire, random.int8s(elements(shape))));
      else parts.push(graph.operator('QUANTIZE', [other], other.shape, wire));
    }
    const size = parts.reduce((sum, { shape }) => sum + shape[axis]!, 0);
    const own = random.int(0, 1) === 0 ? axis : axis - wire.shape.length;
    return graph.operator('CONCATENATION', parts, wire.shape.with(axis, size), wire, { axis: own });
  },
};

const slice: Step = {
  takes: ({ shape }) => shape.length >= 2 && shape.length <= 4,
  make: (graph, wire) => {
    const { random } = graph;
    const rank = wire.shape.length;
    const begins = wire.shape.map((size) => random.int(0, Math.floor((size - 1) / 2)));
    const ends = wire.shape.map((size, axis) => random.int(begins[axis]! + 1, size));
    const counts = wire.shape.map((size) => random.int(1, Math.min(size, random.pick([1, 1, 3]))));
    const shape = ends.map((end, axis) => Math.ceil((end - begins[axis]!) / counts[axis]!));
    const isShrunk = random.int(0, 2) === 0;
    const dropped = isShrunk ? random.int(0, rank - 1) : -1;
    if (isShrunk) counts[dropped] = 1;
    const controls = [begins, ends, counts].map((values) => graph.control(...values));
    const own = shape.filter((_, axis) => axis !== dropped);
    const shrinkAxisMask = isShrunk ? 2 ** dropped : 0;
    return graph.operator('STRIDED_SLICE', [wire, ...controls], own, wire, { shrinkAxisMask });
  },
};

/** A shape of as many elements: flattened, or with dimensions split, joined or exchanged. */
function otherShape(graph: Int8Graph, shape: readonly number[]): number[] {
  const { random } = graph;
  const total = elements(shape);
  const divisors = (value: number): number[] =>
    Array.from({ length: value }, (_, index) => index + 1).filter((one) => value % one === 0);
  const style = random.int(0, 2);
  if (style === 0) return [1, total];
  if (style === 1) return [...shape].reverse();
  const first = random.pick(divisors(total));
  const second = random.pick(divisors(total / first));
  return [1, first, second, total / first / second];
}

const reshape: Step = {
  takes: () => true,
  make: (graph, wire) => {
    const { random } = graph;
    const kind = random.int(0, 5);
    if (kind === 0 && wire.shape.length < 4) {
      const axis = random.int(0, wire.shape.length);
      const shape = wire.shape.toSpliced(axis, 0, 1);
      return graph.operator('EXPAND_DIMS', [wire, graph.control(axis)], shape, wire);
    }
    if (kind === 1 && wire.shape.includes(1) && elements(wire.shape) > 1) {
      const shape = wire.shape.filter((size) => size !== 1);
      return graph.operator('SQUEEZE', [wire], shape, wire);
    }
    const shape = otherShape(graph, wire.shape);
    return graph.operator('RESHAPE', [wire, graph.control(...shape)], shape, wire);
  },
};

/** Convolutions more often than the rest. */
export const RANDOM_STEPS: readonly Step[] = [
  ...[conv, conv, conv, conv, depthwise, depthwise, fullyConnected, fullyConnected],
  ...[pool('AVERAGE_POOL_2D'), pool('MAX_POOL_2D'), binary('ADD'), binary('ADD'), binary('SUB')],
  ...[binary('MUL'), lookup, lookup, softmax, mean, pad, pad, concatenate, slice, reshape, reshape],
];
