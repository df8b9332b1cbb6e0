import { int32Values } from '../format/bytes.ts';
import { multiplierCount, rowTaps, type WindowStep } from '../format/steps.ts';
import { unpackWeights } from '../format/weights.ts';
import { clamp, multiplyByMultiplier } from '../reference/fixed-point.ts';
import type { Memory } from './memory.ts';

/** The constants of a convolution or a fully connected layer, laid out for inner loops. */
export interface Weighted {
  /** [outC][taps]. */
  readonly rows: Int8Array;
  readonly taps: number;
  /** [outC]. */
  readonly bias: Int32Array;
  /** The output of a channel with this sum. */
  requantize(sum: number, channel: number): number;
}

export function weightedOf(step: WindowStep, { plan }: Memory): Weighted {
  const { outC, layout, outputZero, min, max } = step;
  const constants = (at: number, sizeBytes: number): Uint8Array =>
    new Uint8Array(plan.buffer, plan.byteOffset + at, sizeBytes);
  const taps = rowTaps(step);
  const count = multiplierCount(step);
  const multipliers = int32Values(constants(step.multipliers, 4 * count));
  const shifts = Int8Array.from(constants(step.shifts, count));
  return {
    rows: unpackWeights(layout, constants(step.weights, step.weightsBytes), outC, taps),
    taps,
    bias: int32Values(constants(step.bias, 4 * outC)),
    requantize(sum, channel) {
      const index = count === 1 ? 0 : channel;
      const scaled = multiplyByMultiplier(sum, multipliers[index]!, shifts[index]!);
      return clamp(scaled + outputZero, min, max);
    },
  };
}
