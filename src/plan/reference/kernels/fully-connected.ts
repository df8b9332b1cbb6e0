import {
  clamp,
  type Multiplier,
  multiplyByMultiplier,
  quantizeMultiplier,
} from '../fixed-point.ts';
import type { Affine, Kernel } from '../node.ts';
import { fusedRange } from '../parameters.ts';

/** GetQuantizedConvolutionMultipler of kernel_util.cc: the input's scale times the weights' is a float32. */
export const fullyConnectedMultiplier = (
  input: Affine,
  weightScale: number,
  output: Affine,
): Multiplier => quantizeMultiplier(Math.fround(input.scale * weightScale) / output.scale);

/**
 * FullyConnected of reference/integer_ops/fully_connected.h; weights [channels, depth] of one scale.
 */
export const fullyConnected: Kernel = (node) => {
  const input = node.input(0);
  const output = node.output();
  const weights = node.weights(1);
  const [channels, depth] = weights.shape as [number, number];
  const bias = node.bias(2, channels);
  const { value, shift } = fullyConnectedMultiplier(input, weights.scales[0]!, output);
  const { min, max } = fusedRange(node, output);
  const batches = input.values.length / depth;
  return () => {
    for (let batch = 0; batch < batches; batch++) {
      for (let channel = 0; channel < channels; channel++) {
        let sum = bias[channel]!;
        for (let d = 0; d < depth; d++) {
          const step = input.values[batch * depth + d]! - input.zeroPoint;
          sum = (sum + Math.imul(weights.values[channel * depth + d]!, step)) | 0;
        }
        const scaled = multiplyByMultiplier(sum, value, shift);
        output.values[batch * channels + channel] = clamp(scaled + output.zeroPoint, min, max);
      }
    }
  };
};
