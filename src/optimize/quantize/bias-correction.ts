import type { TfliteOperator } from '../../tflite/index.ts';
import type { FloatModel } from '../float-model.ts';
import { meanInputs } from './mean-inputs.ts';
import { channelLookup, type WeightTensor } from './weights.ts';

/**
 * What rounding the weights adds to each output channel on average: the sum over its weights of error times mean input
 * (M. Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction", ICCV 2019, section 4.2,
 * with measured means in place of batch normalization's). Taken off the bias, outputs are right on average again.
 * @param rounded what the int8 weights stand for
 * @param mean of the operator's input, by place
 */
export function meanShift(
  float: FloatModel,
  operator: TfliteOperator,
  weights: WeightTensor,
  rounded: (index: number) => number,
  mean: Float64Array,
): Float64Array {
  const inputs = meanInputs(float, operator, mean);
  const channelOf = channelLookup(weights);
  // Depthwise weights are [1, h, w, in x multiplier]; the others [out, …what the inputs are].
  const depthwise = float.graph.code(operator).builtin === 'DEPTHWISE_CONV_2D';
  const multiplier = Number(operator.options['depthMultiplier'] ?? 1);
  const shift = new Float64Array(weights.shape[weights.channelAxis]!);
  for (let index = 0; index < weights.values.length; index++) {
    const place = depthwise ? Math.floor(index / multiplier) : index % inputs.length;
    shift[channelOf(index)]! += (rounded(index) - weights.values[index]!) * inputs[place]!;
  }
  return shift;
}
