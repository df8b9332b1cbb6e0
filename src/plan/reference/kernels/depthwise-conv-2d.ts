import { clamp, multiplyByMultiplier } from '../fixed-point.ts';
import type { Kernel } from '../node.ts';
import { channelMultipliers, fusedRange, insideTaps, windows } from '../parameters.ts';

/**
 * DepthwiseConvPerChannel of reference/integer_ops/depthwise_conv.h; NHWC, filter [1, h, w, channels].
 * The output channel c is made of the input channel c / multiplier.
 */
export const depthwiseConv2d: Kernel = (node) => {
  const input = node.input(0);
  const output = node.output();
  const filter = node.weights(1);
  const [, height, width, channels] = filter.shape as [number, number, number, number];
  const [batches, imageHeight, imageWidth, depth] = input.shape as [number, number, number, number];
  const bias = node.bias(2, channels);
  const { values, shifts } = channelMultipliers(input, filter.scales, output, channels);
  const { min, max } = fusedRange(node, output);
  const dilation = [node.number('dilationHFactor'), node.number('dilationWFactor')] as const;
  const { vertical, horizontal } = windows(node, input, output, [height, width], dilation);
  const source = Int32Array.from({ length: channels }, (_, channel) =>
    Math.floor(channel / (channels / depth)),
  );
  const { values: pixels, zeroPoint } = input;
  const { values: taps } = filter;

  /** All channels of one output pixel. */
  const compute = (batch: number, outY: number, outX: number): void => {
    const originY = outY * vertical.stride - vertical.padding;
    const originX = outX * horizontal.stride - horizontal.padding;
    const [firstY, endY] = insideTaps(vertical, originY);
    const [firstX, endX] = insideTaps(horizontal, originX);
    const at = ((batch * vertical.outputSize + outY) * horizontal.outputSize + outX) * channels;
    for (let channel = 0; channel < channels; channel++) {
      let sum = bias[channel]!;
      for (let y = firstY; y < endY; y++) {
        const inY = originY + y * vertical.dilation;
        const row = (batch * imageHeight + inY) * imageWidth;
        for (let x = firstX; x < endX; x++) {
          const pixel = (row + originX + x * horizontal.dilation) * depth + source[channel]!;
          const tap = (y * width + x) * channels + channel;
          sum = (sum + Math.imul(taps[tap]!, pixels[pixel]! - zeroPoint)) | 0;
        }
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
