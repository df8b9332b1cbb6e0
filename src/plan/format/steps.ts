import { PLAN_PLACE_CONSTANT, PLAN_SHARED_MULTIPLIER, type PlanLayout } from './constants.ts';

/**
 * The steps of an execution plan as objects: the fields of firmware/engine/plan_format.h in camel
 * case. Sizes are in bytes, which are elements, since every tensor is int8.
 */

/** What every step begins with. */
interface StepBase {
  /** PLAN_SHARED_MULTIPLIER and PLAN_NARROW_SUMS; 0 of a step without weights. */
  readonly flags: number;
  /** The model's operator that it comes from, the first if several. */
  readonly source: number;
}

/** NHWC. A pool has no weights: offsets, weightsBytes and layout are 0 and DENSE. */
export interface WindowStep extends StepBase {
  readonly kind:
    | 'CONV_2D'
    | 'DEPTHWISE_CONV_2D'
    | 'FULLY_CONNECTED'
    | 'AVERAGE_POOL_2D'
    | 'MAX_POOL_2D';
  /** Constants too. */
  readonly input: number;
  /** In the arena, as `scratch`. */
  readonly output: number;
  /** A multiple of 4; `scratchBytes` of it. */
  readonly scratch: number;
  /** Offset of constants, a multiple of 4, as those of bias and multipliers. */
  readonly weights: number;
  readonly weightsBytes: number;
  /** int32 [outC]. */
  readonly bias: number;
  /** int32 [outC] or [1], times 2^-31, 0 or more. */
  readonly multipliers: number;
  /** int8 [outC] or [1], left if positive: -31 to 30. */
  readonly shifts: number;
  readonly batches: number;
  readonly inH: number;
  readonly inW: number;
  readonly inC: number;
  readonly outH: number;
  readonly outW: number;
  readonly outC: number;
  /** Output rows of a depthwise convolution made of one filling of the scratch; of others 0. */
  readonly bandRows: number;
  readonly kernelH: number;
  readonly kernelW: number;
  readonly strideH: number;
  readonly strideW: number;
  readonly dilationH: number;
  readonly dilationW: number;
  readonly padTop: number;
  readonly padLeft: number;
  readonly inputZero: number;
  readonly outputZero: number;
  readonly min: number;
  readonly max: number;
  readonly layout: PlanLayout;
}

/** Broadcasting: a step of 0 repeats an operand along a dimension. */
export interface BinaryStep extends StepBase {
  readonly kind: 'ADD' | 'SUB' | 'MUL';
  /** Constants too, as `b`. */
  readonly a: number;
  readonly b: number;
  /** In the arena, row-major. */
  readonly output: number;
  /** Four dimensions, as of the steps, which are in elements. */
  readonly shape: readonly number[];
  readonly aSteps: readonly number[];
  readonly bSteps: readonly number[];
  /** Of MUL 0, as `bMultiplier`. */
  readonly aMultiplier: number;
  readonly bMultiplier: number;
  readonly outputMultiplier: number;
  readonly aShift: number;
  readonly bShift: number;
  readonly outputShift: number;
  readonly aZero: number;
  readonly bZero: number;
  readonly outputZero: number;
  readonly min: number;
  readonly max: number;
}

/** output = table[input + 128]. In place too. */
export interface LookupStep extends StepBase {
  readonly kind: 'LOOKUP';
  /** Constants too. */
  readonly input: number;
  readonly output: number;
  readonly sizeBytes: number;
  /** Offset of constants: int8 [256]. */
  readonly table: number;
}

/** Over each row. In place too. */
export interface SoftmaxStep extends StepBase {
  readonly kind: 'SOFTMAX';
  /** Constants too. */
  readonly input: number;
  readonly output: number;
  readonly rows: number;
  readonly depth: number;
  readonly multiplier: number;
  readonly shift: number;
  /** Differences from the maximum below this count as nothing; at most 0. */
  readonly least: number;
}

/** [outer, reduced, inner] to [outer, inner]. */
export interface MeanStep extends StepBase {
  readonly kind: 'MEAN';
  /** Constants too. */
  readonly input: number;
  readonly output: number;
  readonly outer: number;
  readonly reduced: number;
  readonly inner: number;
  /** The division by `reduced` is in it. */
  readonly multiplier: number;
  readonly shift: number;
  readonly inputZero: number;
  readonly outputZero: number;
}

/** Moves a block element by element, the last dimension first. */
export interface CopyStep extends StepBase {
  readonly kind: 'COPY';
  /** Of the first element; constants too. */
  readonly input: number;
  readonly output: number;
  /** Four dimensions, as of the steps, which are in elements. */
  readonly shape: readonly number[];
  readonly inputSteps: readonly number[];
  readonly outputSteps: readonly number[];
}

export interface FillStep extends StepBase {
  readonly kind: 'FILL';
  readonly output: number;
  readonly sizeBytes: number;
  /** An int8. */
  readonly value: number;
}

export type PlanStep =
  | WindowStep
  | BinaryStep
  | LookupStep
  | SoftmaxStep
  | MeanStep
  | CopyStep
  | FillStep;

/** An int8 tensor that the caller fills or reads. */
export interface PlanIo {
  /** In the arena. */
  readonly place: number;
  readonly sizeBytes: number;
  /** A float32. */
  readonly scale: number;
  readonly zeroPoint: number;
  /** At most 6 dimensions. */
  readonly shape: readonly number[];
}

/** The place of a constant that lies at an offset of the plan (or of its constants). */
export const constantPlace = (offset: number): number => offset + PLAN_PLACE_CONSTANT;

/** Whether a place is in the plan, not in the arena. */
export const isConstantPlace = (place: number): boolean => place >= PLAN_PLACE_CONSTANT;

/** A place without the constant bit: an offset in the arena or in the plan. */
export const placeOffset = (place: number): number =>
  isConstantPlace(place) ? place - PLAN_PLACE_CONSTANT : place;

/** Whether a step has weights, a bias and multipliers. */
export const isWeighted = ({ kind }: PlanStep): boolean =>
  kind === 'CONV_2D' || kind === 'DEPTHWISE_CONV_2D' || kind === 'FULLY_CONNECTED';

/** Weights of one output channel: taps of its window over the depth that it sees. */
export const rowTaps = ({ kind, kernelH, kernelW, inC }: WindowStep): number =>
  kernelH * kernelW * (kind === 'DEPTHWISE_CONV_2D' ? 1 : inC);

/** Multipliers and shifts of a weighted step: one for all, or one for each channel. */
export const multiplierCount = ({ flags, outC }: WindowStep): number =>
  (flags & PLAN_SHARED_MULTIPLIER) !== 0 ? 1 : outC;
