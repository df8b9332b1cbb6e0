import * as binary from './binary.ts';
import { matrixProduct } from './matrix-product.ts';
import * as moves from './moves.ts';
import { l2Normalization, logSoftmax } from './normalization.ts';
import type { OperationBuilder } from './operation.ts';
import { averagePool, maxPool } from './pool.ts';
import * as reduce from './reduce.ts';
import { resizeBilinear } from './resize.ts';
import { softmax } from './softmax.ts';
import { transposedConvolution } from './transposed-convolution.ts';
import * as unary from './unary.ts';
import { convolution, depthwiseConvolution, fullyConnected } from './weighted.ts';

/** How each operator goes forward and backward: all that int8 knows, but for ARG_MAX, which has no gradient. */
export const OPERATIONS: Readonly<Record<string, OperationBuilder>> = {
  CONV_2D: convolution,
  DEPTHWISE_CONV_2D: depthwiseConvolution,
  FULLY_CONNECTED: fullyConnected,
  TRANSPOSE_CONV: transposedConvolution,
  BATCH_MATMUL: matrixProduct,
  ADD: binary.add,
  SUB: binary.subtract,
  MUL: binary.multiply,
  MAXIMUM: binary.maximum,
  MINIMUM: binary.minimum,
  PRELU: binary.prelu,
  RELU: unary.relu,
  RELU6: unary.relu6,
  LEAKY_RELU: unary.leakyRelu,
  HARD_SWISH: unary.hardSwish,
  ELU: unary.elu,
  GELU: unary.gelu,
  ABS: unary.abs,
  LOGISTIC: unary.logistic,
  TANH: unary.tanh,
  SOFTMAX: softmax,
  LOG_SOFTMAX: logSoftmax,
  L2_NORMALIZATION: l2Normalization,
  MEAN: reduce.mean,
  REDUCE_MAX: reduce.largest,
  REDUCE_MIN: reduce.smallest,
  AVERAGE_POOL_2D: averagePool,
  MAX_POOL_2D: maxPool,
  RESIZE_BILINEAR: resizeBilinear,
  RESIZE_NEAREST_NEIGHBOR: moves.resizeNearest,
  RESHAPE: moves.renamed,
  SQUEEZE: moves.renamed,
  EXPAND_DIMS: moves.renamed,
  TRANSPOSE: moves.transpose,
  PAD: moves.pad,
  PADV2: moves.padWithValue,
  MIRROR_PAD: moves.mirrorPad,
  SLICE: moves.slice,
  STRIDED_SLICE: moves.stridedSlice,
  GATHER: moves.gather,
  SPLIT: moves.split,
  SPLIT_V: moves.splitInto,
  UNPACK: moves.unpack,
  CONCATENATION: moves.concatenation,
  PACK: moves.pack,
  TILE: moves.tile,
  REVERSE_V2: moves.reverse,
  SPACE_TO_DEPTH: moves.spaceToDepth,
  DEPTH_TO_SPACE: moves.depthToSpace,
  SPACE_TO_BATCH_ND: moves.spaceToBatch,
  BATCH_TO_SPACE_ND: moves.batchToSpace,
};
