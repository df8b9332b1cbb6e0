import { fullyConnectedMultiplier } from '../../reference/kernels/fully-connected.ts';
import type { Node } from '../../reference/node.ts';
import { channelMultipliers, fusedRange } from '../../reference/parameters.ts';
import { slide } from '../../reference/window.ts';
import type { Geometry, PoolKind, PoolOperation, WeightedOperation } from '../program.ts';
import { common, type Lower } from './lowering.ts';

type Pair = readonly [number, number];

const noDilation: Pair = [1, 1];

/** Where windows of an NHWC operator lie; paddings as the kernels work them out. */
function geometryOf(node: Node, kernel: Pair, dilation: Pair): Geometry {
  const [batches, inH, inW, inC] = node.input(0).shape as [number, number, number, number];
  const [, outH, outW, outC] = node.output().shape as [number, number, number, number];
  const [strideH, strideW] = [node.number('strideH'), node.number('strideW')];
  const along = (imageSize: number, outputSize: number, axis: 0 | 1, stride: number): number =>
    slide({ imageSize, outputSize, size: kernel[axis], stride, dilation: dilation[axis] }).padding;
  return {
    batches,
    ...{ inH, inW, inC, outH, outW, outC },
    ...{ kernelH: kernel[0], kernelW: kernel[1], strideH, strideW },
    ...{ dilationH: dilation[0], dilationW: dilation[1] },
    padTop: along(inH, outH, 0, strideH),
    padLeft: along(inW, outW, 1, strideW),
  };
}

const dilationOf = (node: Node): Pair => [
  node.number('dilationHFactor'),
  node.number('dilationWFactor'),
];

/** Weights of a depthwise convolution lie [h, w, channels]; a plan has each channel's together. */
function channelsFirst(values: Int8Array, taps: number, channels: number): Int8Array {
  const rows = new Int8Array(values.length);
  for (let channel = 0; channel < channels; channel++) {
    for (let tap = 0; tap < taps; tap++) {
      rows[channel * taps + tap] = values[tap * channels + channel]!;
    }
  }
  return rows;
}

function weighted(
  node: Node,
  kind: WeightedOperation['kind'],
  geometry: Geometry,
  rows: Int8Array,
  factors: { readonly values: Int32Array; readonly shifts: Int32Array },
): WeightedOperation {
  if (rows.length === 0) node.unsupported('weights that are not constant:');
  return {
    kind,
    ...common(node),
    ...geometry,
    ...fusedRange(node, node.output()),
    weights: rows,
    bias: node.bias(2, geometry.outC),
    multipliers: factors.values,
    shifts: Int8Array.from(factors.shifts),
  };
}

export const conv2d: Lower = (node) => {
  const { shape, values, scales } = node.weights(1);
  const [channels, height, width] = shape as [number, number, number, number];
  const geometry = geometryOf(node, [height, width], dilationOf(node));
  const factors = channelMultipliers(node.input(0), scales, node.output(), channels);
  return [weighted(node, 'CONV_2D', geometry, values, factors)];
};

export const depthwiseConv2d: Lower = (node) => {
  const { shape, values, scales } = node.weights(1);
  const [, height, width, channels] = shape as [number, number, number, number];
  const geometry = geometryOf(node, [height, width], dilationOf(node));
  const factors = channelMultipliers(node.input(0), scales, node.output(), channels);
  const rows = channelsFirst(values, height * width, channels);
  return [weighted(node, 'DEPTHWISE_CONV_2D', geometry, rows, factors)];
};

export const fullyConnected: Lower = (node) => {
  const { shape, values, scales } = node.weights(1);
  const [outC, inC] = shape as [number, number];
  const elements = node.input(0).shape.reduce((product, size) => product * size, 1);
  const one = { inH: 1, inW: 1, outH: 1, outW: 1, kernelH: 1, kernelW: 1, strideH: 1, strideW: 1 };
  const rest = { dilationH: 1, dilationW: 1, padTop: 0, padLeft: 0 };
  const geometry = { batches: elements / inC, inC, outC, ...one, ...rest };
  const factor = fullyConnectedMultiplier(node.input(0), scales[0]!, node.output());
  const factors = {
    values: Int32Array.of(factor.value),
    shifts: Int32Array.of(factor.shift),
  };
  return [weighted(node, 'FULLY_CONNECTED', geometry, values, factors)];
};

const pool =
  (kind: PoolKind): Lower =>
  (node): PoolOperation[] => {
    const kernel: Pair = [node.number('filterHeight'), node.number('filterWidth')];
    const geometry = geometryOf(node, kernel, noDilation);
    return [{ kind, ...common(node), ...geometry, ...fusedRange(node, node.output()) }];
  };

export const averagePool2d = pool('AVERAGE_POOL_2D');
export const maxPool2d = pool('MAX_POOL_2D');
