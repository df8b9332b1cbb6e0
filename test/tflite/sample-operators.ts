import { tensorTypeToNumber } from '../../src/tflite/index.ts';
import {
  type ActivationType,
  activation,
  OUT_SCALE,
  type PlainPlan,
  TYPES,
} from './sample-plan.ts';

const IMAGE = [1, 4, 6, 3];
const half = { scale: [OUT_SCALE] };
const list = (...values: number[]) => ({ shape: [values.length], values });
const scalar = (value: number) => ({ shape: [], values: [value] });
const pairs = (...values: number[]) => ({ shape: [values.length / 2, 2], values });

/** What reshapes, turns and widens, and leaves every value as it is. */
function arrangements(type: ActivationType): PlainPlan[] {
  const block = { blockSize: 2 };
  const plan = (
    operator: string,
    input: readonly number[],
    output: readonly number[],
    more: Partial<PlainPlan> = {},
  ): PlainPlan => ({ operator, type, inputs: [input], outputs: [output], ...more });
  return [
    plan('TRANSPOSE', IMAGE, [1, 3, 4, 6], { after: [list(0, 3, 1, 2)] }),
    plan('TRANSPOSE', [2, 5], [5, 2], { after: [list(1, 0)] }),
    plan('TRANSPOSE', [2, 3, 1, 2, 4], [2, 1, 3, 4, 2], { after: [list(0, 2, 1, 4, 3)] }),
    plan('SQUEEZE', [1, 1, 1, 5], [1, 5], { options: { squeezeDims: [1, -2] } }),
    plan('SQUEEZE', [1, 4, 1, 5], [4, 5], { options: { squeezeDims: [] } }),
    plan('EXPAND_DIMS', [4, 5], [4, 5, 1], { after: [scalar(-1)] }),
    plan('EXPAND_DIMS', [4, 5], [4, 1, 5], { after: [list(1)] }),
    plan('SPACE_TO_DEPTH', IMAGE, [1, 2, 3, 12], { options: block }),
    plan('DEPTH_TO_SPACE', [1, 2, 3, 8], [1, 4, 6, 2], { options: block }),
    plan('SPACE_TO_BATCH_ND', IMAGE, [6, 2, 3, 3], { after: [list(2, 3), pairs(0, 0, 1, 2)] }),
    plan('SPACE_TO_BATCH_ND', [1, 5, 3], [2, 3, 3], { after: [list(2), pairs(1, 0)] }),
    plan('BATCH_TO_SPACE_ND', [4, 2, 3, 3], [1, 3, 5, 3], {
      after: [list(2, 2), pairs(0, 1, 1, 0)],
    }),
    plan('BATCH_TO_SPACE_ND', [2, 3, 3], [1, 5, 3], { after: [list(2), pairs(1, 0)] }),
    plan('REVERSE_V2', IMAGE, IMAGE, { after: [list(2)] }),
    plan('REVERSE_V2', IMAGE, IMAGE, { after: [list(-1)] }),
    plan('TILE', [2, 3], [4, 9], { after: [list(2, 3)] }),
    plan('MIRROR_PAD', IMAGE, [1, 8, 8, 3], { after: [pairs(0, 0, 3, 1, 0, 2, 0, 0)] }),
    plan('MIRROR_PAD', [2, 3], [6, 5], {
      after: [pairs(2, 2, 0, 2)],
      options: { mode: 1 },
    }),
    plan('PADV2', IMAGE, [1, 6, 7, 3], {
      after: [
        pairs(0, 0, 1, 1, 0, 1, 0, 0),
        { ...scalar(type === 'float32' ? 0.5 : 7), plan: activation(type) },
      ],
    }),
  ];
}

