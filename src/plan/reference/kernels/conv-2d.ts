import { clamp, multiplyByMultiplier } from '../fixed-point.ts';
import type { Kernel } from '../node.ts';
import { channelMultipliers, fusedRange } from '../parameters.ts';
import { type Pair, type Place, slideOver } from '../window.ts';

/** ConvPerChannel of reference/integer_ops/conv.h; NHWC, filter [channels, h, w, depth]. */
export const conv2d: Kernel = (node) => {
  const input = node.input(0);
  const output = node.output();
  const filter = node.weights(1);
  const [channels, height, width, depth] = filter.shape as [number, number, number, number];
  const [, imageHeight, imageWidth] = input.shape as [number, number, number, number];
  const bias = node.bias(2, channels);
  const { values, shifts } = channelMultipliers(input, filter.scales, output, channels);
  const { min, max } = fusedRange(node, output);
  const dilation: Pair = [node.number('dilationHFactor'), node.number('dilationWFactor')];
  const { values: pixels, zeroPoint } = input;
  const { values: taps } = filter;

  const rowSum = (pixel: number, tap: number, count: number): number => {
    let sum = 0;
    for (let x = 0; x < count; x++) {
      const from = pixel + x * dilation[1] * depth;
      const at = tap + x * depth;
      for (let d = 0; d < depth; d++) {
        sum = (sum + Math.imul(taps[at + d]!, pixels[from + d]! - zeroPoint)) | 0;
      }
    }
    return sum;
  };

  const compute = (place: Place): void => {
    const { firstY, endY, firstX, endX } = place;
    const inX = place.originX + firstX * dilation[1];
    for (let channel = 0; channel < channels; channel++) {
      let sum = bias[channel]!;
      for (let y = firstY; y < endY; y++) {
        const inY = place.originY + y * dilation[0];
        const pixel = ((place.batch * imageHeight + inY) * imageWidth + inX) * depth;
        const tap = ((channel * height + y) * width + firstX) * depth;
        sum = (sum + rowSum(pixel, tap, endX - firstX)) | 0;
      }
      const scaled = multiplyByMultiplier(sum, values[channel]!, shifts[channel]!);
      output.values[place.at + channel] = clamp(scaled + output.zeroPoint, min, max);
    }
  };
  return slideOver(node, input, output, [height, width], dilation, compute);
};
