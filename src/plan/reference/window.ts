import { clamp } from './fixed-point.ts';
import type { Node, NodeTensor, Step } from './node.ts';

/** One dimension of a window that slides over an image. */
export interface Window {
  readonly imageSize: number;
  readonly outputSize: number;
  readonly size: number;
  readonly stride: number;
  readonly dilation: number;
  /** Positions before the image's first that the first window covers. */
  readonly padding: number;
}

/** ComputePadding of tensorflow/lite/kernels/padding.h; VALID windows never need any. */
export function slide(sizes: Omit<Window, 'padding'>): Window {
  const covered = (sizes.size - 1) * sizes.dilation + 1;
  const total = (sizes.outputSize - 1) * sizes.stride + covered - sizes.imageSize;
  return { ...sizes, padding: Math.trunc(Math.max(0, total) / 2) };
}

/** Taps of a window at an output position that lie inside the image: first, and one past the last. */
export function insideTaps(
  { imageSize, size, dilation }: Pick<Window, 'imageSize' | 'size' | 'dilation'>,
  origin: number,
): readonly [first: number, end: number] {
  const first = clamp(Math.ceil(-origin / dilation), 0, size);
  const end = clamp(Math.ceil((imageSize - origin) / dilation), first, size);
  return [first, end];
}

/** One output pixel, and the part of its window that lies inside the image. */
export interface Place {
  readonly batch: number;
  /** Where the window's first tap lies in the image, or before it. */
  readonly originY: number;
  readonly originX: number;
  /** Taps inside: first, and one past the last. */
  readonly firstY: number;
  readonly endY: number;
  readonly firstX: number;
  readonly endX: number;
  /** Index of the output pixel's first channel. */
  readonly at: number;
}

/** Height and width. */
export type Pair = readonly [number, number];

/** Calls `compute` for each pixel of an operator's NHWC output. */
export function slideOver(
  node: Node,
  input: NodeTensor,
  output: NodeTensor,
  filter: Pair,
  dilation: Pair,
  compute: (place: Place) => void,
): Step {
  const along = (axis: 1 | 2, stride: string): Window =>
    slide({
      imageSize: input.shape[axis]!,
      outputSize: output.shape[axis]!,
      size: filter[axis - 1]!,
      stride: node.number(stride),
      dilation: dilation[axis - 1]!,
    });
  const [vertical, horizontal] = [along(1, 'strideH'), along(2, 'strideW')];
  const channels = output.shape[3]!;
  const row = (batch: number, outY: number): void => {
    const originY = outY * vertical.stride - vertical.padding;
    const [firstY, endY] = insideTaps(vertical, originY);
    for (let outX = 0; outX < horizontal.outputSize; outX++) {
      const originX = outX * horizontal.stride - horizontal.padding;
      const [firstX, endX] = insideTaps(horizontal, originX);
      const pixel = (batch * vertical.outputSize + outY) * horizontal.outputSize + outX;
      compute({ batch, originY, originX, firstY, endY, firstX, endX, at: pixel * channels });
    }
  };
  return () => {
    for (let batch = 0; batch < input.shape[0]!; batch++) {
      for (let outY = 0; outY < vertical.outputSize; outY++) row(batch, outY);
    }
  };
}
