import type { OperationBuilder } from './operation.ts';
import { averagePool } from './pool.ts';
import { renamed } from './simple.ts';
import { softmax } from './softmax.ts';
import { convolution, depthwiseConvolution, fullyConnected } from './weighted.ts';

/** How each operator goes forward and backward. */
export const OPERATIONS: Readonly<Record<string, OperationBuilder>> = {
  CONV_2D: convolution,
  DEPTHWISE_CONV_2D: depthwiseConvolution,
  FULLY_CONNECTED: fullyConnected,
  AVERAGE_POOL_2D: averagePool,
  RESHAPE: renamed,
  SQUEEZE: renamed,
  EXPAND_DIMS: renamed,
  SOFTMAX: softmax,
};
