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
   * A pair: built into the kernel.
   */
  readonly output: 'free' | 'same' | Affine;
  /** Options for which TFLite has no int8 kernel, and why. */
  readonly refuses?: (options: Readonly<Record<string, unknown>>) => string | undefined;
}

export interface WeightScheme {
  readonly position: number;
  readonly biasPosition: number;
  /** Dimension of output channels. */
  readonly channelAxis: number;
  /** A scale for each output channel; else one for all (what the runtime reads of FULLY_CONNECTED). */
  readonly perChannel: boolean;
}

/** SOFTMAX and LOGISTIC: 256 steps from 0 to 1. */
export const UNIT_OUTPUT: Affine = { scale: 1 / 256, zeroPoint: -128 };
/** TANH: 256 steps from -1 to 1. */
export const SIGNED_UNIT_OUTPUT: Affine = { scale: 1 / 128, zeroPoint: 0 };

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
    weights: { position: 1, biasPosition: 3, channelAxis: 0, perChannel: true },
    output: 'free',
  },
  ADD: both,
  SUB: both,
  MUL: both,
  MEAN: first,
  RELU: first,
  RELU6: first,
  LEAKY_RELU: first,
  HARD_SWISH: first,
  LOGISTIC: { activations: [0], output: UNIT_OUTPUT },
  SOFTMAX: { activations: [0], output: UNIT_OUTPUT },
  TANH: { activations: [0], output: SIGNED_UNIT_OUTPUT },
  AVERAGE_POOL_2D: moved,
  MAX_POOL_2D: moved,
  RESHAPE: moved,
  PAD: moved,
  STRIDED_SLICE: moved,
  RESIZE_BILINEAR: moved,
  RESIZE_NEAREST_NEIGHBOR: moved,
  SPLIT: { activations: [1], output: 'same' },
  CONCATENATION: { activations: 'all', output: 'same' },
};

/** Undefined for an operator that stays in float. */
export function int8Scheme(builtin: string): Int8Scheme | undefined {
  return SCHEMES[builtin];
}
