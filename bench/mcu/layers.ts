/**
 * The layers with weights of an int8 model: what they take at the least, and with weights pruned.
 */
import { packPairs, packRuns } from '../../src/plan/index.ts';
import { Graph, operatorSpec, type TfliteModel } from '../../src/tflite/index.ts';

/** A multiplier and a shift: of a channel, or of a layer that has one scale for all. */
const SCALE_BYTES = 5;
const BIAS_BYTES = 4;

interface Layer {
  readonly name: string;
  /** Index of its weights' buffer. */
  readonly buffer: number;
  readonly weights: Int8Array;
  readonly channels: number;
  /** Of each output channel, or one for all. */
  readonly scales: readonly number[];
  /** Whether channels are the last dimension of the weights, not the first. */
  readonly channelsLast: boolean;
}

function layersOf(model: TfliteModel): Layer[] {
  const graph = new Graph(model, 'model');
  return graph.subgraph.operators.flatMap((operator) => {
    const name = graph.code(operator).builtin;
    const position = operatorSpec(name)?.weights;
    if (position === undefined) return [];
    const tensor = graph.tensor(operator.inputs[position]!);
    const channelsLast = name === 'DEPTHWISE_CONV_2D';
    return {
      name,
      buffer: tensor.buffer,
      weights: Int8Array.from(graph.values(tensor)),
      channels: tensor.shape.at(channelsLast ? -1 : 0)!,
      scales: tensor.quantization!.scale,
      channelsLast,
    };
  });
}

/** Weights, biases, and a multiplier and a shift for every scale. */
export function payloadBytes(model: TfliteModel): number {
  return layersOf(model).reduce(
    (sum, { weights, channels, scales }) =>
      sum + weights.length + channels * BIAS_BYTES + scales.length * SCALE_BYTES,
    0,
  );
}

/**
 * The model with that share of each layer's weights, those nearest to zero as real numbers, made
 * zero.
 */
export function pruned(model: TfliteModel, share: number): TfliteModel {
  const buffers = [...model.buffers];
  for (const { buffer, weights, channels, scales, channelsLast } of layersOf(model)) {
    const rowLength = weights.length / channels;
    const magnitude = (index: number): number => {
      const channel = channelsLast ? index % channels : Math.floor(index / rowLength);
      return Math.abs(weights[index]!) * scales[scales.length === 1 ? 0 : channel]!;
    };
    const order = Array.from(weights.keys()).sort((a, b) => magnitude(a) - magnitude(b) || a - b);
    const left = weights.slice();
    for (const index of order.slice(0, Math.floor(share * weights.length))) left[index] = 0;
    buffers[buffer] = new Uint8Array(left.buffer);
  }
  return { ...model, buffers };
}

/**
 * Bytes of the weights of what may be stored sparse (all but depthwise convolutions), each way for
 * every layer.
 */
export interface WeightBytes {
  readonly dense: number;
  readonly runs: number;
  /** A bit for each weight, rows filled up to bytes, and a byte for each that is not zero. */
  readonly bitmap: number;
  /** Entries of runs for each weight that is not zero: more than 1 for fillers. */
  readonly entriesEach: number;
}

export function weightBytes(model: TfliteModel): WeightBytes {
  let [dense, runs, bitmap, entries, present] = [0, 0, 0, 0, 0];
  for (const { weights, channels, channelsLast } of layersOf(model)) {
    if (channelsLast) continue;
    const taps = weights.length / channels;
    const own = weights.filter((weight) => weight !== 0).length;
    const packed = packRuns(weights, channels, taps)?.length ?? weights.length;
    dense += packPairs(weights, channels, taps)?.length ?? weights.length;
    runs += packed;
    bitmap += channels * Math.ceil(taps / 8) + own;
    entries += ((packed - 2 * channels) / 6) * 4;
    present += own;
  }
  return { dense, runs, bitmap, entriesEach: entries / present };
}
