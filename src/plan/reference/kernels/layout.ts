/** Operators that move values as they are; verifyModel has seen that the quantization is the same. */
import { clamp } from '../fixed-point.ts';
import type { Kernel, Node, NodeTensor, Step } from '../node.ts';
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

/** The dimension along which tensors are put one after the other. */
export function concatenationAxis(node: Node): number {
  const axis = node.number('axis');
  return axis < 0 ? axis + node.output().shape.length : axis;
}

/** reference/concatenation.h. */
export const concatenate: Kernel = (node) => {
  const output = node.output();
  const steps = strides(output.shape);
  const axis = concatenationAxis(node);
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

/** Where a slice starts in its input, and how far apart its values lie along each output dimension. */
export interface Slice {
  readonly first: number;
  readonly steps: readonly number[];
}

/** StridedSliceStartForAxis of strided_slice_logic.h. Where slices end is in the output's shape. */
export function sliceOf(node: Node): Slice {
  const input = node.input(0);
  const [begins, counts] = [node.control(1), node.control(3)];
  const masks = { begin: node.number('beginMask'), shrink: node.number('shrinkAxisMask') };
  const own = strides(input.shape);
  const first = own.reduce((sum, step, axis) => {
    if (hasBit(masks.begin, axis)) return sum;
    const size = input.shape[axis]!;
    const begin = begins[axis]!;
    return sum + step * clamp(begin < 0 ? begin + size : begin, 0, size);
  }, 0);
  const steps = own
    .map((step, axis) => step * counts[axis]!)
    .filter((_, axis) => !hasBit(masks.shrink, axis));
  return { first, steps };
}

/**
 * StridedSlice of reference/strided_slice.h; verifyModel leaves forward strides alone, and no other specification.
 */
export const stridedSlice: Kernel = (node) => {
  const input = node.input(0);
  const output = node.output();
  const { first, steps } = sliceOf(node);
  const places = offsets(output.shape, steps, first);
  return () => {
    for (const [index, place] of places.entries()) output.values[index] = input.values[place]!;
  };
};
