import {
  isPool,
  isWeighted,
  type Operation,
  type Program,
  tapsOf,
  type WeightedOperation,
} from '../program.ts';

const MAX_UINT8 = 0xff;
const MAX_UINT16 = 0xffff;
/** Rows from which on the blocks of a convolution gain on a fully connected layer's one by one. */
const MIN_BLOCK_ROWS = 4;

/** A convolution whose one window is the whole image is a fully connected layer of all its values. */
export function asFullyConnected(program: Program): Program {
  const operations = program.operations.map((operation): Operation => {
    if (operation.kind !== 'CONV_2D') return operation;
    const { inH, inW, outH, outW, kernelH, kernelW, padTop, padLeft } = operation;
    const isWhole = inH === kernelH && inW === kernelW && padTop === 0 && padLeft === 0;
    const isDense = isWhole && (operation.dilationH === 1 || inH === 1);
    if (!isDense || outH !== 1 || outW !== 1 || (operation.dilationW !== 1 && inW !== 1)) {
      return operation;
    }
    const one = { inH: 1, inW: 1, kernelH: 1, kernelW: 1, strideH: 1, strideW: 1 };
    const rest = { dilationH: 1, dilationW: 1 };
    return { ...operation, kind: 'FULLY_CONNECTED', ...one, ...rest, inC: tapsOf(operation) };
  });
  return { ...program, operations };
}

const reads1x1 = ({
  kernelH,
  kernelW,
  strideH,
  strideW,
  padTop,
  padLeft,
}: WeightedOperation): boolean =>
  kernelH === 1 && kernelW === 1 && strideH === 1 && strideW === 1 && padTop === 0 && padLeft === 0;

/**
 * Convolutions of 1x1, and fully connected layers of many rows, see their values as one row of pixels: the engine
 * takes four pixels at once, of one row.
 */
export function flattenPointwise(program: Program): Program {
  const operations = program.operations.map((operation): Operation => {
    if (operation.kind !== 'CONV_2D' && operation.kind !== 'FULLY_CONNECTED') return operation;
    const { kind, batches, inH, inW, outH, outW } = operation;
    const pixels = batches * inH * inW;
    if (!reads1x1(operation) || inH !== outH || inW !== outW || pixels > MAX_UINT16)
      return operation;
    if (kind === 'FULLY_CONNECTED' && pixels < MIN_BLOCK_ROWS) return operation;
    const row = { batches: 1, inH: 1, inW: pixels, outH: 1, outW: pixels };
    return { ...operation, kind: 'CONV_2D', ...row };
  });
  return { ...program, operations };
}

/**
 * Windows over images of one column, as signals have them, go over one row instead, which lies the same in memory: the
 * engine is quick along a row.
 */
export function layColumns(program: Program): Program {
  const operations = program.operations.map((operation): Operation => {
    if (!isPool(operation) && (!isWeighted(operation) || operation.kind === 'FULLY_CONNECTED')) {
      return operation;
    }
    const { inW, outW, kernelW, padLeft } = operation;
    if (inW !== 1 || outW !== 1 || kernelW !== 1 || padLeft !== 0) return operation;
    const { kernelH, strideH, dilationH, padTop } = operation;
    // What no plan holds is refused by the names that the model has for it.
    if (Math.max(kernelH, strideH, dilationH, padTop) > MAX_UINT8) return operation;
    return {
      ...operation,
      ...{ inH: 1, inW: operation.inH, outH: 1, outW: operation.outH },
      ...{ kernelH: 1, kernelW: operation.kernelH },
      ...{ strideH: operation.strideW, strideW: operation.strideH },
      ...{ dilationH: operation.dilationW, dilationW: operation.dilationH },
      ...{ padTop: 0, padLeft: operation.padTop },
    };
  });
  return { ...program, operations };
}
