import type { WindowStep } from '../format/steps.ts';
import { locate, type Memory, type Run } from './memory.ts';
import { weightedOf } from './weighted.ts';

/**
 * Channel by channel, of PAIRS two by two, each written before the input is read again: an output
 * over its input comes out wrong.
 */
export function fullyConnected(step: WindowStep, memory: Memory): Run {
  const { arena } = memory;
  const { rows, taps, bias, requantize } = weightedOf(step, memory);
  const { values, at } = locate(memory, step.input);
  const { outC } = step;
  const together = step.layout === 'PAIRS' ? 2 : 1;
  const sums = new Int32Array(together);
  const sumOf = (from: number, channel: number): number => {
    const row = channel * taps;
    let sum = bias[channel]!;
    for (let tap = 0; tap < taps; tap++) {
      sum = (sum + Math.imul(rows[row + tap]!, values[from + tap]!)) | 0;
    }
    return sum;
  };
  const runBatch = (from: number, to: number): void => {
    for (let first = 0; first < outC; first += together) {
      const count = Math.min(together, outC - first);
      for (let index = 0; index < count; index++) sums[index] = sumOf(from, first + index);
      for (let index = 0; index < count; index++) {
        arena[to + first + index] = requantize(sums[index]!, first + index);
      }
    }
  };
  return () => {
    for (let batch = 0; batch < step.batches; batch++) {
      runBatch(at + batch * taps, step.output + batch * outC);
    }
  };
}
