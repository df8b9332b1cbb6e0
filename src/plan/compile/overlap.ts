import { type Geometry, type Operation, type Program, programValue, sizeOf } from './program.ts';

/**
 * How an operation's output may lie over an input that nobody reads after it: the output's place plus `lag` is at
 * most the input's place, so that what is written was read before. `exact`: the places are the same.
 * The order in which the engine reads and writes decides it (docs/plan-format.md, Order).
 */
export type Overlap =
  | { readonly kind: 'behind'; readonly lag: number }
  | { readonly kind: 'exact' };

/** Pixels that a convolution works on at once. */
const BLOCK_PIXELS = 4;

/** The first value of the image that the window of an output pixel reads; past its end if none. */
function firstRead(geometry: Geometry, pixel: number): number {
  const { outW, strideH, strideW, padTop, padLeft, inH, inW, inC } = geometry;
  const y = Math.max(0, Math.floor(pixel / outW) * strideH - padTop);
  const x = Math.max(0, (pixel % outW) * strideW - padLeft);
  if (y >= inH) return inH * inW * inC;
  return (y * inW + Math.min(x, inW - 1)) * inC;
}

/**
 * The largest distance that writing gets ahead of reading, over blocks of so many pixels.
 * @param readsBlockFirst whether a block is read wholly before it is written
 */
function lagOf(geometry: Geometry, blockPixels: number, readsBlockFirst: boolean): number {
  const { outH, outW, outC, inH, inW, inC } = geometry;
  const pixels = outH * outW;
  let lag = -(inH * inW * inC);
  // From the last block back: the least value that is still read after the block was written.
  let least = inH * inW * inC;
  for (let first = Math.floor((pixels - 1) / blockPixels) * blockPixels; first >= 0; ) {
    const end = Math.min(first + blockPixels, pixels);
    const own = Array.from({ length: end - first }, (_, index) =>
      firstRead(geometry, first + index),
    );
    if (!readsBlockFirst) least = Math.min(least, ...own);
    if (end < pixels || !readsBlockFirst) lag = Math.max(lag, end * outC - least);
    least = Math.min(least, ...own);
    first -= blockPixels;
  }
  return lag;
}

/** @param input which of the operation's values it is about */
export function overlapOf(
  program: Program,
  operation: Operation,
  input: number,
  bandRows: number | undefined,
): Overlap | undefined {
  switch (operation.kind) {
    case 'CONV_2D':
      if (operation.batches > 1) return undefined;
      return { kind: 'behind', lag: lagOf(operation, BLOCK_PIXELS, true) };
    case 'DEPTHWISE_CONV_2D': {
      if (operation.batches > 1 || bandRows === undefined) return undefined;
      const isWhole = bandRows >= operation.outH && operation.outC === operation.inC;
      const isSmaller = operation.outH * operation.outW <= operation.inH * operation.inW;
      if (isWhole && isSmaller) return { kind: 'exact' };
      return { kind: 'behind', lag: lagOf(operation, bandRows * operation.outW, false) };
    }
    case 'AVERAGE_POOL_2D':
    case 'MAX_POOL_2D':
      if (operation.batches > 1) return undefined;
      return { kind: 'behind', lag: lagOf(operation, 1, false) };
    case 'LOOKUP':
    case 'SOFTMAX':
      return { kind: 'behind', lag: 0 };
    case 'ADD':
    case 'SUB':
    case 'MUL':
      // Only an operand of the output's own shape is read in the output's order; both being one value is no matter.
      return sizeOf(programValue(program, input)) ===
        sizeOf(programValue(program, operation.output))
        ? { kind: 'behind', lag: 0 }
        : undefined;
    default:
      return undefined;
  }
}
