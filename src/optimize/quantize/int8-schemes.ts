import type { Affine } from './affine.ts';

/**
 * How operators compute in int8: the TensorFlow Lite 8-bit quantization specification
 * (ai.google.dev/edge/litert/models/quantization_spec) and what the kernels of TFLite 2.9.0 insist on.
 */
export interface Int8Scheme {
  /** Positions of the inputs that are activations; `all` where their number varies. */
  readonly activations: readonly number[] | 'all';
  readonly weights?: WeightScheme;
  /**
   * `free`: any parameters. `same`: the inputs' own, because the kernel moves values and does not rescale.
   * `index`: integers that are no quantized reals. A pair: built into the kernel.
   */
  readonly output: 'free' | 'same' | 'index' | Affine;
}

export interface WeightScheme {
  readonly position: number;
  readonly biasPosition: number;
  /** Dimension of output channels. */
  readonly channelAxis: number;
  /** A scale for each output channel; else one for all (what the runtime reads of FULLY_CONNECTED). */
  readonly perChannel: boolean;
  /** First version of the operator with int8 weights and a bias, where that is not the first with int8. */
  readonly version?: number;
}

/** SOFTMAX and LOGISTIC: 256 steps from 0 to 1. */
export const UNIT_OUTPUT: Affine = { scale: 1 / 256, zeroPoint: -128 };
/** TANH: 256 steps from -1 to 1. */
export const SIGNED_UNIT_OUTPUT: Affine = { scale: 1 / 128, zeroPoint: 0 };
/** LOG_SOFTMAX: 256 steps from -16 to 0. */
const LOG_OUTPUT: Affine = { scale: 1 / 16, zeroPoint: 127 };

const convolution = (channelAxis: number): Int8Scheme => ({
  activations: [0],
  weights: { position: 1, biasPosition: 2, channelAxis, perChannel: true },
  output: 'free',
});
const first: Int8Scheme = { activations: [0], output: 'free' };
const both: Int8Scheme = { activations: [0, 1], output: 'free' };
const moved: Int8Scheme = { activations: [0], output: 'same' };

const SCHEMES: Readonly<Record<string, Int8Scheme>> = {
  CONV_2D: convolution(0),
  DEPTHWISE_CONV_2D: convolution(3),
  FULLY_CONNECTED: {
    activations: [0],
    weights: { position: 1, biasPosition: 2, channelAxis: 0, perChannel: false },
    output: 'free',
  },
  TRANSPOSE_CONV: {
    activations: [2],
    weights: { position: 1, biasPosition: 3, channelAxis: 0, perChannel: true, version: 3 },
    output: 'free',
  },
  ADD: both,
  SUB: both,
  MUL: both,
  PRELU: both,
  BATCH_MATMUL: both,
  MEAN: first,
  RELU: first,
  RELU6: first,
  LEAKY_RELU: first,
  HARD_SWISH: first,
  ELU: first,
  GELU: first,
  ABS: first,
  LOGISTIC: { activations: [0], output: UNIT_OUTPUT },
  SOFTMAX: { activations: [0], output: UNIT_OUTPUT },
  TANH: { activations: [0], output: SIGNED_UNIT_OUTPUT },
  L2_NORMALIZATION: { activations: [0], output: SIGNED_UNIT_OUTPUT },
  LOG_SOFTMAX: { activations: [0], output: LOG_OUTPUT },
  ARG_MAX: { activations: [0], output: 'index' },
  AVERAGE_POOL_2D: moved,
  MAX_POOL_2D: moved,
  RESHAPE: moved,
  SQUEEZE: moved,
  EXPAND_DIMS: moved,
  TRANSPOSE: moved,
  PAD: moved,
  MIRROR_PAD: moved,
  PADV2: { activations: [0, 2], output: 'same' },
  SLICE: moved,
  STRIDED_SLICE: moved,
  GATHER: moved,
  UNPACK: moved,
  SPLIT: { activations: [1], output: 'same' },
  SPLIT_V: moved,
  TILE: moved,
  REVERSE_V2: moved,
  SPACE_TO_DEPTH: moved,
  DEPTH_TO_SPACE: moved,
  SPACE_TO_BATCH_ND: moved,
  BATCH_TO_SPACE_ND: moved,
  RESIZE_BILINEAR: moved,
  RESIZE_NEAREST_NEIGHBOR: moved,
  REDUCE_MAX: moved,
  REDUCE_MIN: moved,
  CONCATENATION: { activations: 'all', output: 'same' },
  PACK: { activations: 'all', output: 'same' },
  MAXIMUM: { activations: [0, 1], output: 'same' },
  MINIMUM: { activations: [0, 1], output: 'same' },
};

/** Undefined for an operator that stays in float. */
export function int8Scheme(builtin: string): Int8Scheme | undefined {
  return SCHEMES[builtin];
}

/** All that int8 knows. */
export function int8Operators(): string[] {
  return Object.keys(SCHEMES);
}
