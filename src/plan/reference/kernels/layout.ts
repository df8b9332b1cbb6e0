/** Operators that move values as they are; verifyModel has seen that the quantization is the same. */
import { clamp } from '../fixed-point.ts';
import type { Kernel, NodeTensor, Step } from '../node.ts';
import { offsets, strides } from './strides.ts';

/** RESHAPE, SQUEEZE, EXPAND_DIMS: another shape for the same values. */
export const copy: Kernel = (node) => {
  const input = node.input(0);
  const output = node.output();
  return () => output.values.set(input.values);
};

/** Puts every value of a tensor at an offset of another. */
function scatter(from: NodeTensor, to: NodeTensor, places: Int32Array): Step {
  return () => {
    for (const [index, value] of from.values.entries()) to.values[places[index]!] = value;
  };
}

/** reference/pad.h; padding is the output's zero point. */
export const pad: Kernel = (node) => {
  const input = node.input(0);
  const output = node.output();
  const paddings = node.control(1);
  const steps = strides(output.shape);
  const first = steps.reduce((sum, step, axis) => sum + step * paddings[2 * axis]!, 0);
  const place = scatter(input, output, offsets(input.shape, steps, first));
  return () => {
    output.values.fill(output.zeroPoint);
    place();
  };
};

/** reference/concatenation.h. */
export const concatenate: Kernel = (node) => {
  const output = node.output();
  if (node.number('fusedActivationFunction') !== 0) node.unsupported('a fused activation');
  const steps = strides(output.shape);
  const value = node.number('axis');
  const axis = value < 0 ? value + output.shape.length : value;
  let before = 0;
  const parts = Array.from({ length: node.inputCount }, (_, position) => {
    const input = node.input(position);
    const first = before * steps[axis]!;
    before += input.shape[axis]!;
    return scatter(input, output, offsets(input.shape, steps, first));
  });
  return () => {
    for (const part of parts) part();
  };
};

const hasBit = (mask: number, bit: number): boolean => (mask & (1 << bit)) !== 0;

/** strided_slice_logic.h, StridedSliceStartForAxis: a negative index counts from the end. */
function startOf(begin: number, size: number, stride: number, open: boolean): number {
  if (open) return stride > 0 ? 0 : size - 1;
  const start = begin < 0 ? begin + size : begin;
  return stride > 0 ? clamp(start, 0, size) : clamp(start, -1, size - 1);
}

/** StridedSlice of reference/strided_slice.h; where slices end is in the output's shape. */
export const stridedSlice: Kernel = (node) => {
  const input = node.input(0);
  const output = node.output();
  const [begins, counts] = [node.control(1), node.control(3)];
  const masks = { begin: node.number('beginMask'), shrink: node.number('shrinkAxisMask') };
  if (node.number('ellipsisMask') !== 0 || node.number('newAxisMask') !== 0) {
    node.unsupported('an ellipsis or a new axis');
  }
  if (node.flag('offset')) node.unsupported('an end relative to the beginning');
  const own = strides(input.shape);
  const starts = own.map((step, axis) => {
    const open = hasBit(masks.begin, axis);
    return step * startOf(begins[axis]!, input.shape[axis]!, counts[axis]!, open);
  });
  const steps = own
    .map((step, axis) => step * counts[axis]!)
    .filter((_, axis) => !hasBit(masks.shrink, axis));
  const first = starts.reduce((sum, start) => sum + start, 0);
  const places = offsets(output.shape, steps, first);
  return () => {
    for (const [index, place] of places.entries()) output.values[index] = input.values[place]!;
  };
};
