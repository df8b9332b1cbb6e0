import { clamp, INT8_MIN } from '../fixed-point.ts';
import type { Kernel, Node } from '../node.ts';
import { fusedRange, insideTaps, windows } from '../parameters.ts';

/** One window: `first` is its first value, of `rows` by `columns`; the strides are in elements. */
type Reduce = (
  values: Int8Array,
  first: number,
  rows: number,
  columns: number,
  rowStride: number,
  columnStride: number,
) => number;

/** Rounded to the nearest step, halves away from zero. */
const average: Reduce = (values, first, rows, columns, rowStride, columnStride) => {
  let sum = 0;
  for (let y = 0; y < rows; y++) {
    for (let x = 0; x < columns; x++) sum += values[first + y * rowStride + x * columnStride]!;
  }
  const count = rows * columns;
  const half = Math.trunc(count / 2);
  return Math.trunc((sum > 0 ? sum + half : sum - half) / count);
};

const maximum: Reduce = (values, first, rows, columns, rowStride, columnStride) => {
  let max = INT8_MIN;
  for (let y = 0; y < rows; y++) {
    for (let x = 0; x < columns; x++) {
      max = Math.max(max, values[first + y * rowStride + x * columnStride]!);
    }
  }
  return max;
};

/** reference/integer_ops/pooling.h; NHWC. Only what lies inside the image counts. */
function pool(node: Node, reduce: Reduce): () => void {
  const input = node.input(0);
  const output = node.output();
  const [batches, imageHeight, imageWidth, depth] = input.shape as [number, number, number, number];
  const filter = [node.number('filterHeight'), node.number('filterWidth')] as const;
  const { vertical, horizontal } = windows(node, input, output, filter, [1, 1]);
  const { min, max } = fusedRange(node, output);

  const compute = (batch: number, outY: number, outX: number): void => {
    const originY = outY * vertical.stride - vertical.padding;
    const originX = outX * horizontal.stride - horizontal.padding;
    const [firstY, endY] = insideTaps(vertical, originY);
    const [firstX, endX] = insideTaps(horizontal, originX);
    const row = (batch * imageHeight + originY + firstY) * imageWidth;
    const pixel = (row + originX + firstX) * depth;
    const at = ((batch * vertical.outputSize + outY) * horizontal.outputSize + outX) * depth;
    for (let channel = 0; channel < depth; channel++) {
      const reduced = reduce(
        input.values,
        pixel + channel,
        endY - firstY,
        endX - firstX,
        imageWidth * depth,
        depth,
      );
      output.values[at + channel] = clamp(reduced, min, max);
    }
  };

  return () => {
    for (let batch = 0; batch < batches; batch++) {
      for (let outY = 0; outY < vertical.outputSize; outY++) {
        for (let outX = 0; outX < horizontal.outputSize; outX++) compute(batch, outY, outX);
      }
    }
  };
}

export const averagePool2d: Kernel = (node) => pool(node, average);
export const maxPool2d: Kernel = (node) => pool(node, maximum);
