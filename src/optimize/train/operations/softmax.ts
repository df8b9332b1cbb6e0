import type { Operation, OperationDraft } from './operation.ts';

/** SOFTMAX over the last dimension. */
export function softmax({ inputs, outputs, operator }: OperationDraft): Operation {
  const [input, output] = [inputs[0]!, outputs[0]!];
  const width = input.shape.at(-1)!;
  const beta = Number(operator.options['beta'] ?? 1);
  return {
    forward: () => softmaxRows(input.values.floats, output.computed.floats, width, beta),
    backward: () => {
      if (!input.isTrained) return;
      const [y, g, to] = [output.computed.floats, output.gradient.floats, input.gradient.floats];
      for (let row = 0; row < y.length; row += width) {
        let dot = 0;
        for (let c = row; c < row + width; c++) dot += y[c]! * g[c]!;
        for (let c = row; c < row + width; c++) to[c]! += beta * y[c]! * (g[c]! - dot);
      }
    },
  };
}

/** Each row of `width` values as probabilities. */
export function softmaxRows(
  from: Float32Array,
  to: Float32Array,
  width: number,
  beta: number,
): void {
  for (let row = 0; row < from.length; row += width) {
    let largest = Number.NEGATIVE_INFINITY;
    for (let c = row; c < row + width; c++) largest = Math.max(largest, from[c]!);
    let sum = 0;
    for (let c = row; c < row + width; c++) {
      to[c] = Math.exp(beta * (from[c]! - largest));
      sum += to[c]!;
    }
    for (let c = row; c < row + width; c++) to[c]! /= sum;
  }
}
