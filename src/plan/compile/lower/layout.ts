import { concatenationAxis, sliceOf } from '../../reference/kernels/layout.ts';
import { strides } from '../../reference/kernels/strides.ts';
import type { Block } from '../program.ts';
import { common, type Lower } from './lowering.ts';

const dot = (a: readonly number[], b: readonly number[]): number =>
  a.reduce((sum, value, axis) => sum + value * b[axis]!, 0);

export const pad: Lower = (node) => {
  const input = node.input(0);
  const output = node.output();
  const paddings = node.control(1);
  const outputSteps = strides(output.shape);
  const before = outputSteps.map((_, axis) => paddings[2 * axis]!);
  const block: Block = {
    input: node.inputIndex(0),
    inputFirst: 0,
    inputSteps: strides(input.shape),
    outputFirst: dot(before, outputSteps),
    outputSteps,
    shape: input.shape,
  };
  const { source, output: to } = common(node);
  return [{ kind: 'MOVE', source, output: to, fill: output.zeroPoint, blocks: [block], paddings }];
};

export const concatenate: Lower = (node) => {
  const outputSteps = strides(node.output().shape);
  const axis = concatenationAxis(node);
  let before = 0;
  const blocks = Array.from({ length: node.inputCount }, (_, position): Block => {
    const { shape } = node.input(position);
    const outputFirst = before * outputSteps[axis]!;
    before += shape[axis]!;
    return {
      input: node.inputIndex(position),
      inputFirst: 0,
      inputSteps: strides(shape),
      outputFirst,
      outputSteps,
      shape,
    };
  });
  return [{ kind: 'MOVE', source: node.position, output: node.outputIndex, blocks }];
};

export const stridedSlice: Lower = (node) => {
  const { shape } = node.output();
  const { first, steps } = sliceOf(node);
  const block: Block = {
    input: node.inputIndex(0),
    inputFirst: first,
    inputSteps: steps,
    outputFirst: 0,
    outputSteps: strides(shape),
    shape,
  };
  return [{ kind: 'MOVE', source: node.position, output: node.outputIndex, blocks: [block] }];
};
