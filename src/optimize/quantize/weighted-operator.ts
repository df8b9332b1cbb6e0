import type { TfliteOperator } from '../../tflite/index.ts';
import type { ActivationStatistics } from '../calibrate/calibrate.ts';
import type { FloatModel } from '../float-model.ts';
import type { GraphWriter } from '../graph-writer.ts';
import { meanShift } from './bias-correction.ts';
import type { WeightScheme } from './int8-schemes.ts';
import {
  channelLookup,
  type QuantizedWeights,
  quantizeWeights,
  type WeightTensor,
} from './weights.ts';

/** An operator with weights, and what is known of its surroundings. */
export interface WeightedOperator {
  readonly float: FloatModel;
  readonly operator: TfliteOperator;
  readonly scheme: WeightScheme;
  /** Of the activation that the weights are multiplied with. */
  readonly input: ActivationStatistics;
  /** Of the activations in the int8 model; absent where they stay in float. */
  readonly scales?: { readonly input: number; readonly output: number };
  readonly biasCorrection: boolean;
  /** Steps to each side of zero of weights, by tensor, where they were trained on fewer than int8 has. */
  readonly weightSteps?: ReadonlyMap<number, number>;
}

export interface RoundedLayer {
  readonly weights: QuantizedWeights;
  /** What the bias is to be, with the mean error of the weights taken off; zeros where there was none. */
  readonly bias: Float64Array;
}

/** Rounds the weights of an operator and puts right on average what that does to its sums. */
export function roundLayer(weighted: WeightedOperator): RoundedLayer {
  const { float, operator, scheme, scales, weightSteps } = weighted;
  const { graph } = float;
  const high = weightSteps?.get(operator.inputs[scheme.position]!);
  const tensor = graph.tensor(operator.inputs[scheme.position]!);
  const weights: WeightTensor = {
    values: graph.floats(tensor),
    shape: tensor.shape,
    channelAxis: scheme.channelAxis,
  };
  const bias = biasOf(weighted);
  const importance = importanceOf(weighted, weights);
  const quantized = quantizeWeights({
    ...weights,
    perChannel: scheme.perChannel,
    ...(high === undefined ? {} : { high }),
    ...(importance === undefined ? {} : { importance }),
    ...(scales === undefined ? {} : { activations: { bias, scales } }),
  });
  const corrected = weighted.biasCorrection ? correct(weighted, weights, quantized, bias) : bias;
  return { weights: quantized, bias: corrected };
}

/** Constants go without a name: nothing asks for it, and it would be a tenth of a small file. */
export function placeWeights(
  writer: GraphWriter,
  { float, operator, scheme }: WeightedOperator,
  { values, quantization }: QuantizedWeights,
): number {
  const { shape } = float.graph.tensor(operator.inputs[scheme.position]!);
  const data = new Uint8Array(values.buffer);
  return writer.tensor({ name: '', type: 'int8', shape, quantization, data });
}

function biasOf({ float: { graph }, operator, scheme }: WeightedOperator): Float64Array {
  const index = operator.inputs[scheme.biasPosition] ?? -1;
  const channels = graph.tensor(operator.inputs[scheme.position]!).shape[scheme.channelAxis]!;
  return index === -1
    ? new Float64Array(channels)
    : Float64Array.from(graph.floats(graph.tensor(index)));
}

function correct(
  { float, operator, input }: WeightedOperator,
  weights: WeightTensor,
  { values, quantization: { scale } }: QuantizedWeights,
  bias: Float64Array,
): Float64Array {
  const channelOf = channelLookup(weights);
  const rounded = (index: number): number =>
    values[index]! * scale[scale.length > 1 ? channelOf(index) : 0]!;
  const shift = meanShift(float, operator, weights, rounded, input.mean!);
  return bias.map((value, channel) => value - shift[channel]!);
}

/** Mean square of what each weight is multiplied with, where that differs within an output channel. */
function importanceOf(
  { float, operator, input: { channelSquares } }: WeightedOperator,
  { shape }: WeightTensor,
): ((index: number) => number) | undefined {
  const depthwise = float.graph.code(operator).builtin === 'DEPTHWISE_CONV_2D';
  const depth = shape.at(-1)!;
  if (depthwise || depth !== channelSquares.length) return undefined;
  return channelSquares.some((square) => square > 0)
    ? (index) => channelSquares[index % depth]!
    : undefined;
}
