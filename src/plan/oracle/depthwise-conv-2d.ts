import type { WindowStep } from '../format/steps.ts';
import { scratchBytes, scratchPitch } from '../scratch.ts';
import { locate, type Memory, type Run } from './memory.ts';
import { type Weighted, weightedOf } from './weighted.ts';

/** Output rows of a batch that are made at once. */
interface Band {
  readonly batch: number;
  readonly firstRow: number;
  readonly rows: number;
}

/** Fills the scratch with one channel of a band's input, input_zero around the image. */
function filler(
  step: WindowStep,
  memory: Memory,
  scratch: Int16Array,
): (band: Band, channel: number) => void {
  const { inH, inW, inC, inputZero } = step;
  const { values, at: image } = locate(memory, step.input);
  const pitch = scratchPitch(step);
  return ({ batch, firstRow, rows }, channel) => {
    const filled = (rows - 1) * step.strideH + (step.kernelH - 1) * step.dilationH + 1;
    for (let row = 0; row < filled; row++) {
      const y = firstRow * step.strideH - step.padTop + row;
      const from = image + (batch * inH + y) * inW * inC + channel;
      for (let column = 0; column < pitch; column++) {
        const x = column - step.padLeft;
        const isInside = y >= 0 && y < inH && x >= 0 && x < inW;
        scratch[row * pitch + column] = isInside ? values[from + x * inC]! : inputZero;
      }
    }
  };
}

/** Writes one output channel of a band. */
function multiplier(
  step: WindowStep,
  { rows: weights, taps, bias, requantize }: Weighted,
  arena: Int8Array,
  scratch: Int16Array,
): (band: Band, channel: number) => void {
  const { outH, outW, outC, kernelH, kernelW, dilationW } = step;
  const pitch = scratchPitch(step);
  const sumAt = (first: number, channel: number): number => {
    let sum = bias[channel]!;
    for (let y = 0; y < kernelH; y++) {
      const from = first + y * step.dilationH * pitch;
      const row = channel * taps + y * kernelW;
      for (let x = 0; x < kernelW; x++) {
        sum = (sum + Math.imul(weights[row + x]!, scratch[from + x * dilationW]!)) | 0;
      }
    }
    return sum;
  };
  return ({ batch, firstRow, rows }, channel) => {
    for (let row = 0; row < rows; row++) {
      const to = step.output + (batch * outH + firstRow + row) * outW * outC + channel;
      for (let x = 0; x < outW; x++) {
        const sum = sumAt(row * step.strideH * pitch + x * step.strideW, channel);
        arena[to + x * outC] = requantize(sum, channel);
      }
    }
  };
}

/**
 * For each band of output rows and each input channel: its rows into the scratch, then the output
 * channels that are made of it.
 */
export function depthwiseConv2d(step: WindowStep, memory: Memory): Run {
  const { arena } = memory;
  const scratch = new Int16Array(arena.buffer, step.scratch, scratchBytes(step) / 2);
  const fill = filler(step, memory, scratch);
  const multiply = multiplier(step, weightedOf(step, memory), arena, scratch);
  const perChannel = step.outC / step.inC;
  const runBand = (band: Band): void => {
    for (let channel = 0; channel < step.inC; channel++) {
      fill(band, channel);
      for (let index = 0; index < perChannel; index++) {
        multiply(band, channel * perChannel + index);
      }
    }
  };
  return () => {
    for (let batch = 0; batch < step.batches; batch++) {
      for (let firstRow = 0; firstRow < step.outH; firstRow += step.bandRows) {
        runBand({ batch, firstRow, rows: Math.min(step.bandRows, step.outH - firstRow) });
      }
    }
  };
}
