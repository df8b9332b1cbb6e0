import {
  elementCount,
  type Graph,
  type TfliteOperator,
  type TfliteTensor,
} from '../tflite/index.ts';

/**
 * What the Edge TPU can run, as of edgetpu_compiler 16 and Edge TPU runtime 14.
 *
 * @see coral.ai/docs/edgetpu/models-intro, "Model requirements", "Supported operations" (Table 1)
 * @see developer.axis.com, "ARTPEC-7: supported ops", the same table for a camera with this chip
 *
 * Written down nowhere, and so not here: from which size on the compiler leaves RESHAPE, MEAN,
 * TRANSPOSE, TRANSPOSE_CONV and the resizers to the CPU; which versions of operators it knows.
 */
export interface EdgeTpuRule {
  /** Positions of inputs, besides the operator table's weights, that must be 8-bit constants. */
  readonly parameters?: readonly number[];
  /** Position of the int32 bias. */
  readonly bias?: number;
  /** Positions of the inputs that count, where the others are state of other types. */
  readonly only?: readonly number[];
  readonly limits?: readonly Limit[];
}

/** What is wrong and what would fix it; undefined if it keeps to the limit. */
export type Limit = (operator: OperatorFacts) => string | undefined;

/** Innermost dimensions that may be larger than 1 (model requirements): y, x and z. */
export const INNER_DIMENSIONS = 3;
/** Table 1, Softmax. */
const MAX_SOFTMAX_ELEMENTS = 16_000;
/** Table 1, Mean: what the number of channels must be a multiple of, to be averaged over. */
const MEAN_CHANNELS_STEP = 4;
/** schema.fbs, ActivationFunctionType, in the order of its numbers. */
const ACTIVATIONS = ['NONE', 'RELU', 'RELU_N1_TO_1', 'RELU6', 'TANH', 'SIGN_BIT'];

/** One operator with its tensors. */
export class OperatorFacts {
  readonly graph: Graph;
  readonly name: string;
  readonly operator: TfliteOperator;
  readonly inputs: readonly (TfliteTensor | undefined)[];
  readonly outputs: readonly TfliteTensor[];

  /** @throws DunlinError model-malformed for an index out of range */
  constructor(graph: Graph, operator: TfliteOperator) {
    this.graph = graph;
    this.name = graph.code(operator).builtin;
    this.operator = operator;
    this.inputs = operator.inputs.map((index) => (index < 0 ? undefined : graph.tensor(index)));
    this.outputs = operator.outputs.map((index) => graph.tensor(index));
  }

  isConstant(position: number): boolean {
    const tensor = this.inputs[position];
    return tensor !== undefined && this.graph.isConstant(tensor);
  }

  /** Numbers of a constant input; none of one that is computed or left out. */
  constants(position: number): readonly number[] {
    const tensor = this.inputs[position];
    return tensor === undefined ? [] : this.graph.values(tensor);
  }

  shape(position: number): readonly number[] {
    return this.inputs[position]?.shape ?? [];
  }

  get outputShape(): readonly number[] {
    return this.outputs[0]?.shape ?? [];
  }

  number(option: string): number {
    return Number(this.operator.options[option] ?? 0);
  }
}

/** The tensor's dimension that an axis names; negative ones count from the end. */
const dimensionOf = (axis: number, rank: number): number => (axis < 0 ? axis + rank : axis);

/** Whether a dimension lies outside the three innermost; the table calls that the batch. */
const isBatch = (dimension: number, rank: number): boolean => dimension < rank - INNER_DIMENSIONS;

/** Whether all but the innermost dimension are 1. */
const isVector = (shape: readonly number[]): boolean => elementCount(shape) === (shape.at(-1) ?? 1);

const noFusedActivation: Limit = (operator) => {
  const fused = operator.number('fusedActivationFunction');
  if (fused === 0) return undefined;
  const name = ACTIVATIONS[fused] ?? `activation ${fused}`;
  return `has ${name} fused into it: make that an operator of its own`;
};

const equalDilation: Limit = (operator) => {
  const width = operator.number('dilationWFactor');
  const height = operator.number('dilationHFactor');
  if (width === height) return undefined;
  return `dilates by ${height} in height and ${width} in width: make both the same`;
};

const paddingByConcatenation: Limit = (operator) => {
  const { inputs } = operator;
  const constants = inputs.flatMap((_, index) => (operator.isConstant(index) ? [index] : []));
  if (constants.length === 0) return undefined;
  if (inputs.length !== 2) {
    return `joins ${inputs.length} inputs, one of them constant: with a constant, only 2 are taken`;
  }
  const isZero = (index: number): boolean => {
    const zero = inputs[index]?.quantization?.zeroPoint[0] ?? 0;
    return operator.constants(index).every((value) => value === zero);
  };
  return constants.every(isZero)
    ? undefined
    : 'joins a constant that is not all zeros: only zeros are taken';
};

