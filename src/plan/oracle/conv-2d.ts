import type { WindowStep } from '../format/steps.ts';
import { SCRATCH_CONV_PIXELS, scratchBytes } from '../scratch.ts';
import { locate, type Memory, type Run } from './memory.ts';
import { type Weighted, weightedOf } from './weighted.ts';

/**
 * Fills the scratch with the windows of up to 4 pixels of a batch: [taps][4] int16. What lies
 * outside the image is input_zero.
 */
function filler(
  step: WindowStep,
  memory: Memory,
  scratch: Int16Array,
): (batch: number, first: number, count: number) => void {
  const { inH, inW, inC, kernelH, kernelW, inputZero } = step;
  const { values, at: image } = locate(memory, step.input);
  const fillTap = (batch: number, y: number, x: number, at: number): void => {
    const isInside = y >= 0 && y < inH && x >= 0 && x < inW;
    const from = image + ((batch * inH + y) * inW + x) * inC;
    for (let c = 0; c < inC; c++) {
      scratch[at + SCRATCH_CONV_PIXELS * c] = isInside ? values[from + c]! : inputZero;
    }
  };
  return (batch, first, count) => {
    for (let lane = 0; lane < count; lane++) {
      const pixel = first + lane;
      const originY = Math.floor(pixel / step.outW) * step.strideH - step.padTop;
      const originX = (pixel % step.outW) * step.strideW - step.padLeft;
      for (let tap = 0; tap < kernelH * kernelW; tap++) {
        const y = originY + Math.floor(tap / kernelW) * step.dilationH;
        const x = originX + (tap % kernelW) * step.dilationW;
        fillTap(batch, y, x, tap * inC * SCRATCH_CONV_PIXELS + lane);
      }
    }
  };
}

/** Writes all channels of the pixels in the scratch, from `at` on. */
function multiplier(
  { outC }: WindowStep,
  { rows, taps, bias, requantize }: Weighted,
  arena: Int8Array,
  scratch: Int16Array,
): (at: number, count: number) => void {
  const sums = new Int32Array(SCRATCH_CONV_PIXELS);
  return (at, count) => {
    for (let channel = 0; channel < outC; channel++) {
      const row = channel * taps;
      let [s0, s1, s2, s3] = [bias[channel]!, bias[channel]!, bias[channel]!, bias[channel]!];
      for (let tap = 0; tap < taps; tap++) {
        const weight = rows[row + tap]!;
        const values = tap * SCRATCH_CONV_PIXELS;
        s0 = (s0 + Math.imul(weight, scratch[values]!)) | 0;
        s1 = (s1 + Math.imul(weight, scratch[values + 1]!)) | 0;
        s2 = (s2 + Math.imul(weight, scratch[values + 2]!)) | 0;
        s3 = (s3 + Math.imul(weight, scratch[values + 3]!)) | 0;
      }
      sums[0] = s0;
      sums[1] = s1;
      sums[2] = s2;
      sums[3] = s3;
      for (let lane = 0; lane < count; lane++) {
        arena[at + lane * outC + channel] = requantize(sums[lane]!, channel);
      }
    }
  };
}

/** For each 4 pixels of a batch: all windows into the scratch, then all channels out of it. */
export function conv2d(step: WindowStep, memory: Memory): Run {
  const { arena } = memory;
  const scratch = new Int16Array(arena.buffer, step.scratch, scratchBytes(step) / 2);
  const fill = filler(step, memory, scratch);
  const multiply = multiplier(step, weightedOf(step, memory), arena, scratch);
  const pixels = step.outH * step.outW;
  return () => {
    scratch.fill(0);
    for (let batch = 0; batch < step.batches; batch++) {
      for (let first = 0; first < pixels; first += SCRATCH_CONV_PIXELS) {
        const count = Math.min(SCRATCH_CONV_PIXELS, pixels - first);
        fill(batch, first, count);
        multiply(step.output + (batch * pixels + first) * step.outC, count);
      }
    }
  };
}
