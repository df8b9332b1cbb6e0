import { clamp, multiplyByMultiplier } from '../fixed-point.ts';
import type { Kernel } from '../node.ts';
import { channelMultipliers, fusedRange, insideTaps, windows } from '../parameters.ts';

/** ConvPerChannel of reference/integer_ops/conv.h; NHWC, filter [channels, h, w, depth]. */
export const conv2d: Kernel = (node) => {
  const input = node.input(0);
  const output = node.output();
  const filter = node.weights(1);
  const [channels, height, width, depth] = filter.shape as [number, number, number, number];
  const [batches, imageHeight, imageWidth] = input.shape as [number, number, number, number];
  const bias = node.bias(2, channels);
  const { values, shifts } = channelMultipliers(input, filter.scales, output, channels);
  const { min, max } = fusedRange(node, output);
  const dilation = [node.number('dilationHFactor'), node.number('dilationWFactor')] as const;
  const { vertical, horizontal } = windows(node, input, output, [height, width], dilation);
  const { values: pixels, zeroPoint } = input;
  const { values: taps } = filter;

  /** Sum over one row of taps of one channel's filter; both rows lie in one piece where undilated. */
  const rowSum = (pixel: number, tap: number, count: number): number => {
    let sum = 0;
    for (let x = 0; x < count; x++) {
      const from = pixel + x * horizontal.dilation * depth;
      const at = tap + x * depth;
      for (let d = 0; d < depth; d++) {
        sum = (sum + Math.imul(taps[at + d]!, pixels[from + d]! - zeroPoint)) | 0;
      }
    }
    return sum;
  };

  /** All channels of one output pixel. */
  const compute = (batch: number, outY: number, outX: number): void => {
    const originY = outY * vertical.stride - vertical.padding;
    const originX = outX * horizontal.stride - horizontal.padding;
    const [firstY, endY] = insideTaps(vertical, originY);
    const [firstX, endX] = insideTaps(horizontal, originX);
    const inX = originX + firstX * horizontal.dilation;
    const at = ((batch * vertical.outputSize + outY) * horizontal.outputSize + outX) * channels;
    for (let channel = 0; channel < channels; channel++) {
      let sum = bias[channel]!;
      for (let y = firstY; y < endY; y++) {
        const inY = originY + y * vertical.dilation;
        const pixel = ((batch * imageHeight + inY) * imageWidth + inX) * depth;
        const tap = ((channel * height + y) * width + firstX) * depth;
        sum = (sum + rowSum(pixel, tap, endX - firstX)) | 0;
      }
      const scaled = multiplyByMultiplier(sum, values[channel]!, shifts[channel]!);
      output.values[at + channel] = clamp(scaled + output.zeroPoint, min, max);
    }
  };

  return () => {
    for (let batch = 0; batch < batches; batch++) {
      for (let outY = 0; outY < vertical.outputSize; outY++) {
        for (let outX = 0; outX < horizontal.outputSize; outX++) compute(batch, outY, outX);
      }
    }
  };
};
