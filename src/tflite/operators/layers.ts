import type { OperatorSpec } from '../operator-spec.ts';
import { activation, field, one, options, two } from './fields.ts';

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

const SVDF_OPTIONS = options(
  6,
  field('rank', 0, 'int32'),
  activation(1),
  field('asymmetricQuantizeInputs', 2, 'bool'),
);

/** Operators with weights or a window, and the product of matrices. */
export const LAYERS: readonly OperatorSpec[] = [
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
    name: 'L2_POOL_2D',
    maxVersion: 1,
    inputs: one,
    outputs: one,
    options: POOL_OPTIONS,
  },
  {
    name: 'BATCH_MATMUL',
    maxVersion: 4,
    minVersion: { int8: 2 },
    inputs: two,
    outputs: one,
    options: options(
      101,
      field('adjX', 0, 'bool'),
      field('adjY', 1, 'bool'),
      field('asymmetricQuantizeInputs', 2, 'bool'),
    ),
  },
];