/** What takes parts and puts parts together. */
function pieces(type: ActivationType): PlainPlan[] {
  const one = { type, inputs: [IMAGE] };
  const part = [1, 4, 3];
  return [
    {
      ...one,
      operator: 'SLICE',
      outputs: [[1, 2, 4, 3]],
      after: [list(0, 1, 2, 0), list(1, 2, -1, 3)],
    },
    {
      ...one,
      operator: 'GATHER',
      outputs: [[1, 4, 3, 3]],
      after: [list(5, 0, 0)],
      options: { axis: 2 },
    },
    {
      ...one,
      operator: 'GATHER',
      outputs: [[1, 4, 6, 2, 2]],
      after: [{ shape: [2, 2], values: [2, 1, 0, 2] }],
      options: { axis: -1 },
    },
    {
      operator: 'PACK',
      type,
      inputs: [part, part],
      outputs: [[1, 4, 2, 3]],
      options: { valuesCount: 2, axis: 2 },
    },
    {
      operator: 'UNPACK',
      type,
      inputs: [[1, 4, 2, 3]],
      outputs: [part, part],
      options: { num: 2, axis: -2 },
    },
    {
      ...one,
      operator: 'SPLIT_V',
      outputs: [
        [1, 4, 1, 3],
        [1, 4, 3, 3],
        [1, 4, 2, 3],
      ],
      after: [list(1, -1, 2), scalar(2)],
      options: { numSplits: 3 },
    },
    { operator: 'MAXIMUM', type, inputs: [IMAGE, [1, 1, 1, 3]], outputs: [IMAGE] },
    { operator: 'MINIMUM', type, inputs: [IMAGE, IMAGE], outputs: [IMAGE] },
    { ...one, operator: 'REDUCE_MAX', outputs: [[1, 3]], after: [list(1, -2)] },
    {
      ...one,
      operator: 'REDUCE_MIN',
      outputs: [[1, 4, 6, 1]],
      after: [scalar(3)],
      options: { keepDims: true },
    },
    {
      ...one,
      operator: 'ARG_MAX',
      outputs: [[1, 4, 6]],
      after: [scalar(-1)],
      outputType: 'int32',
      options: { outputType: tensorTypeToNumber('int32') },
    },
  ];
}

/** Arithmetic that int8 has kernels for, too. */
function arithmetic(type: 'float32' | 'int8'): PlainPlan[] {
  const one = { type, inputs: [IMAGE], outputs: [IMAGE] };
  const slopes = {
    shape: [1, 1, 3],
    values: type === 'int8' ? [20, -7, 100] : [0.25, -0.1, 1.5],
    plan: activation(type, 0.01),
  };
  return [
    { ...one, operator: 'ELU', output: half },
    { ...one, operator: 'GELU', output: half, options: { approximate: true } },
    { ...one, operator: 'ABS', output: half },
    { ...one, operator: 'PRELU', output: half, after: [slopes] },
    { ...one, operator: 'L2_NORMALIZATION', output: { scale: [1 / 128], zeroPoint: 0 } },
    { ...one, operator: 'LOG_SOFTMAX', output: { scale: [16 / 256], zeroPoint: 127 } },
    {
      operator: 'BATCH_MATMUL',
      type,
      inputs: [
        [2, 4, 5],
        [2, 5, 3],
      ],
      outputs: [[2, 4, 3]],
      output: half,
    },
    {
      operator: 'BATCH_MATMUL',
      type,
      inputs: [
        [3, 1, 5, 4],
        [2, 6, 5],
      ],
      outputs: [[3, 2, 4, 6]],
      output: half,
      options: { adjX: true, adjY: true },
    },
  ];
}

/** Arithmetic that Dunlin takes in float32 alone. */
function floatArithmetic(): PlainPlan[] {
  const type = 'float32' as const;
  const one = { type, inputs: [IMAGE], outputs: [IMAGE] };
  const names = 'EXP NEG SQRT RSQRT LOG SIN COS SQUARE FLOOR ROUND CEIL RELU_N1_TO_1'.split(' ');
  return [
    ...names.map((operator) => ({ ...one, operator })),
    ...['POW', 'DIV', 'SQUARED_DIFFERENCE'].flatMap((operator) => [
      { operator, type, inputs: [IMAGE, IMAGE], outputs: [IMAGE] },
      { operator, type, inputs: [[3], IMAGE], outputs: [IMAGE] },
    ]),
    { operator: 'ADD_N', type, inputs: [IMAGE, IMAGE, IMAGE], outputs: [IMAGE] },
    { ...one, operator: 'SUM', outputs: [[4, 3]], after: [list(0, 2)] },
    { ...one, operator: 'CUMSUM', after: [scalar(2)], options: { exclusive: true } },
    { ...one, operator: 'CUMSUM', after: [list(-1)], options: { reverse: true } },
    {
      ...one,
      operator: 'L2_POOL_2D',
      outputs: [[1, 2, 3, 3]],
      options: { padding: 0, strideW: 2, strideH: 2, filterWidth: 3, filterHeight: 2 },
    },
    {
      ...one,
      operator: 'CAST',
      outputType: 'int32',
      options: { inDataType: 0, outDataType: tensorTypeToNumber('int32') },
    },
  ];
}

/** The operators of converted float models beyond those of the first edge networks. */
export function operatorSamples(): PlainPlan[] {
  return [
    ...TYPES.flatMap((type) => [...arrangements(type), ...pieces(type)]),
    ...arithmetic('float32'),
    ...arithmetic('int8'),
    ...floatArithmetic(),
  ];
}
