import type { Kernel } from '../node.ts';
import { conv2d } from './conv-2d.ts';
import { depthwiseConv2d } from './depthwise-conv-2d.ts';
import { add, multiply, subtract } from './elementwise.ts';
import { fullyConnected } from './fully-connected.ts';
import { concatenate, copy, pad, stridedSlice } from './layout.ts';
import { mean } from './mean.ts';
import { averagePool2d, maxPool2d } from './pool-2d.ts';
import { softmax } from './softmax.ts';
import { lookUp, UNARY_TABLES } from './unary.ts';

/** By the schema's names. */
const KERNELS: ReadonlyMap<string, Kernel> = new Map([
  ['ADD', add],
  ['AVERAGE_POOL_2D', averagePool2d],
  ['CONCATENATION', concatenate],
  ['CONV_2D', conv2d],
  ['DEPTHWISE_CONV_2D', depthwiseConv2d],
  ['EXPAND_DIMS', copy],
  ['FULLY_CONNECTED', fullyConnected],
  ['MAX_POOL_2D', maxPool2d],
  ['MEAN', mean],
  ['MUL', multiply],
  ['PAD', pad],
  ['RESHAPE', copy],
  ['SOFTMAX', softmax],
  ['SQUEEZE', copy],
  ['STRIDED_SLICE', stridedSlice],
  ['SUB', subtract],
  ...[...UNARY_TABLES].map(([name, tableOf]) => [name, lookUp(tableOf)] as const),
]);

/** Undefined for an operator that the reference executor does not compute. */
export function kernelOf(operator: string): Kernel | undefined {
  return KERNELS.get(operator);
}
