import type { TensorType } from './tensor-type.ts';

export type OptionKind = 'int8' | 'int32' | 'bool' | 'float32' | 'int32[]';

/** One field of an options table: `slot` is its number in the schema. */
export interface OptionField {
  readonly name: string;
  readonly slot: number;
  readonly kind: OptionKind;
  readonly default: number | boolean;
}

export interface OptionsSpec {
  /** Number in the union BuiltinOptions. */
  readonly type: number;
  readonly fields: readonly OptionField[];
  /** Whether the runtime reads garbage when the table is absent. */
  readonly required: boolean;
}

/**
 * What a builtin operator is to Dunlin. Numbers and defaults: tensorflow/lite/schema/schema.fbs.
 * `maxVersion`: the newest that TFLite 2.9.0 registers, found by loading each in the runtime.
 * `minVersion`: the first that knows a type, where that is not 1; the runtime ignores a lower
 * version and may compute something else.
 */
export interface OperatorSpec {
  readonly name: string;
  readonly maxVersion: number;
  readonly minVersion?: Partial<Record<TensorType, number>>;
  /** How many inputs, fewest and most; those from `optionalFrom` on may be -1. */
  readonly inputs: readonly [number, number];
  readonly optionalFrom?: number;
  /** How many outputs, fewest and most. */
  readonly outputs: readonly [number, number];
  /** Positions of inputs that steer the operator (shapes, axes) and must be constants. */
  readonly control?: readonly number[];
  /** Position of the input that holds the weights. */
  readonly weights?: number;
  readonly options?: OptionsSpec;
}

const field = (
  name: string,
  slot: number,
  kind: OptionKind,
  value: number | boolean = kind === 'bool' ? false : 0,
): OptionField => ({ name, slot, kind, default: value });

const options = (type: number, ...fields: OptionField[]): OptionsSpec => ({
  type,
  fields,
  required: fields.length > 0,
});

const activation = (slot: number) => field('fusedActivationFunction', slot, 'int8');

const CONV_OPTIONS = options(
  1,
  field('padding', 0, 'int8'),
  field('strideW', 1, 'int32'),
  field('strideH', 2, 'int32'),
  activation(3),
  field('dilationWFactor', 4, 'int32', 1),
  field('dilationHFactor', 5, 'int32', 1),
);

const DEPTHWISE_OPTIONS = options(
  2,
  field('padding', 0, 'int8'),
  field('strideW', 1, 'int32'),
  field('strideH', 2, 'int32'),
  field('depthMultiplier', 3, 'int32'),
  activation(4),
  field('dilationWFactor', 5, 'int32', 1),
  field('dilationHFactor', 6, 'int32', 1),
);

const POOL_OPTIONS = options(
  5,
  field('padding', 0, 'int8'),
  field('strideW', 1, 'int32'),
  field('strideH', 2, 'int32'),
  field('filterWidth', 3, 'int32'),
  field('filterHeight', 4, 'int32'),
  activation(5),
);

const FULLY_CONNECTED_OPTIONS = options(
  8,
  activation(0),
  field('weightsFormat', 1, 'int8'),
  field('keepNumDims', 2, 'bool'),
  field('asymmetricQuantizeInputs', 3, 'bool'),
);

const TRANSPOSE_CONV_OPTIONS = options(
  49,
  field('padding', 0, 'int8'),
  field('strideW', 1, 'int32'),
  field('strideH', 2, 'int32'),
  activation(3),
);

const STRIDED_SLICE_OPTIONS = options(
  32,
  field('beginMask', 0, 'int32'),
  field('endMask', 1, 'int32'),
  field('ellipsisMask', 2, 'int32'),
  field('newAxisMask', 3, 'int32'),
  field('shrinkAxisMask', 4, 'int32'),
  field('offset', 5, 'bool'),
);

const SVDF_OPTIONS = options(
  6,
  field('rank', 0, 'int32'),
  activation(1),
  field('asymmetricQuantizeInputs', 2, 'bool'),
);

const RESIZE_FLAGS = (first: number) => [
  field('alignCorners', first, 'bool'),
  field('halfPixelCenters', first + 1, 'bool'),
];

const RESHAPE_OPTIONS: OptionsSpec = {
  ...options(17, field('newShape', 0, 'int32[]')),
  required: false,
};

const POT_SCALE = field('potScaleInt16', 1, 'bool', true);
const one = [1, 1] as const;
const two = [2, 2] as const;

