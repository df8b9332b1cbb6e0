import {
  PLAN_COPY_RANK,
  PLAN_NARROW_SUMS,
  PLAN_SHARED_MULTIPLIER,
  PLAN_UNBROKEN_SUMS,
} from '../format/constants.ts';
import type { ConstantsBuilder } from '../format/encode.ts';
import { constantPlace, type PlanStep, type WindowStep } from '../format/steps.ts';
import { broadcastStrides } from '../reference/kernels/strides.ts';
import {
  type BinaryOperation,
  type Block,
  isBinary,
  isPool,
  isWeighted,
  type MoveOperation,
  type Operation,
  type PoolOperation,
  type Program,
  programValue,
  refuseOperation,
  sizeOf,
  type WeightedOperation,
} from './program.ts';
import { foldedBias, hasNarrowSums, hasUnbrokenSums, type PackedWeights } from './weights.ts';

const MAX_UINT16 = 0xffff;
const MAX_UINT8 = 0xff;

/** What an operation is given by the plan around it. */
export interface Surroundings {
  readonly program: Program;
  readonly constants: ConstantsBuilder;
  readonly weights: ReadonlyMap<WeightedOperation, PackedWeights>;
  /** In the arena. */
  readonly placeOf: (id: number) => number;
  readonly scratch: number;
  readonly bandRows: number;
}

/** Constants are written where they are first read. */
function readPlace({ program, constants, placeOf }: Surroundings, id: number): number {
  const { values } = programValue(program, id);
  return values === undefined ? placeOf(id) : constantPlace(constants.append(values));
}

const SIZES_16 = ['batches', 'inH', 'inW', 'inC', 'outH', 'outW', 'outC'] as const;
const SIZES_8 = [
  ...(['kernelH', 'kernelW', 'strideH', 'strideW', 'dilationH', 'dilationW'] as const),
  ...(['padTop', 'padLeft'] as const),
];

function requireSizes(program: Program, operation: WeightedOperation | PoolOperation): void {
  const wrong =
    SIZES_16.find((name) => operation[name] > MAX_UINT16) ??
    SIZES_8.find((name) => operation[name] > MAX_UINT8);
  if (wrong === undefined) return;
  const most = operation[wrong] > MAX_UINT16 || SIZES_16.some((name) => name === wrong);
  refuseOperation(
    program,
    operation.source,
    `${wrong} is ${operation[wrong]}; a plan holds up to ${most ? MAX_UINT16 : MAX_UINT8}`,
  );
}

/** What convolutions, fully connected layers and pools have in common. */
function window(
  around: Surroundings,
  operation: WeightedOperation | PoolOperation,
): Omit<
  WindowStep,
  'flags' | 'weights' | 'weightsBytes' | 'bias' | 'multipliers' | 'shifts' | 'layout'
> {
  const { program, placeOf, scratch, bandRows } = around;
  requireSizes(program, operation);
  const { batches, inH, inW, inC, outH, outW, outC } = operation;
  const { kernelH, kernelW, strideH, strideW, dilationH, dilationW } = operation;
  return {
    kind: operation.kind,
    source: operation.source,
    input: readPlace(around, operation.input),
    output: placeOf(operation.output),
    scratch,
    ...{ batches, inH, inW, inC, outH, outW, outC, bandRows },
    ...{ kernelH, kernelW, strideH, strideW, dilationH, dilationW },
    ...{ padTop: operation.padTop, padLeft: operation.padLeft },
    inputZero: programValue(program, operation.input).zeroPoint,
    outputZero: programValue(program, operation.output).zeroPoint,
    ...{ min: operation.min, max: operation.max },
  };
}

/** So many values, of which there is one for all or one for each. */
const each = <T extends Int32Array | Int8Array>(values: T, count: number): T =>
  (values.length === 1 && count > 1
    ? new (values.constructor as new (length: number) => T)(count).fill(values[0]!)
    : values.slice(0, count)) as T;

function weighted(around: Surroundings, operation: WeightedOperation): WindowStep {
  const { program, constants } = around;
  const { layout, bytes } = around.weights.get(operation)!;
  const bias = foldedBias(operation, programValue(program, operation.input).zeroPoint);
  const [multiplier, shift] = [operation.multipliers[0]!, operation.shifts[0]!];
  // The engine's blocks of a convolution take a multiplier for each channel.
  const isShared =
    operation.kind !== 'CONV_2D' &&
    operation.multipliers.every((value) => value === multiplier) &&
    operation.shifts.every((value) => value === shift);
  const used = isShared ? 1 : operation.outC;
  const flags =
    (isShared ? PLAN_SHARED_MULTIPLIER : 0) |
    (hasNarrowSums(operation, bias) ? PLAN_NARROW_SUMS : 0) |
    (layout === 'PAIRS' && hasUnbrokenSums(operation) ? PLAN_UNBROKEN_SUMS : 0);
  return {
    ...window(around, operation),
    flags,
    layout,
    weights: constants.append(bytes),
    weightsBytes: bytes.length,
    bias: constants.append(bias),
    multipliers: constants.append(each(operation.multipliers, used)),
    shifts: constants.append(each(operation.shifts, used)),
  };
}

function pool(around: Surroundings, operation: PoolOperation): WindowStep {
  const none = { weights: 0, weightsBytes: 0, bias: 0, multipliers: 0, shifts: 0 };
  const zeros = { inputZero: 0, outputZero: 0 };
  return { ...window(around, operation), ...zeros, ...none, flags: 0, layout: 'DENSE' };
}

