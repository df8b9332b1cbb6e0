import type { OperatorSpec } from '../operator-spec.ts';
import { field, one, options, two } from './fields.ts';

const REDUCER_OPTIONS = options(27, field('keepDims', 0, 'bool'));

/** Operators that go along dimensions, which input 1 names. */
export const REDUCTIONS: readonly OperatorSpec[] = [
  {
    name: 'MEAN',
    maxVersion: 3,
    minVersion: { int8: 2 },
    inputs: two,
    outputs: one,
    control: [1],
    options: REDUCER_OPTIONS,
  },
  { name: 'SUM', maxVersion: 2, inputs: two, outputs: one, control: [1], options: REDUCER_OPTIONS },
  {
    name: 'REDUCE_MAX',
    maxVersion: 3,
    minVersion: { int8: 2 },
    inputs: two,
    outputs: one,
    control: [1],
    options: REDUCER_OPTIONS,
  },
  {
    name: 'REDUCE_MIN',
    maxVersion: 3,
    minVersion: { int8: 2 },
    inputs: two,
    outputs: one,
    control: [1],
    options: REDUCER_OPTIONS,
  },
  {
    name: 'ARG_MAX',
    maxVersion: 3,
    minVersion: { int8: 2 },
    inputs: two,
    outputs: one,
    control: [1],
    options: options(40, field('outputType', 0, 'int8')),
  },
  {
    name: 'CUMSUM',
    maxVersion: 1,
    inputs: two,
    outputs: one,
    control: [1],
    options: options(102, field('exclusive', 0, 'bool'), field('reverse', 1, 'bool')),
  },
];
