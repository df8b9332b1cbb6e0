import { MAX_WINDOW } from '../limits.ts';
import type { TfliteTensor } from '../model.ts';
import type { OperatorView, Rule } from './operator-view.ts';
import {
  isInteger8,
  requireActivation,
  requireSameQuantization,
  requireWeightedQuantization,
} from './quantization.ts';

const SAME = 0;

/** Stride, window and dilation along one dimension. */
interface Window {
  readonly size: number;
  readonly stride: number;
  readonly dilation: number;
}

/** tensorflow/lite/kernels/padding.h, ComputeOutSize. */
function outSize(view: OperatorView, imageSize: number, window: Window): number {
  const effective = (window.size - 1) * window.dilation + 1;
  view.require(
    effective >= 1 && effective <= MAX_WINDOW,
    `a window of ${effective}; 1 to ${MAX_WINDOW} are taken`,
  );
  const padding = view.bounded('padding', 0, 1);
  return padding === SAME
    ? Math.ceil(imageSize / window.stride)
    : Math.floor((imageSize + window.stride - effective) / window.stride);
}

function windows(view: OperatorView, height: number, width: number, dilated: boolean) {
  const stride = (name: string): number => view.bounded(name, 1, MAX_WINDOW);
  const dilation = (name: string): number => (dilated ? view.bounded(name, 1, MAX_WINDOW) : 1);
  return {
    height: { size: height, stride: stride('strideH'), dilation: dilation('dilationHFactor') },
    width: { size: width, stride: stride('strideW'), dilation: dilation('dilationWFactor') },
  };
}

/** A bias is one number for each channel. */
export function requireBiasShape(
  view: OperatorView,
  bias: TfliteTensor | undefined,
  channels: number,
): void {
  if (bias === undefined) return;
  view.require(
    bias.shape.length === 1 && bias.shape[0] === channels,
    `a bias of shape [${bias.shape}] for ${channels} channels`,
  );
}

/** kernels/conv.cc: input NHWC, filter [out, h, w, in], bias [out]. Grouped ones have no int8 path. */
export const conv2d: Rule = (view) => {
  const input = view.input(0);
  const filter = view.input(1);
  view.requireRank(input, 4);
  view.requireRank(filter, 4);
  const [batch, imageHeight, imageWidth, depth] = input.shape as [number, number, number, number];
  const [channels, height, width, filterDepth] = filter.shape as [number, number, number, number];
  if (filterDepth !== depth) {
    if (depth % filterDepth === 0) view.unsupported('a grouped convolution');
    view.fail(`a filter of depth ${filterDepth} over ${depth} channels`);
  }
  requireActivation(view);
  const bias = view.input(2);
  requireBiasShape(view, bias, channels);
  requireWeightedQuantization(view, {
    input,
    weights: filter,
    bias,
    channelAxis: 0,
    channels,
    perChannel: true,
  });
  const size = windows(view, height, width, true);
  return [
    [
      batch,
      outSize(view, imageHeight, size.height),
      outSize(view, imageWidth, size.width),
      channels,
    ],
  ];
};

/** kernels/depthwise_conv.cc: filter [1, h, w, in x multiplier]. */
export const depthwiseConv2d: Rule = (view) => {
  const input = view.input(0);
  const filter = view.input(1);
  view.requireRank(input, 4);
  view.requireRank(filter, 4);
  const [batch, imageHeight, imageWidth, depth] = input.shape as [number, number, number, number];
  const [first, height, width, channels] = filter.shape as [number, number, number, number];
  view.require(first === 1, `a depthwise filter whose first dimension is ${first}, not 1`);
  const { scale = [], axis = 0 } = filter.quantization ?? {};
  if (isInteger8(filter) && !isInteger8(input) && scale.length !== filter.shape[axis]) {
    view.fail(
      `float over ${scale.length} weight scales along dimension ${axis} of [${filter.shape}]`,
    );
  }
  const multiplier = view.number('depthMultiplier');
  view.require(
    channels === depth * multiplier,
    `${channels} filters for ${depth} channels at depth multiplier ${multiplier}`,
  );
  requireActivation(view);
  const bias = view.input(2);
  requireBiasShape(view, bias, channels);
  requireWeightedQuantization(view, {
    input,
    weights: filter,
    bias,
    channelAxis: 3,
    channels,
    perChannel: true,
  });
  const size = windows(view, height, width, true);
  return [
    [
      batch,
      outSize(view, imageHeight, size.height),
      outSize(view, imageWidth, size.width),
      channels,
    ],
  ];
};

/** kernels/pooling.cc. The output keeps the input's quantization. */
export const pool2d: Rule = (view) => {
  const input = view.input(0);
  view.requireRank(input, 4);
  const [batch, imageHeight, imageWidth, depth] = input.shape as [number, number, number, number];
  requireActivation(view);
  requireSameQuantization(view, input, view.output);
  const size = windows(view, view.number('filterHeight'), view.number('filterWidth'), false);
  return [
    [batch, outSize(view, imageHeight, size.height), outSize(view, imageWidth, size.width), depth],
  ];
};

/** kernels/transpose_conv.cc: output shape, weights [out, h, w, in], input NHWC, bias. */
export const transposeConv: Rule = (view) => {
  const shape = view.constants(0);
  const weights = view.input(1);
  const input = view.input(2);
  view.require(shape.length === 4, `an output shape of ${shape.length} numbers, not 4`);
  view.requireRank(input, 4);
  view.requireRank(weights, 4);
  const [batch, imageHeight, imageWidth, depth] = input.shape as [number, number, number, number];
  const [channels, height, width, weightDepth] = weights.shape as [number, number, number, number];
  view.require(weightDepth === depth, `weights of depth ${weightDepth} over ${depth} channels`);
  if (view.number('fusedActivationFunction') !== 0) view.unsupported('a fused activation');
  const bias = view.optional(3);
  requireBiasShape(view, bias, channels);
  requireWeightedQuantization(view, {
    input,
    weights,
    bias,
    channelAxis: 0,
    channels,
    perChannel: true,
  });
  const size = windows(view, height, width, false);
  const back = [outSize(view, shape[1]!, size.height), outSize(view, shape[2]!, size.width)];
  view.require(
    shape[0] === batch &&
      shape[3] === channels &&
      back[0] === imageHeight &&
      back[1] === imageWidth,
    `an output shape of [${shape}] does not come from input [${input.shape}]`,
  );
  return [shape];
};