const plainWeights: Limit = (operator) => {
  const format = operator.number('weightsFormat');
  return format === 0 ? undefined : `has weights in format ${format}: store them plainly (0)`;
};

const vectorOutput: Limit = ({ outputShape }) =>
  isVector(outputShape)
    ? undefined
    : `gives [${outputShape}], ${elementCount(outputShape.slice(0, -1))} vectors at once: one is \
taken, so use a batch of 1, or a 1 x 1 convolution`;

const shortVector: Limit = (operator) => {
  const shape = operator.shape(0);
  if (!isVector(shape)) {
    return `works on [${shape}], ${elementCount(shape.slice(0, -1))} vectors at once: one is taken`;
  }
  const count = elementCount(shape);
  if (count <= MAX_SOFTMAX_ELEMENTS) return undefined;
  return `works on ${count} values: at most ${MAX_SOFTMAX_ELEMENTS} are taken`;
};

const notOverBatch: Limit = (operator) => {
  const rank = operator.shape(0).length;
  const over = operator.constants(1).find((axis) => isBatch(dimensionOf(axis, rank), rank));
  if (over === undefined) return undefined;
  return `reduces over dimension ${dimensionOf(over, rank)}, the batch: leave that one out`;
};

const evenChannels: Limit = (operator) => {
  const shape = operator.shape(0);
  const last = shape.length - 1;
  const overChannels = operator
    .constants(1)
    .some((axis) => dimensionOf(axis, shape.length) === last);
  const channels = shape[last] ?? 0;
  if (!overChannels || channels % MEAN_CHANNELS_STEP === 0) return undefined;
  return `averages over ${channels} channels: make them a multiple of ${MEAN_CHANNELS_STEP}`;
};

const noBatchPadding: Limit = (operator) => {
  const rank = operator.shape(0).length;
  const padded = operator
    .constants(1)
    .findIndex((count, index) => count > 0 && isBatch(Math.floor(index / 2), rank));
  if (padded < 0) return undefined;
  return `pads dimension ${Math.floor(padded / 2)}, the batch: pad none but the inner three`;
};

const noBatchPacking: Limit = (operator) => {
  const rank = operator.outputShape.length;
  const dimension = dimensionOf(operator.number('axis'), rank);
  if (!isBatch(dimension, rank)) return undefined;
  return `packs along dimension ${dimension}, the batch: pack along one of the inner three`;
};

const noBatchSplit: Limit = (operator) => {
  const rank = operator.shape(1).length;
  const [axis] = operator.constants(0);
  if (axis === undefined || !isBatch(dimensionOf(axis, rank), rank)) return undefined;
  return `splits dimension ${dimensionOf(axis, rank)}, the batch: split one of the inner three`;
};

const alphaByChannel: Limit = (operator) => {
  const shape = operator.shape(1);
  if (isVector(shape)) return undefined;
  return `has a slope for each of [${shape}]: share it over height and width, one for each channel`;
};

/** The page's examples: [1, 1, 10] and [1, 5, 10] are fine, [5, 1, 10] is not. */
const leadingOnes: Limit = (operator) => {
  const shape = operator.shape(0);
  const listed = operator.operator.options['squeezeDims'];
  const axes = Array.isArray(listed) ? listed.map((axis) => dimensionOf(axis, shape.length)) : [];
  const firstLarge = shape.findIndex((size) => size > 1);
  const moved = shape.findIndex(
    (size, index) =>
      size === 1 &&
      index > firstLarge &&
      firstLarge >= 0 &&
      (axes.length === 0 || axes.includes(index)),
  );
  if (moved < 0) return undefined;
  return `takes dimension ${moved} out of [${shape}], behind one of ${shape[firstLarge]}: only \
leading ones can go; use RESHAPE`;
};

const unitStrides: Limit = (operator) => {
  const stride = operator.constants(3).find((step) => step !== 1);
  if (stride === undefined) return undefined;
  return `has a stride of ${stride}: only 1 is taken; thin out by pooling or a strided convolution`;
};

const noMask =
  (option: string, what: string): Limit =>
  (operator) => {
    const mask = operator.number(option);
    return mask === 0 ? undefined : `has the ${what} mask ${mask}: write it without, and RESHAPE`;
  };

const reduction: EdgeTpuRule = { limits: [notOverBatch] };
const pool: EdgeTpuRule = { limits: [noFusedActivation] };
const convolution: EdgeTpuRule = { bias: 2, limits: [equalDilation] };

