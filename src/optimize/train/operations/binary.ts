import type { TrainingTensor } from '../tensor.ts';
import { broadcast } from './numbered.ts';
import { type Operation, type OperationDraft, sampleOffset, sampleStart } from './operation.ts';

/** A function of two values, and its derivatives by each of them. */
interface Formula {
  f(a: number, b: number): number;
  byA(a: number, b: number): number;
  byB(a: number, b: number): number;
}

/** Inputs of any shapes that go together: a constant, or one of fewer values, stands for many. */
function broadcasting({ inputs, outputs, batch }: OperationDraft, formula: Formula): Operation {
  const [a, b, output] = [inputs[0]!, inputs[1]!, outputs[0]!];
  const [placesA, placesB] = [a, b].map(({ shape }) => broadcast(shape, output.shape)) as [
    Int32Array,
    Int32Array,
  ];
  const { f, byA, byB } = formula;
  const add = (
    to: TrainingTensor,
    places: Int32Array,
    slope: (left: number, right: number) => number,
  ): void => {
    if (!to.isTrained) return;
    const [left, right] = [a.values.floats, b.values.floats];
    const [from, gradient] = [output.gradient.floats, to.gradient.floats];
    for (let sample = 0; sample < batch; sample++) {
      const [startA, startB] = [sampleStart(a, sample), sampleStart(b, sample)];
      const [start, startTo] = [sample * output.size, sampleStart(to, sample)];
      for (let place = 0; place < output.size; place++) {
        const by = slope(left[startA + placesA[place]!]!, right[startB + placesB[place]!]!);
        gradient[startTo + places[place]!]! += from[start + place]! * by;
      }
    }
  };
  return {
    forward: () => {
      const [left, right, to] = [a.values.floats, b.values.floats, output.computed.floats];
      for (let sample = 0; sample < batch; sample++) {
        const [startA, startB] = [sampleStart(a, sample), sampleStart(b, sample)];
        const start = sample * output.size;
        for (let place = 0; place < output.size; place++) {
          to[start + place] = f(left[startA + placesA[place]!]!, right[startB + placesB[place]!]!);
        }
      }
    },
    backward: () => {
      add(a, placesA, byA);
      add(b, placesB, byB);
    },
  };
}

/** Of two inputs of the output's size, one sample at a time, by addresses. */
interface AlikeKernels {
  forward(count: number, a: number, b: number, to: number): void;
  /** Adds to the gradient of the first or second input. */
  backward(count: number, side: 'a' | 'b', other: number, from: number, to: number): void;
}

function alike({ inputs, outputs, batch }: OperationDraft, kernels: AlikeKernels): Operation {
  const [a, b, output] = [inputs[0]!, inputs[1]!, outputs[0]!];
  const count = output.size;
  const add = (side: 'a' | 'b', sample: number): void => {
    const [to, other] = side === 'a' ? [a, b] : [b, a];
    if (!to.isTrained) return;
    kernels.backward(
      count,
      side,
      other.values.address + sampleOffset(other, sample),
      output.gradient.address + sampleOffset(output, sample),
      to.gradient.address + sampleOffset(to, sample),
    );
  };
  return {
    forward: () => {
      for (let sample = 0; sample < batch; sample++) {
        kernels.forward(
          count,
          a.values.address + sampleOffset(a, sample),
          b.values.address + sampleOffset(b, sample),
          output.computed.address + sampleOffset(output, sample),
        );
      }
    },
    backward: () => {
      for (let sample = 0; sample < batch; sample++) {
        add('a', sample);
        add('b', sample);
      }
    },
  };
}

function arithmetic(formula: Formula, kernelsOf: (draft: OperationDraft) => AlikeKernels) {
  return (draft: OperationDraft): Operation => {
    const output = draft.outputs[0]!;
    const isAlike = draft.inputs.every((input) => input!.size === output.size);
    return isAlike ? alike(draft, kernelsOf(draft)) : broadcasting(draft, formula);
  };
}

/** a + factor b */
const sum = (factor: number) =>
  arithmetic(
    { f: (a, b) => a + factor * b, byA: () => 1, byB: () => factor },
    ({ memory }: OperationDraft): AlikeKernels => ({
      forward: (count, a, b, to) => memory.kernels.addScaled(count, a, b, factor, to),
      backward: (count, side, _, from, to) =>
        memory.kernels.addScaled(count, to, from, side === 'a' ? 1 : factor, to),
    }),
  );

export const add = sum(1);
export const subtract = sum(-1);
export const multiply = arithmetic(
  { f: (a, b) => a * b, byA: (_, b) => b, byB: (a) => a },
  ({ memory }) => ({
    forward: (count, a, b, to) => memory.kernels.multiply(count, a, b, to),
    backward: (count, _, other, from, to) => memory.kernels.addProduct(count, other, from, to),
  }),
);

const formula = (of: Formula) => (draft: OperationDraft) => broadcasting(draft, of);

/** Of equals, the first is the one that counts. */
export const maximum = formula({
  f: Math.max,
  byA: (a, b) => (a >= b ? 1 : 0),
  byB: (a, b) => (a >= b ? 0 : 1),
});
export const minimum = formula({
  f: Math.min,
  byA: (a, b) => (a <= b ? 1 : 0),
  byB: (a, b) => (a <= b ? 0 : 1),
});

/** Slopes for what is below zero: constants, which are not learned. */
export const prelu = formula({
  f: (x, slope) => (x >= 0 ? x : x * slope),
  byA: (x, slope) => (x >= 0 ? 1 : slope),
  byB: () => 0,
});
