import { clamp, multiplyByMultiplier } from '../fixed-point.ts';
import type { Kernel } from '../node.ts';
import { channelMultipliers, fusedRange } from '../parameters.ts';
import { type Pair, type Place, slideOver } from '../window.ts';

/**
 * DepthwiseConvPerChannel of reference/integer_ops/depthwise_conv.h; NHWC, filter [1, h, w, channels].
 * The output channel c is made of the input channel c / multiplier.
 */
export const depthwiseConv2d: Kernel = (node) => {
  const input = node.input(0);
  const output = node.output();
  const filter = node.weights(1);
  const [, height, width, channels] = filter.shape as [number, number, number, number];
  const [, imageHeight, imageWidth, depth] = input.shape as [number, number, number, number];
  const bias = node.bias(2, channels);
  const { values, shifts } = channelMultipliers(input, filter.scales, output, channels);
  const { min, max } = fusedRange(node, output);
  const dilation: Pair = [node.number('dilationHFactor'), node.number('dilationWFactor')];
  const source = Int32Array.from({ length: channels }, (_, channel) =>
    Math.floor(channel / (channels / depth)),
  );
  const { values: pixels, zeroPoint } = input;
  const { values: taps } = filter;

  const compute = (place: Place): void => {
    const { firstY, endY, firstX, endX } = place;
    for (let channel = 0; channel < channels; channel++) {
      let sum = bias[channel]!;
      for (let y = firstY; y < endY; y++) {
        const inY = place.originY + y * dilation[0];
        const row = (place.batch * imageHeight + inY) * imageWidth + place.originX;
        for (let x = firstX; x < endX; x++) {
          const pixel = (row + x * dilation[1]) * depth + source[channel]!;
          const tap = (y * width + x) * channels + channel;
          sum = (sum + Math.imul(taps[tap]!, pixels[pixel]! - zeroPoint)) | 0;
        }
      }
      const scaled = multiplyByMultiplier(sum, values[channel]!, shifts[channel]!);
      output.values[place.at + channel] = clamp(scaled + output.zeroPoint, min, max);
    }
  };
  return slideOver(node, input, output, [height, width], dilation, compute);
};
