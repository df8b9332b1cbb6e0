import {
  PLAN_NARROW_MAX_SHIFT,
  PLAN_NARROW_MAX_SUM,
  PLAN_NARROW_MIN_SHIFT,
  PLAN_UNBROKEN_MAX_SUM,
  type PlanLayout,
  type PlanTarget,
} from '../format/constants.ts';
import { packDense, packPairs, packRuns } from '../format/weights.ts';
import { macsOf, tapsOf, type WeightedOperation } from './program.ts';

/** Weights of one operation as they go into a plan. */
export interface PackedWeights {
  readonly layout: PlanLayout;
  readonly bytes: Uint8Array;
}

/** How many instructions of an inner loop go into a tap, or into an entry of RUNS: see docs/PERFORMANCE.md. */
interface LoopCost {
  readonly tap: number;
  readonly entry: number;
}

const DSP_CONVOLUTION: LoopCost = { tap: 0.8, entry: 2.2 };
const DSP_FULLY_CONNECTED: LoopCost = { tap: 1.15, entry: 5.7 };
/** Portable C: a tap's load and product, and an entry's gap beside them. */
const PORTABLE: LoopCost = { tap: 5, entry: 8 };

const hasDsp = (target: PlanTarget): boolean => target === 'CORTEX_M4' || target === 'CORTEX_M55';

function dense(operation: WeightedOperation, target: PlanTarget): PackedWeights {
  const { kind, weights, outC } = operation;
  const taps = tapsOf(operation);
  if (hasDsp(target) && kind !== 'DEPTHWISE_CONV_2D') {
    const pairs = packPairs(weights, outC, taps);
    if (pairs !== undefined) return { layout: 'PAIRS', bytes: pairs };
  }
  return { layout: 'DENSE', bytes: packDense(weights, outC, taps) };
}

interface Choice {
  readonly operation: WeightedOperation;
  readonly dense: PackedWeights;
  readonly runs: PackedWeights;
  /** What runs cost more than dense, in instructions; less than nothing if they gain. */
  readonly extra: number;
}

function compare(operation: WeightedOperation, target: PlanTarget): Choice[] {
  const taps = tapsOf(operation);
  const runs = packRuns(operation.weights, operation.outC, taps);
  if (runs === undefined) return [];
  const cost = !hasDsp(target)
    ? PORTABLE
    : operation.kind === 'CONV_2D'
      ? DSP_CONVOLUTION
      : DSP_FULLY_CONNECTED;
  // Four weight bytes and two of gaps for every four entries, and two for a row.
  const entries = ((runs.length - 2 * operation.outC) / 6) * 4;
  const uses = macsOf(operation) / (operation.outC * taps);
  const extra = uses * (entries * cost.entry - operation.outC * taps * cost.tap);
  const choice = { operation, dense: dense(operation, target), extra };
  return [{ ...choice, runs: { layout: 'RUNS', bytes: runs } }];
}

/**
 * A layout for the weights of every operation: RUNS wherever they are smaller, as long as the plan as a whole takes no
 * more instructions for it. Where it would, the dearest for what they save stay dense.
 * @param smallest whether bytes count alone
 */
export function packWeights(
  operations: readonly WeightedOperation[],
  target: PlanTarget,
  smallest: boolean,
): ReadonlyMap<WeightedOperation, PackedWeights> {
  const packed = new Map(operations.map((operation) => [operation, dense(operation, target)]));
  const sparse = operations
    .filter(({ kind }) => kind !== 'DEPTHWISE_CONV_2D')
    .flatMap((operation) => compare(operation, target))
    .filter((choice) => choice.runs.bytes.length < choice.dense.bytes.length)
    .map((choice) => ({
      ...choice,
      price: choice.extra / (choice.dense.bytes.length - choice.runs.bytes.length),
    }))
    .sort((a, b) => a.price - b.price);
  let budget = 0;
  for (const { operation, runs, extra } of sparse) {
    if (budget + extra > 0 && !smallest) continue;
    budget += extra;
    packed.set(operation, runs);
  }
  return packed;
}

/** Biases with the input's zero point over the whole window in them. They wrap as the kernels' int32 does. */
export function foldedBias(operation: WeightedOperation, inputZero: number): Int32Array {
  const taps = tapsOf(operation);
  return operation.bias.map((bias, channel) => {
    let sum = 0;
    for (let tap = 0; tap < taps; tap++) sum += operation.weights[channel * taps + tap]!;
    return (bias - Math.imul(sum, inputZero)) | 0;
  });
}

/** The most that the products of a row can be from 0: inputs are at most 128 from it. */
function mostOf(operation: WeightedOperation, channel: number): number {
  const taps = tapsOf(operation);
  let most = 0;
  for (let tap = 0; tap < taps; tap++) {
    most += Math.abs(operation.weights[channel * taps + tap]!) * 128;
  }
  return most;
}

/** Whether no sum leaves 2^30 and every shift is what the engine's short way takes. */
export function hasNarrowSums(operation: WeightedOperation, bias: Int32Array): boolean {
  const shifts = operation.shifts.every(
    (shift) => shift >= PLAN_NARROW_MIN_SHIFT && shift <= PLAN_NARROW_MAX_SHIFT,
  );
  if (!shifts) return false;
  return bias.every(
    (value, channel) => Math.abs(value) + mostOf(operation, channel) < PLAN_NARROW_MAX_SUM,
  );
}

/** Whether 256 times the sum of each high row of PAIRS fits into 32 bits. */
export function hasUnbrokenSums(operation: WeightedOperation): boolean {
  for (let channel = 1; channel < operation.outC; channel += 2) {
    if (mostOf(operation, channel) >= PLAN_UNBROKEN_MAX_SUM) return false;
  }
  return true;
}
