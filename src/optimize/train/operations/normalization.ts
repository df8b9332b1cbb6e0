import type { Operation, OperationDraft } from './operation.ts';

/** LOG_SOFTMAX over the last dimension. */
export function logSoftmax({ inputs, outputs }: OperationDraft): Operation {
  const [input, output] = [inputs[0]!, outputs[0]!];
  const width = input.shape.at(-1)!;
  return {
    forward: () => {
      const [from, to] = [input.values.floats, output.computed.floats];
      for (let row = 0; row < from.length; row += width) {
        let largest = Number.NEGATIVE_INFINITY;
        for (let c = row; c < row + width; c++) largest = Math.max(largest, from[c]!);
        let sum = 0;
        for (let c = row; c < row + width; c++) sum += Math.exp(from[c]! - largest);
        const past = largest + Math.log(sum);
        for (let c = row; c < row + width; c++) to[c] = from[c]! - past;
      }
    },
    backward: () => {
      if (!input.isTrained) return;
      const [y, from, to] = [output.computed.floats, output.gradient.floats, input.gradient.floats];
      for (let row = 0; row < y.length; row += width) {
        let sum = 0;
        for (let c = row; c < row + width; c++) sum += from[c]!;
        for (let c = row; c < row + width; c++) to[c]! += from[c]! - Math.exp(y[c]!) * sum;
      }
    },
  };
}

/** kernels/internal/reference/l2normalization.h: a shorter row is taken for one of this length. */
const LEAST_LENGTH = 1e-6;

/** L2_NORMALIZATION of rows of the last dimension. */
export function l2Normalization({ inputs, outputs }: OperationDraft): Operation {
  const [input, output] = [inputs[0]!, outputs[0]!];
  const width = input.shape.at(-1)!;
  const lengthOf = (values: Float32Array, row: number): number => {
    let squares = 0;
    for (let c = row; c < row + width; c++) squares += values[c]! * values[c]!;
    return Math.sqrt(squares);
  };
  return {
    forward: () => {
      const [from, to] = [input.values.floats, output.computed.floats];
      for (let row = 0; row < from.length; row += width) {
        const length = Math.max(lengthOf(from, row), LEAST_LENGTH);
        for (let c = row; c < row + width; c++) to[c] = from[c]! / length;
      }
    },
    backward: () => {
      if (!input.isTrained) return;
      const [x, y] = [input.values.floats, output.computed.floats];
      const [from, to] = [output.gradient.floats, input.gradient.floats];
      for (let row = 0; row < x.length; row += width) {
        const length = lengthOf(x, row);
        let dot = 0;
        // A row that is taken for longer than it is has a constant for its length.
        if (length > LEAST_LENGTH) for (let c = row; c < row + width; c++) dot += y[c]! * from[c]!;
        const by = 1 / Math.max(length, LEAST_LENGTH);
        for (let c = row; c < row + width; c++) to[c]! += by * (from[c]! - dot * y[c]!);
      }
    },
  };
}
