/** How much scratch a window step takes; firmware/engine/scratch.h says the same. */
import { roundUp } from './format/bytes.ts';
import type { WindowStep } from './format/steps.ts';

/** What scratch depends on. */
export type ScratchShape = Pick<
  WindowStep,
  | 'kind'
  | 'kernelH'
  | 'kernelW'
  | 'inC'
  | 'outW'
  | 'strideH'
  | 'strideW'
  | 'dilationH'
  | 'dilationW'
  | 'bandRows'
>;

/** Pixels that a convolution works on at once. */
export const SCRATCH_CONV_PIXELS = 4;

const INT16_BYTES = 2;

/** Taps of a window over all its depth. */
export const kernelTaps = ({ kernelH, kernelW, inC }: ScratchShape): number =>
  kernelH * kernelW * inC;

/** int16 values between two rows of a depthwise convolution's filled channel. */
export const scratchPitch = (step: ScratchShape): number =>
  roundUp((step.outW - 1) * step.strideW + (step.kernelW - 1) * step.dilationW + 1, 2);

/** Rows of a depthwise convolution's filled channel. */
export const scratchRows = (step: ScratchShape): number =>
  (step.bandRows - 1) * step.strideH + (step.kernelH - 1) * step.dilationH + 1;

export function scratchBytes(step: ScratchShape): number {
  switch (step.kind) {
    case 'CONV_2D':
      // 4 pixels side by side for each tap, as int16.
      return roundUp(kernelTaps(step), 4) * SCRATCH_CONV_PIXELS * INT16_BYTES;
    case 'DEPTHWISE_CONV_2D':
      // One channel as int16 with its padding, and a pair more that is read beside the last tap.
      return scratchRows(step) * scratchPitch(step) * INT16_BYTES + 4;
    default:
      return 0;
  }
}
