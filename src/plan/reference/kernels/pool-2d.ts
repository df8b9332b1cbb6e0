import { clamp, INT8_MIN, roundedAverage } from '../fixed-point.ts';
import type { Kernel, Node, Step } from '../node.ts';
import { fusedRange } from '../parameters.ts';
import { type Pair, slideOver } from '../window.ts';

/** One window: `first` is its first value, of `rows` by `columns`; the strides are in elements. */
type Reduce = (
  values: Int8Array,
  first: number,
  rows: number,
  columns: number,
  rowStride: number,
  columnStride: number,
) => number;

const average: Reduce = (values, first, rows, columns, rowStride, columnStride) => {
  let sum = 0;
  for (let y = 0; y < rows; y++) {
    for (let x = 0; x < columns; x++) sum += values[first + y * rowStride + x * columnStride]!;
  }
  return roundedAverage(sum, rows * columns);
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
function pool(node: Node, reduce: Reduce): Step {
  const input = node.input(0);
  const output = node.output();
  const [, imageHeight, imageWidth, depth] = input.shape as [number, number, number, number];
  const filter: Pair = [node.number('filterHeight'), node.number('filterWidth')];
  const { min, max } = fusedRange(node, output);
  const rowStride = imageWidth * depth;
  return slideOver(node, input, output, filter, [1, 1], (place) => {
    const row = place.batch * imageHeight + place.originY + place.firstY;
    const first = row * rowStride + (place.originX + place.firstX) * depth;
    const [rows, columns] = [place.endY - place.firstY, place.endX - place.firstX];
    for (let channel = 0; channel < depth; channel++) {
      const reduced = reduce(input.values, first + channel, rows, columns, rowStride, depth);
      output.values[place.at + channel] = clamp(reduced, min, max);
    }
  });
}

export const averagePool2d: Kernel = (node) => pool(node, average);
export const maxPool2d: Kernel = (node) => pool(node, maximum);
