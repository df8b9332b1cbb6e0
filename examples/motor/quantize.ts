/**
 * The plain int8 scheme of TensorFlow Lite: real = scale * (q - zeroPoint), activations by the least and
 * greatest value seen, weights symmetric (a zero point of 0 and no -128).
 * B. Jacob et al., "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only
 * Inference", CVPR 2018, and the "TensorFlow Lite 8-bit quantization specification".
 */
import type { Network } from './network.ts';
import { WINDOW_VALUES } from './simulate.ts';

export interface Range {
  readonly low: number;
  readonly high: number;
}

export interface Affine {
  readonly scale: number;
  readonly zeroPoint: number;
}

export interface QuantizedWeights {
  readonly values: Int8Array;
  /** One for each channel, or one for all. */
  readonly scales: readonly number[];
  readonly bias: Int32Array;
  readonly biasScales: readonly number[];
}

const INT8 = { low: -128, high: 127 } as const;
/** Room for the sum of products beside the bias. */
const MAX_BIAS = 2 ** 29;
/** The runtime takes a scale of zero without a word; times an input's scale this is still a normal float32. */
const MIN_WEIGHT_SCALE = 2 ** -60;

/** Least and greatest value of every activation over [count, 256, 3] windows; zero is always inside. */
export function observeRanges(network: Network, windows: Float32Array): Range[] {
  const ranges = network.activations.map(() => ({ low: 0, high: 0 }));
  for (let start = 0; start < windows.length; start += WINDOW_VALUES) {
    network.forward(windows.subarray(start, start + WINDOW_VALUES));
    network.activations.forEach((activation, i) => {
      const range = ranges[i]!;
      for (const value of activation) {
        range.low = Math.min(range.low, value);
        range.high = Math.max(range.high, value);
      }
    });
  }
  return ranges;
}

export function affineOf({ low, high }: Range): Affine {
  const scale = Math.fround((high - low) / (INT8.high - INT8.low));
  if (!(scale > 0)) throw new RangeError(`an activation is always ${low}: nothing to quantize`);
  return { scale, zeroPoint: clampInt8(Math.round(INT8.low - low / scale)) };
}

export function quantizeValues(values: Float32Array, { scale, zeroPoint }: Affine): Int8Array {
  return Int8Array.from(values, (value) => clampInt8(Math.round(value / scale) + zeroPoint));
}

function clampInt8(value: number): number {
  return Math.max(INT8.low, Math.min(INT8.high, value));
}

export interface WeightsToQuantize {
  readonly values: Float32Array;
  readonly bias: Float32Array;
  readonly inputScale: number;
  /** Output channel of the weight at an index. */
  readonly channelOf: (index: number) => number;
  /** A fully connected layer has one scale: the runtime ignores all but the first. */
  readonly isPerChannel: boolean;
}

export function quantizeWeights(layer: WeightsToQuantize): QuantizedWeights {
  const { values, bias, inputScale, channelOf, isPerChannel } = layer;
  const largest = new Float64Array(bias.length);
  values.forEach((value, i) => {
    const channel = channelOf(i);
    largest[channel] = Math.max(largest[channel]!, Math.abs(value));
  });
  // A channel that is pruned to nothing still needs a scale above zero, in which its bias fits.
  const needed = Array.from(largest, (magnitude, channel) =>
    Math.max(
      magnitude / INT8.high,
      Math.abs(bias[channel]!) / (inputScale * MAX_BIAS),
      MIN_WEIGHT_SCALE,
    ),
  );
  const greatest = Math.max(...needed);
  const scaleOf = (channel: number): number =>
    Math.fround(isPerChannel ? needed[channel]! : greatest);
  const scales = isPerChannel ? needed.map((_, channel) => scaleOf(channel)) : [scaleOf(0)];
  const biasScaleOf = (channel: number): number => Math.fround(inputScale * scaleOf(channel));
  return {
    values: Int8Array.from(values, (value, i) => {
      const q = Math.round(value / scaleOf(channelOf(i)));
      return Math.max(-INT8.high, Math.min(INT8.high, q));
    }),
    scales,
    bias: Int32Array.from(bias, (value, channel) => Math.round(value / biasScaleOf(channel))),
    biasScales: isPerChannel ? scales.map((_, channel) => biasScaleOf(channel)) : [biasScaleOf(0)],
  };
}
