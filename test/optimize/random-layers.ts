import { countOf, type RandomGraph, type Step, type Wire } from './random-graph.ts';
import type { RandomValues } from './random-values.ts';

/** Values of a graph are kept near 1, as normalization keeps those of real networks. */
const WEIGHT_GAIN = 1.2;
const SAME = 0;
const VALID = 1;

function windowed(graph: RandomGraph, size: number, kernel: number) {
  const { random } = graph;
  const padding = random.pick([SAME, VALID]);
  const stride = random.whole(1, Math.min(2, kernel));
  const dilation = stride === 1 && (kernel - 1) * 2 + 1 <= size ? random.whole(1, 2) : 1;
  const reach = (kernel - 1) * dilation + 1;
  const to = (from: number): number =>
    padding === SAME ? Math.ceil(from / stride) : Math.floor((from - reach) / stride) + 1;
  return { padding, stride, dilation, to };
}

export function activationOption(random: RandomValues): number {
  return random.pick([0, 0, 1, 3]);
}

export function convolution(graph: RandomGraph, wire: Wire): Wire[] {
  const { random } = graph;
  const [, height, width, depth] = wire.shape as [number, number, number, number];
  const kernel = random.whole(1, Math.min(3, height, width));
  const { padding, stride, dilation, to } = windowed(graph, Math.min(height, width), kernel);
  const channels = random.whole(1, 8);
  const deviation = WEIGHT_GAIN / Math.sqrt(kernel * kernel * depth);
  const weights = graph.constant([channels, kernel, kernel, depth], deviation);
  const bias = graph.constant([channels], 0.3);
  const shape = [1, to(height), to(width), channels];
  const options = {
    ...{ padding, strideW: stride, strideH: stride },
    ...{ dilationWFactor: dilation, dilationHFactor: dilation },
    fusedActivationFunction: activationOption(random),
  };
  return [graph.operator('CONV_2D', [wire], [wire.index, weights, bias], shape, options)];
}

export function depthwise(graph: RandomGraph, wire: Wire): Wire[] {
  const { random } = graph;
  const [, height, width, depth] = wire.shape as [number, number, number, number];
  const kernel = random.whole(1, Math.min(3, height, width));
  const { padding, stride, dilation, to } = windowed(graph, Math.min(height, width), kernel);
  const depthMultiplier = random.whole(1, 2);
  const channels = depth * depthMultiplier;
  const weights = graph.constant([1, kernel, kernel, channels], WEIGHT_GAIN / kernel);
  const bias = graph.constant([channels], 0.3);
  const shape = [1, to(height), to(width), channels];
  const options = {
    ...{ padding, strideW: stride, strideH: stride, depthMultiplier },
    ...{ dilationWFactor: dilation, dilationHFactor: dilation },
    fusedActivationFunction: activationOption(random),
  };
  return [graph.operator('DEPTHWISE_CONV_2D', [wire], [wire.index, weights, bias], shape, options)];
}

export function transposedConvolution(graph: RandomGraph, wire: Wire): Wire[] {
  const { random } = graph;
  const [, height, width, depth] = wire.shape as [number, number, number, number];
  const [kernel, stride] = [random.whole(2, 3), random.whole(1, 2)];
  const padding = random.pick([SAME, VALID]);
  const from = (size: number): number =>
    padding === SAME ? size * stride : (size - 1) * stride + kernel;
  const channels = random.whole(1, 4);
  const shape = [1, from(height), from(width), channels];
  const weights = graph.constant([channels, kernel, kernel, depth], 0.6 / Math.sqrt(depth));
  const bias = graph.constant([channels], 0.2);
  const inputs = [graph.control([4], shape), weights, wire.index, bias];
  const options = { padding, strideW: stride, strideH: stride };
  return [graph.operator('TRANSPOSE_CONV', [wire], inputs, shape, options)];
}

export function dense(graph: RandomGraph, wire: Wire): Wire[] {
  const { random } = graph;
  const depth = wire.shape.at(-1)!;
  const units = random.whole(2, 12);
  const weights = graph.constant([units, depth], WEIGHT_GAIN / Math.sqrt(depth));
  const bias = random.chance(0.7) ? graph.constant([units], 0.3) : -1;
  const keepNumDims = random.chance(0.5);
  const rows = [countOf(wire.shape) / depth, units];
  const shape = keepNumDims ? [...wire.shape.slice(0, -1), units] : rows;
  const options = { keepNumDims, fusedActivationFunction: activationOption(random) };
  return [graph.operator('FULLY_CONNECTED', [wire], [wire.index, weights, bias], shape, options)];
}

export function pool(builtin: string): Step['make'] {
  return (graph, wire) => {
    const [, height, width, depth] = wire.shape as [number, number, number, number];
    const kernel = graph.random.whole(1, Math.min(3, height, width));
    const stride = graph.random.whole(1, Math.min(2, kernel));
    const padding = graph.random.pick([SAME, VALID]);
    const to = (from: number): number =>
      padding === SAME ? Math.ceil(from / stride) : Math.floor((from - kernel) / stride) + 1;
    const options = {
      ...{ padding, strideW: stride, strideH: stride, filterWidth: kernel, filterHeight: kernel },
      fusedActivationFunction: activationOption(graph.random),
    };
    const shape = [1, to(height), to(width), depth];
    return [graph.operator(builtin, [wire], [wire.index], shape, options)];
  };
}