/**
 * Table 1 by the names of schema.fbs. SLICE, SOFTMAX, SPACE_TO_DEPTH, SPLIT, SQUEEZE, STRIDED_SLICE
 * and TANH follow the table before runtime 13 (newer runtimes may take more SQUEEZEs); the rest is
 * newer. From threads in google-coral/edgetpu: TRANSPOSE (#193), RSQRT (#384), TRANSPOSE_CONV
 * (#684). Unconfirmed: SUM, SQUARED_DIFFERENCE, and that SPLIT must leave the batch alone.
 */
const RULES: Readonly<Record<string, EdgeTpuRule>> = {
  ADD: {},
  AVERAGE_POOL_2D: pool,
  CONCATENATION: { limits: [noFusedActivation, paddingByConcatenation] },
  CONV_2D: convolution,
  DEPTHWISE_CONV_2D: convolution,
  EXPAND_DIMS: {},
  FULLY_CONNECTED: { bias: 2, limits: [plainWeights, vectorOutput] },
  L2_NORMALIZATION: {},
  LOGISTIC: {},
  MAXIMUM: {},
  MAX_POOL_2D: pool,
  MEAN: { limits: [notOverBatch, evenChannels] },
  MINIMUM: {},
  MUL: {},
  PACK: { limits: [noBatchPacking] },
  PAD: { limits: [noBatchPadding] },
  PRELU: { parameters: [1], limits: [alphaByChannel] },
  QUANTIZE: {},
  REDUCE_MAX: reduction,
  REDUCE_MIN: reduction,
  RELU: {},
  RELU6: {},
  RELU_N1_TO_1: {},
  RESHAPE: {},
  RESIZE_BILINEAR: {},
  RESIZE_NEAREST_NEIGHBOR: {},
  RSQRT: {},
  SLICE: {},
  SOFTMAX: { limits: [shortVector] },
  SPACE_TO_DEPTH: {},
  SPLIT: { limits: [noBatchSplit] },
  SQUARED_DIFFERENCE: {},
  SQUEEZE: { limits: [leadingOnes] },
  STRIDED_SLICE: {
    limits: [unitStrides, noMask('ellipsisMask', 'ellipsis'), noMask('newAxisMask', 'new-axis')],
  },
  SUB: {},
  SUM: reduction,
  TANH: {},
  TRANSPOSE: {},
  TRANSPOSE_CONV: { bias: 3 },
  UNIDIRECTIONAL_SEQUENCE_LSTM: { only: [0] },
};

/** Undefined for an operator that the Edge TPU does not run. */
export function edgeTpuRule(builtin: string): EdgeTpuRule | undefined {
  return Object.hasOwn(RULES, builtin) ? RULES[builtin] : undefined;
}

/** What computes the same or nearly so with operators that the Edge TPU runs. */
const INSTEAD: Readonly<Record<string, string>> = {
  ADD_N: 'add two at a time (ADD)',
  ARG_MAX: 'end the model before it and take the largest output on the CPU',
  ARG_MIN: 'end the model before it and take the smallest output on the CPU',
  BATCH_MATMUL: 'use FULLY_CONNECTED with constant weights',
  BATCH_TO_SPACE_ND: 'use the dilation of CONV_2D',
  BIDIRECTIONAL_SEQUENCE_LSTM: 'use an LSTM of one direction, or convolutions',
  CAST: 'keep everything in int8, so that nothing is converted',
  DEPTH_TO_SPACE: 'use TRANSPOSE_CONV, or a resize and a convolution',
  DIV: 'multiply by the reciprocal (MUL)',
  ELU: 'train with RELU or RELU6',
  GATHER: 'use SLICE where the indices follow each other',
  GELU: 'train with RELU or RELU6',
  HARD_SWISH: 'train with RELU6',
  L2_POOL_2D: 'use AVERAGE_POOL_2D or MAX_POOL_2D',
  LEAKY_RELU: 'train with RELU, or write it as PRELU or as MAXIMUM of x and a constant times x',
  LOG_SOFTMAX: 'use SOFTMAX and take the logarithm on the CPU',
  MIRROR_PAD: 'use PAD',
  PADV2: 'use PAD, which pads with zeros',
  SPACE_TO_BATCH_ND: 'use the dilation of CONV_2D',
  SPLIT_V: 'use SPLIT into equal parts, or SLICE',
  SQUARE: 'multiply it by itself (MUL)',
  SVDF: 'use convolutions over a window of time',
  TILE: 'use CONCATENATION',
  UNPACK: 'use SPLIT or SLICE, and RESHAPE',
};

/** What to do about an operator that the Edge TPU does not run. */
export function insteadOf(builtin: string): string {
  const known = Object.hasOwn(INSTEAD, builtin) ? INSTEAD[builtin] : undefined;
  return known ?? 'leave it out, or move it behind all others';
}
