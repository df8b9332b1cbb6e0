import { clamp, multiplyByMultiplier, quantizeMultiplier } from '../fixed-point.ts';
import type { Kernel, Node, NodeTensor } from '../node.ts';
import { type ChannelMultipliers, channelMultipliers, fusedRange } from '../parameters.ts';

/**
 * CalculateOpDataFullyConnected of tensorflow/lite/micro/kernels/fully_connected_common.cc: with one
 * weight scale the product of the input's and the weights' is a float32.
 */
function multipliers(
  input: NodeTensor,
  scales: readonly number[],
  output: NodeTensor,
  channels: number,
): ChannelMultipliers {
  if (scales.length > 1) return channelMultipliers(input, scales, output, channels);
  const { value, shift } = quantizeMultiplier(Math.fround(input.scale * scales[0]!) / output.scale);
  return {
    values: new Int32Array(channels).fill(value),
    shifts: new Int32Array(channels).fill(shift),
  };
}

/** FullyConnected of reference/integer_ops/fully_connected.h; weights [channels, depth]. */
export const fullyConnected: Kernel = (node: Node) => {
  const input = node.input(0);
  const output = node.output();
  const weights = node.weights(1);
  if (node.number('weightsFormat') !== 0) node.unsupported('a shuffled weights format');
  const [channels, depth] = weights.shape as [number, number];
  const bias = node.bias(2, channels);
  const { values, shifts } = multipliers(input, weights.scales, output, channels);
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
        const scaled = multiplyByMultiplier(sum, values[channel]!, shifts[channel]!);
        output.values[batch * channels + channel] = clamp(scaled + output.zeroPoint, min, max);
      }
    }
  };
};
