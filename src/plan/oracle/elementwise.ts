import type {
  BinaryStep,
  CopyStep,
  FillStep,
  LookupStep,
  MeanStep,
  SoftmaxStep,
} from '../format/steps.ts';
import { clamp, INT8_MAX, INT8_MIN, multiplyByMultiplier } from '../reference/fixed-point.ts';
import { sumOf } from '../reference/kernels/elementwise.ts';
import { offsets } from '../reference/kernels/strides.ts';
import { softmaxExps, softmaxRow } from '../reference/softmax-row.ts';
import { locate, type Memory, type Run } from './memory.ts';

/** A function of two steps above their zero points, which gives steps above the output's. */
function combineOf(step: BinaryStep): (a: number, b: number) => number {
  const { kind, outputMultiplier, outputShift } = step;
  if (kind === 'MUL') return (a, b) => multiplyByMultiplier(a * b, outputMultiplier, outputShift);
  const by = {
    a: { value: step.aMultiplier, shift: step.aShift },
    b: { value: step.bMultiplier, shift: step.bShift },
    output: { value: outputMultiplier, shift: outputShift },
  };
  return (a, b) => sumOf(by, a, b, kind === 'SUB');
}

/** Element by element, the output row-major. */
export function binary(step: BinaryStep, memory: Memory): Run {
  const { arena } = memory;
  const { shape, min, max } = step;
  const [a, b] = [locate(memory, step.a), locate(memory, step.b)];
  const fromA = offsets(shape, step.aSteps, a.at);
  const fromB = offsets(shape, step.bSteps, b.at);
  const combine = combineOf(step);
  return () => {
    for (let index = 0; index < fromA.length; index++) {
      const left = a.values[fromA[index]!]! - step.aZero;
      const right = b.values[fromB[index]!]! - step.bZero;
      arena[step.output + index] = clamp(combine(left, right) + step.outputZero, min, max);
    }
  };
}

export function lookup(step: LookupStep, memory: Memory): Run {
  const { plan, arena } = memory;
  const { values, at } = locate(memory, step.input);
  return () => {
    for (let index = 0; index < step.sizeBytes; index++) {
      arena[step.output + index] = plan[step.table + values[at + index]! - INT8_MIN]!;
    }
  };
}

export function softmax(step: SoftmaxStep, memory: Memory): Run {
  const { rows, depth } = step;
  const exps = softmaxExps(step.multiplier, step.shift, step.least);
  const row = (place: number, index: number): Int8Array => {
    const { values, at } = locate(memory, place);
    return values.subarray(at + index * depth, at + (index + 1) * depth);
  };
  return () => {
    for (let index = 0; index < rows; index++) {
      softmaxRow(exps, row(step.input, index), row(step.output, index));
    }
  };
}

/** Output by output, each of a strided column of the input. */
export function mean(step: MeanStep, memory: Memory): Run {
  const { arena } = memory;
  const { values, at } = locate(memory, step.input);
  const { outer, reduced, inner } = step;
  const sumAt = (first: number): number => {
    let sum = -step.inputZero * reduced;
    for (let index = 0; index < reduced; index++) sum += values[first + index * inner]!;
    return sum | 0;
  };
  return () => {
    for (let index = 0; index < outer * inner; index++) {
      const block = Math.floor(index / inner);
      const sum = sumAt(at + block * reduced * inner + (index % inner));
      const scaled = multiplyByMultiplier(sum, step.multiplier, step.shift);
      arena[step.output + index] = clamp(scaled + step.outputZero, INT8_MIN, INT8_MAX);
    }
  };
}

/** Element by element, row-major. */
export function copy(step: CopyStep, memory: Memory): Run {
  const { arena } = memory;
  const { values, at } = locate(memory, step.input);
  const from = offsets(step.shape, step.inputSteps, at);
  const to = offsets(step.shape, step.outputSteps, step.output);
  return () => {
    for (let index = 0; index < from.length; index++) arena[to[index]!] = values[from[index]!]!;
  };
}

export function fill(step: FillStep, { arena }: Memory): Run {
  return () => {
    arena.fill(step.value, step.output, step.output + step.sizeBytes);
  };
}
