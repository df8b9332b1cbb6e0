import type { Quantization } from '../../tflite/index.ts';
import { LEAST_SCALE, nearestShortScale, WEIGHT_HIGH } from './affine.ts';

/** Scales are tried from the one that holds the largest weight down to this share of it. */
const LEAST_SHARE = 0.5;
const SHARE_STEP = 0.0125;
/** Below it a channel of float activations ends in float32's own least numbers. */
const LEAST_HYBRID_SCALE = 2 ** -120;
/** Room in int32 for the sum of products beside the bias. */
export const MOST_BIAS = 2 ** 29;
/** The verifier's least multiplier is 2^-40; a channel of very small weights stays above it. */
const LEAST_MULTIPLIER = 2 ** -38;

/** Float weights of one operator. */
export interface WeightTensor {
  readonly values: Float32Array;
  readonly shape: readonly number[];
  readonly channelAxis: number;
}

export interface WeightPlan extends WeightTensor {
  readonly perChannel: boolean;
  /** Steps to each side of zero: fewer than int8 has where weights were trained on fewer. */
  readonly high?: number;
  /** Mean square of the input that each weight is multiplied with; absent: all weights count the same. */
  readonly importance?: (index: number) => number;
  /** Where activations are int8 too: the bias of each output channel and the scales around the layer. */
  readonly activations?: {
    readonly bias: Float64Array;
    readonly scales: { readonly input: number; readonly output: number };
  };
}

export interface QuantizedWeights {
  readonly values: Int8Array;
  readonly quantization: Quantization;
  /** Channels whose weights are all zero. */
  readonly deadChannels: number[];
}

/** Output channel of the weight at an index. */
export function channelLookup({
  shape,
  channelAxis,
}: Omit<WeightTensor, 'values'>): (index: number) => number {
  const channels = shape[channelAxis]!;
  const inner = shape.slice(channelAxis + 1).reduce((product, size) => product * size, 1);
  return (index) => Math.floor(index / inner) % channels;
}

/**
 * Weights as int8, symmetric, with the scales of least squared error. What counts is the error of the products, so
 * each weight's error is weighed with the mean square of what it is multiplied with.
 */
export function quantizeWeights(plan: WeightPlan): QuantizedWeights {
  const { values, shape, channelAxis, perChannel, high = WEIGHT_HIGH } = plan;
  const channels = shape[channelAxis]!;
  const channelOf = channelLookup(plan);
  const members = membersOf(
    values.length,
    perChannel ? channels : 1,
    perChannel ? channelOf : () => 0,
  );
  const chosen = members.map((indices) => leastErrorScale(plan, indices));
  const typical = chosen.reduce((most, scale) => Math.max(most, scale), 0) || LEAST_SCALE;
  const least = leastScales(plan, channels);
  const scales = chosen.map((scale, group) => {
    const own = scale === 0 ? typical : scale;
    const floor = perChannel ? least[group]! : Math.max(...least);
    return Math.fround(Math.max(own, floor));
  });
  const quantized = Int8Array.from(values, (value, index) =>
    roundWeight(value, scales[perChannel ? channelOf(index) : 0]!, high),
  );
  const alive = new Set<number>();
  for (const [index, value] of values.entries()) if (value !== 0) alive.add(channelOf(index));
  return {
    values: quantized,
    quantization: {
      scale: scales,
      zeroPoint: scales.map(() => 0),
      axis: perChannel ? channelAxis : 0,
    },
    deadChannels: Array.from({ length: channels }, (_, channel) => channel).filter(
      (channel) => !alive.has(channel),
    ),
  };
}

export function roundWeight(value: number, scale: number, high = WEIGHT_HIGH): number {
  return Math.max(-high, Math.min(high, Math.round(value / scale)));
}

/** The scale at which the largest of some weights is the last step. */
export function fullScale(largest: number, high = WEIGHT_HIGH): number {
  return nearestShortScale(largest / high);
}

function membersOf(
  length: number,
  groups: number,
  groupOf: (index: number) => number,
): Int32Array[] {
  const counts = new Int32Array(groups);
  for (let index = 0; index < length; index++) counts[groupOf(index)]!++;
  const members = Array.from(counts, (count) => new Int32Array(count));
  counts.fill(0);
  for (let index = 0; index < length; index++) {
    const group = groupOf(index);
    members[group]![counts[group]!++] = index;
  }
  return members;
}

/** @returns 0 where all weights are zero */
function leastErrorScale({ values, importance, high }: WeightPlan, indices: Int32Array): number {
  const group = Float64Array.from(indices, (index) => values[index]!);
  const weight = importance && Float64Array.from(indices, importance);
  const largest = group.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  if (largest === 0) return 0;
  let [best, least] = [fullScale(largest, high), Number.POSITIVE_INFINITY];
  for (let share = 1; share >= LEAST_SHARE; share -= SHARE_STEP) {
    const scale = fullScale(largest * share, high);
    let error = 0;
    for (let index = 0; index < group.length; index++) {
      const miss = roundWeight(group[index]!, scale, high) * scale - group[index]!;
      error += miss * miss * (weight === undefined ? 1 : weight[index]!);
    }
    if (error < least) [best, least] = [scale, error];
  }
  return best;
}

/** Below these a channel's bias overflows, or its multiplier is one that kernels cannot hold. */
function leastScales({ activations }: WeightPlan, channels: number): number[] {
  if (activations === undefined) return new Array<number>(channels).fill(LEAST_HYBRID_SCALE);
  const { bias, scales } = activations;
  return Array.from({ length: channels }, (_, channel) =>
    Math.max(
      Math.abs(bias[channel]!) / (scales.input * MOST_BIAS),
      (LEAST_MULTIPLIER * scales.output) / scales.input,
    ),
  );
}

/** A bias has the scale of the sums that it is added to: the input's times the weights', a zero point of 0. */
export function quantizeBias(
  bias: ArrayLike<number>,
  inputScale: number,
  weightScales: readonly number[],
): { readonly values: Int32Array; readonly quantization: Quantization } {
  const scale = weightScales.map((weightScale) => Math.fround(inputScale * weightScale));
  return {
    values: Int32Array.from(bias, (value, channel) =>
      Math.round(value / (scale.length === 1 ? scale[0]! : scale[channel]!)),
    ),
    quantization: { scale, zeroPoint: scale.map(() => 0), axis: 0 },
  };
}
