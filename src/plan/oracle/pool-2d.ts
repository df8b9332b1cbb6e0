import type { WindowStep } from '../format/steps.ts';
import { clamp, INT8_MIN, roundedAverage } from '../reference/fixed-point.ts';
import { insideTaps } from '../reference/window.ts';
import { locate, type Memory, type Run } from './memory.ts';

/** The part of a window that lies inside the image, in elements of the arena. */
interface Patch {
  readonly first: number;
  readonly rows: number;
  readonly columns: number;
}

/** Output pixel by pixel, channel by channel. */
export function pool2d(step: WindowStep, memory: Memory): Run {
  const { arena } = memory;
  const { values, at } = locate(memory, step.input);
  const { inH, inW, inC, outH, outW, outC } = step;
  const rowBytes = inW * inC;
  const vertical = { imageSize: inH, size: step.kernelH, dilation: 1 };
  const horizontal = { imageSize: inW, size: step.kernelW, dilation: 1 };
  const patchOf = (batch: number, outY: number, outX: number): Patch => {
    const originY = outY * step.strideH - step.padTop;
    const originX = outX * step.strideW - step.padLeft;
    const [firstY, endY] = insideTaps(vertical, originY);
    const [firstX, endX] = insideTaps(horizontal, originX);
    const row = batch * inH + originY + firstY;
    const first = at + row * rowBytes + (originX + firstX) * inC;
    return { first, rows: endY - firstY, columns: endX - firstX };
  };
  const reduce = (patch: Patch, channel: number): number => {
    let [sum, max] = [0, INT8_MIN];
    for (let y = 0; y < patch.rows; y++) {
      for (let x = 0; x < patch.columns; x++) {
        const value = values[patch.first + y * rowBytes + x * inC + channel]!;
        sum += value;
        max = Math.max(max, value);
      }
    }
    return step.kind === 'MAX_POOL_2D' ? max : roundedAverage(sum, patch.rows * patch.columns);
  };
  return () => {
    for (let index = 0; index < step.batches * outH * outW; index++) {
      const row = Math.floor(index / outW);
      const patch = patchOf(Math.floor(row / outH), row % outH, index % outW);
      for (let channel = 0; channel < outC; channel++) {
        const to = step.output + index * outC + channel;
        arena[to] = clamp(reduce(patch, channel), step.min, step.max);
      }
    }
  };
}