/** One dimension of a loop over several tensors. */
interface Dimension {
  readonly size: number;
  readonly steps: readonly number[];
}

/** Dimensions of 1 go, and neighbours that all tensors walk in one stride become one. */
function collapse(dimensions: readonly Dimension[]): Dimension[] {
  const kept: Dimension[] = [];
  for (const dimension of dimensions) {
    if (dimension.size === 1) continue;
    const outer = kept.at(-1);
    const joins = outer?.steps.every(
      (step, index) => step === dimension.steps[index]! * dimension.size,
    );
    if (outer === undefined || !joins) kept.push(dimension);
    else kept[kept.length - 1] = { size: outer.size * dimension.size, steps: dimension.steps };
  }
  return kept;
}

/** Four dimensions, the outer ones of 1. */
function fourDimensions(
  program: Program,
  source: number,
  shape: readonly number[],
  steps: readonly (readonly number[])[],
): { readonly shape: number[]; readonly steps: number[][] } {
  const found = collapse(
    shape.map((size, axis) => ({ size, steps: steps.map((own) => own[axis]!) })),
  );
  if (found.length > PLAN_COPY_RANK) {
    refuseOperation(
      program,
      source,
      `it goes through ${found.length} dimensions that do not join; a plan holds ${PLAN_COPY_RANK}`,
    );
  }
  const missing = Array.from({ length: PLAN_COPY_RANK - found.length }, () => ({
    size: 1,
    steps: steps.map(() => 0),
  }));
  const all = [...missing, ...found];
  return {
    shape: all.map(({ size }) => size),
    steps: steps.map((_, index) => all.map((dimension) => dimension.steps[index]!)),
  };
}

function binary(around: Surroundings, operation: BinaryOperation): PlanStep {
  const { program, placeOf } = around;
  const [a, b] = [programValue(program, operation.a), programValue(program, operation.b)];
  const output = programValue(program, operation.output);
  const { by, kind, source, min, max } = operation;
  const { shape, steps } = fourDimensions(program, source, output.shape, [
    broadcastStrides(operation.aShape, output.shape),
    broadcastStrides(operation.bShape, output.shape),
  ]);
  return {
    ...{ kind, source, flags: 0, min, max },
    a: readPlace(around, operation.a),
    b: readPlace(around, operation.b),
    output: placeOf(operation.output),
    ...{ shape, aSteps: steps[0]!, bSteps: steps[1]! },
    ...{ aMultiplier: by.a.value, bMultiplier: by.b.value, outputMultiplier: by.output.value },
    ...{ aShift: by.a.shift, bShift: by.b.shift, outputShift: by.output.shift },
    ...{ aZero: a.zeroPoint, bZero: b.zeroPoint, outputZero: output.zeroPoint },
  };
}

function copy(around: Surroundings, operation: MoveOperation, block: Block): PlanStep {
  const { shape, steps } = fourDimensions(around.program, operation.source, block.shape, [
    block.inputSteps,
    block.outputSteps,
  ]);
  return {
    kind: 'COPY',
    source: operation.source,
    flags: 0,
    input: readPlace(around, block.input) + block.inputFirst,
    output: around.placeOf(operation.output) + block.outputFirst,
    ...{ shape, inputSteps: steps[0]!, outputSteps: steps[1]! },
  };
}

function move(around: Surroundings, operation: MoveOperation): PlanStep[] {
  const { program, placeOf } = around;
  const { fill, source } = operation;
  const sizeBytes = sizeOf(programValue(program, operation.output));
  const output = placeOf(operation.output);
  const filling: PlanStep[] =
    fill === undefined ? [] : [{ kind: 'FILL', source, flags: 0, output, sizeBytes, value: fill }];
  return [...filling, ...operation.blocks.map((block) => copy(around, operation, block))];
}

/** The steps of an operation. @throws DunlinError model-unsupported for sizes that a plan cannot hold */
export function emitOperation(around: Surroundings, operation: Operation): PlanStep[] {
  const { program, constants, placeOf } = around;
  if (isWeighted(operation)) return [weighted(around, operation)];
  if (isPool(operation)) return [pool(around, operation)];
  if (isBinary(operation)) return [binary(around, operation)];
  if (operation.kind === 'MOVE') return move(around, operation);
  const ends = {
    source: operation.source,
    flags: 0,
    input: readPlace(around, operation.input),
    output: placeOf(operation.output),
  };
  if (operation.kind === 'LOOKUP') {
    const sizeBytes = sizeOf(programValue(program, operation.output));
    return [{ kind: 'LOOKUP', ...ends, sizeBytes, table: constants.append(operation.table) }];
  }
  if (operation.kind === 'SOFTMAX') {
    const { depth, rows, multiplier, shift, least } = operation;
    return [{ kind: 'SOFTMAX', ...ends, rows, depth, multiplier, shift, least }];
  }
  const { outer, reduced, inner, multiplier, shift } = operation;
  const inputZero = programValue(program, operation.input).zeroPoint;
  const outputZero = programValue(program, operation.output).zeroPoint;
  return [
    { kind: 'MEAN', ...ends, outer, reduced, inner, multiplier, shift, inputZero, outputZero },
  ];
}
