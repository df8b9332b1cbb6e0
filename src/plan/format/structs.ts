import { PLAN_COPY_RANK, PLAN_STEP_BYTES, type PlanKind } from './constants.ts';
import type {
  BinaryStep,
  CopyStep,
  FillStep,
  LookupStep,
  MeanStep,
  PlanStep,
  SoftmaxStep,
  WindowStep,
} from './steps.ts';

/** How a field's numbers lie, little-endian. `layout` is the byte of PLAN_LAYOUTS. */
export type FieldType = 'uint8' | 'int8' | 'uint16' | 'uint32' | 'int32' | 'layout';

/** What a uint32 means beyond its number. */
export type FieldRole =
  /** Nothing. */
  | 'number'
  /** An offset in the arena, or with PLAN_PLACE_CONSTANT one in the plan. */
  | 'place'
  /** An offset in the plan; 0 of a step that does without. */
  | 'constant';

export interface Field {
  /** Of the step's object, and in snake case of the C structure. */
  readonly name: string;
  readonly type: FieldType;
  readonly count: number;
  readonly role: FieldRole;
  /** From the step's start. */
  readonly offset: number;
}

/** One kind's structure after the common beginning, without its reserved bytes. */
export interface Struct {
  readonly fields: readonly Field[];
  readonly reservedOffsets: readonly number[];
  readonly sizeBytes: number;
}

const FIELD_BYTES: Readonly<Record<FieldType, number>> = {
  uint8: 1,
  int8: 1,
  uint16: 2,
  uint32: 4,
  int32: 4,
  layout: 1,
};

type Member = Pick<Field, 'name' | 'type' | 'count' | 'role'>;
type Name<S> = Exclude<keyof S, 'kind' | 'flags' | 'source'> & string;

const members =
  <S>(type: FieldType, count = 1, role: FieldRole = 'number') =>
  (...names: readonly Name<S>[]): Member[] =>
    names.map((name) => ({ name, type, count, role }));

const places = <S>(...names: readonly Name<S>[]): Member[] =>
  members<S>('uint32', 1, 'place')(...names);

/** Lays members out one after the other; the reserved bytes are the last. */
function struct(all: readonly Member[], reservedBytes = 0): Struct {
  let offset = PLAN_STEP_BYTES;
  const fields = all.map((member): Field => {
    const field = { ...member, offset };
    offset += FIELD_BYTES[member.type] * member.count;
    return field;
  });
  const reservedOffsets = Array.from({ length: reservedBytes }, (_, index) => offset + index);
  return { fields, reservedOffsets, sizeBytes: offset + reservedBytes };
}

const WINDOW = struct(
  [
    ...places<WindowStep>('input', 'output', 'scratch'),
    ...members<WindowStep>('uint32', 1, 'constant')('weights'),
    ...members<WindowStep>('uint32')('weightsBytes'),
    ...members<WindowStep>('uint32', 1, 'constant')('bias', 'multipliers', 'shifts'),
    ...members<WindowStep>('uint16')('batches', 'inH', 'inW', 'inC', 'outH', 'outW', 'outC'),
    ...members<WindowStep>('uint16')('bandRows'),
    ...members<WindowStep>('uint8')('kernelH', 'kernelW', 'strideH', 'strideW'),
    ...members<WindowStep>('uint8')('dilationH', 'dilationW', 'padTop', 'padLeft'),
    ...members<WindowStep>('int8')('inputZero', 'outputZero', 'min', 'max'),
    ...members<WindowStep>('layout')('layout'),
  ],
  3,
);

const BINARY = struct([
  ...places<BinaryStep>('a', 'b', 'output'),
  ...members<BinaryStep>('uint32', PLAN_COPY_RANK)('shape', 'aSteps', 'bSteps'),
  ...members<BinaryStep>('int32')('aMultiplier', 'bMultiplier', 'outputMultiplier'),
  ...members<BinaryStep>('int8')('aShift', 'bShift', 'outputShift'),
  ...members<BinaryStep>('int8')('aZero', 'bZero', 'outputZero', 'min', 'max'),
]);

/** As firmware/engine/plan_format.h. */
export const STRUCTS: Readonly<Record<PlanKind, Struct>> = {
  CONV_2D: WINDOW,
  DEPTHWISE_CONV_2D: WINDOW,
  FULLY_CONNECTED: WINDOW,
  AVERAGE_POOL_2D: WINDOW,
  MAX_POOL_2D: WINDOW,
  ADD: BINARY,
  SUB: BINARY,
  MUL: BINARY,
  LOOKUP: struct([
    ...places<LookupStep>('input', 'output'),
    ...members<LookupStep>('uint32')('sizeBytes'),
    ...members<LookupStep>('uint32', 1, 'constant')('table'),
  ]),
  SOFTMAX: struct([
    ...places<SoftmaxStep>('input', 'output'),
    ...members<SoftmaxStep>('uint32')('rows', 'depth'),
    ...members<SoftmaxStep>('int32')('multiplier', 'shift', 'least'),
  ]),
  MEAN: struct(
    [
      ...places<MeanStep>('input', 'output'),
      ...members<MeanStep>('uint32')('outer', 'reduced', 'inner'),
      ...members<MeanStep>('int32')('multiplier'),
      ...members<MeanStep>('int8')('shift', 'inputZero', 'outputZero'),
    ],
    1,
  ),
  COPY: struct([
    ...places<CopyStep>('input', 'output'),
    ...members<CopyStep>('uint32', PLAN_COPY_RANK)('shape', 'inputSteps', 'outputSteps'),
  ]),
  FILL: struct([
    ...places<FillStep>('output'),
    ...members<FillStep>('uint32')('sizeBytes'),
    ...members<FillStep>('int32')('value'),
  ]),
};

/** The numbers of a step by field, for code that goes by the tables above. */
export type FieldValues = Readonly<Record<string, number | readonly number[] | string>>;

export const fieldValues = (step: PlanStep): FieldValues => step as unknown as FieldValues;

/** The name of the C structure's field: `weightsBytes` is `weights_bytes`. */
export const cName = (name: string): string =>
  name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