const SPECS: readonly OperatorSpec[] = [
  {
    name: 'CONV_2D',
    maxVersion: 5,
    minVersion: { int8: 3, int16: 4 },
    inputs: [3, 3],
    outputs: one,
    weights: 1,
    options: CONV_OPTIONS,
  },
  {
    name: 'DEPTHWISE_CONV_2D',
    maxVersion: 6,
    minVersion: { int8: 3, int16: 5 },
    inputs: [3, 3],
    outputs: one,
    weights: 1,
    options: DEPTHWISE_OPTIONS,
  },
  {
    name: 'FULLY_CONNECTED',
    maxVersion: 9,
    minVersion: { int8: 4, int16: 7 },
    inputs: [2, 3],
    optionalFrom: 2,
    outputs: one,
    weights: 1,
    options: FULLY_CONNECTED_OPTIONS,
  },
  {
    name: 'TRANSPOSE_CONV',
    maxVersion: 3,
    minVersion: { int8: 2 },
    inputs: [3, 4],
    optionalFrom: 3,
    outputs: one,
    control: [0],
    weights: 1,
    options: TRANSPOSE_CONV_OPTIONS,
  },
  {
    name: 'SVDF',
    maxVersion: 4,
    minVersion: { int8: 3 },
    inputs: [5, 5],
    optionalFrom: 3,
    outputs: one,
    weights: 1,
    options: SVDF_OPTIONS,
  },
  {
    name: 'AVERAGE_POOL_2D',
    maxVersion: 3,
    minVersion: { int8: 2, int16: 3 },
    inputs: one,
    outputs: one,
    options: POOL_OPTIONS,
  },
  {
    name: 'MAX_POOL_2D',
    maxVersion: 3,
    minVersion: { int8: 2, int16: 3 },
    inputs: one,
    outputs: one,
    options: POOL_OPTIONS,
  },
  {
    name: 'ADD',
    maxVersion: 4,
    minVersion: { int8: 2 },
    inputs: two,
    outputs: one,
    options: options(11, activation(0), POT_SCALE),
  },
  {
    name: 'SUB',
    maxVersion: 5,
    minVersion: { int8: 2 },
    inputs: two,
    outputs: one,
    options: options(28, activation(0), POT_SCALE),
  },
  {
    name: 'MUL',
    maxVersion: 5,
    minVersion: { int8: 2 },
    inputs: two,
    outputs: one,
    options: options(21, activation(0)),
  },
  {
    name: 'CONCATENATION',
    maxVersion: 3,
    minVersion: { int8: 2 },
    inputs: [1, 64],
    outputs: one,
    options: options(10, field('axis', 0, 'int32'), activation(1)),
  },
  {
    name: 'RESHAPE',
    maxVersion: 1,
    inputs: [1, 2],
    outputs: one,
    control: [1],
    options: RESHAPE_OPTIONS,
  },
  {
    name: 'SOFTMAX',
    maxVersion: 3,
    minVersion: { int8: 2, int16: 3 },
    inputs: one,
    outputs: one,
    options: options(9, field('beta', 0, 'float32')),
  },
  {
    name: 'PAD',
    maxVersion: 4,
    minVersion: { int8: 2 },
    inputs: two,
    outputs: one,
    control: [1],
    options: options(22),
  },
  {
    name: 'MEAN',
    maxVersion: 3,
    minVersion: { int8: 2 },
    inputs: two,
    outputs: one,
    control: [1],
    options: options(27, field('keepDims', 0, 'bool')),
  },
  {
    name: 'STRIDED_SLICE',
    maxVersion: 6,
    minVersion: { int8: 2 },
    inputs: [4, 4],
    outputs: one,
    control: [1, 2, 3],
    options: STRIDED_SLICE_OPTIONS,
  },
  {
    name: 'SPLIT',
    maxVersion: 4,
    minVersion: { int8: 2 },
    inputs: two,
    outputs: [1, 64],
    control: [0],
    options: options(35, field('numSplits', 0, 'int32')),
  },
  {
    name: 'RESIZE_BILINEAR',
    maxVersion: 4,
    minVersion: { int8: 2 },
    inputs: two,
    outputs: one,
    control: [1],
    options: options(15, ...RESIZE_FLAGS(2)),
  },
  {
    name: 'RESIZE_NEAREST_NEIGHBOR',
    maxVersion: 4,
    minVersion: { int8: 2 },
    inputs: two,
    outputs: one,
    control: [1],
    options: options(74, ...RESIZE_FLAGS(0)),
  },
  {
    name: 'LEAKY_RELU',
    maxVersion: 2,
    minVersion: { int8: 2 },
    inputs: one,
    outputs: one,
    options: options(75, field('alpha', 0, 'float32')),
  },
  {
    name: 'QUANTIZE',
    maxVersion: 3,
    inputs: one,
    outputs: one,
    options: options(89),
  },
  {
    name: 'DEQUANTIZE',
    maxVersion: 5,
    minVersion: { int8: 2, float16: 3 },
    inputs: one,
    outputs: one,
    options: options(38),
  },
  { name: 'HARD_SWISH', maxVersion: 1, inputs: one, outputs: one, options: options(91) },
  { name: 'LOGISTIC', maxVersion: 3, minVersion: { int8: 2 }, inputs: one, outputs: one },
  { name: 'TANH', maxVersion: 3, minVersion: { int8: 2 }, inputs: one, outputs: one },
  { name: 'RELU', maxVersion: 3, minVersion: { int8: 2 }, inputs: one, outputs: one },
  { name: 'RELU6', maxVersion: 3, minVersion: { int8: 2 }, inputs: one, outputs: one },
];

const BY_NAME = new Map(SPECS.map((spec) => [spec.name, spec]));

/** The operators that Dunlin reads, checks and writes; CUSTOM is apart. */
export const OPERATORS: readonly OperatorSpec[] = SPECS;

/** The one custom operator Dunlin lets through: a subgraph compiled for the Edge TPU. */
export const EDGETPU_CUSTOM_CODE = 'edgetpu-custom-op';

export function operatorSpec(name: string): OperatorSpec | undefined {
  return BY_NAME.get(name);
}
