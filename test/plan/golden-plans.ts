import { lcg } from './lcg.ts';
import { type Activation, type Constant, elements, type OneOperator } from './one-operator.ts';

const IMAGE = [2, 7, 6, 3];

const q = (shape: readonly number[], scale: number, zeroPoint: number): Activation => ({
  shape,
  scale,
  zeroPoint,
});

const vector = (...values: number[]): Constant => ({ shape: [values.length], values });

/** Weights from -127 to 127 and their bias, a scale for each of the channels. */
function weights(shape: readonly number[], axis: number, inputScale: number, perChannel: boolean) {
  const next = lcg(elements(shape));
  const random = (length: number, limit: number): number[] =>
    Array.from({ length }, () => (next() % (2 * limit + 1)) - limit);
  const channels = shape[axis]!;
  const scale = Array.from({ length: perChannel ? channels : 1 }, (_, channel) =>
    Math.fround(0.004 * 1.37 ** channel),
  );
  const bias = scale.map((value) => value * inputScale);
  return [
    {
      shape,
      values: random(elements(shape), 127),
      quantized: { type: 'int8', scale, axis },
    },
    {
      shape: [channels],
      values: random(channels, 3000),
      quantized: { type: 'int32', scale: bias, axis: 0 },
    },
  ] as const;
}

const SAME = { padding: 0, strideH: 2, strideW: 1, dilationHFactor: 1, dilationWFactor: 1 };
const VALID = { padding: 1, strideH: 1, strideW: 2, dilationHFactor: 2, dilationWFactor: 1 };
const POOL = { ...SAME, filterHeight: 3, filterWidth: 2 };

const layers: readonly OneOperator[] = [
  {
    operator: 'CONV_2D',
    inputs: [q(IMAGE, 0.047, -12)],
    constants: weights([5, 3, 2, 3], 0, 0.047, true),
    output: q([2, 4, 6, 5], 0.061, 9),
    options: { ...SAME, fusedActivationFunction: 3 },
  },
  {
    operator: 'CONV_2D',
    inputs: [q(IMAGE, 0.031, 77)],
    constants: weights([4, 2, 3, 3], 0, 0.031, false),
    output: q([2, 5, 2, 4], 0.0213, -128),
    options: { ...VALID, fusedActivationFunction: 1 },
  },
  {
    operator: 'DEPTHWISE_CONV_2D',
    inputs: [q(IMAGE, 0.012, 5)],
    constants: weights([1, 3, 3, 6], 3, 0.012, true),
    output: q([2, 4, 6, 6], 0.017, 31),
    options: { ...SAME, depthMultiplier: 2, fusedActivationFunction: 2 },
  },
  {
    operator: 'FULLY_CONNECTED',
    inputs: [q([3, 24], 0.0237, -41)],
    constants: weights([7, 24], 0, 0.0237, false),
    output: q([3, 7], 0.019, 3),
    options: { fusedActivationFunction: 0 },
  },
  {
    operator: 'AVERAGE_POOL_2D',
    inputs: [q(IMAGE, 0.05, -3)],
    output: q([2, 4, 6, 3], 0.05, -3),
    options: { ...POOL, fusedActivationFunction: 3 },
  },
  {
    operator: 'MAX_POOL_2D',
    inputs: [q(IMAGE, 0.05, -3)],
    output: q([2, 4, 6, 3], 0.05, -3),
    options: { ...POOL, fusedActivationFunction: 2 },
  },
];

const arithmetic: readonly OneOperator[] = [
  {
    operator: 'ADD',
    inputs: [q(IMAGE, 0.033, -17), q([7, 1, 3], 0.0071, 44)],
    output: q(IMAGE, 0.029, 6),
    options: { fusedActivationFunction: 1 },
  },
  {
    operator: 'SUB',
    inputs: [q([6, 3], 0.0101, 120), q(IMAGE, 0.0339, -60)],
    output: q(IMAGE, 0.0407, -2),
    options: { fusedActivationFunction: 0 },
  },
  {
    operator: 'MUL',
    inputs: [q(IMAGE, 0.033, -17), q([1], 0.7, 90)],
    output: q(IMAGE, 0.83, 11),
    options: { fusedActivationFunction: 3 },
  },
  {
    operator: 'MEAN',
    inputs: [q(IMAGE, 0.033, -17)],
    constants: [vector(-2, 1)],
    output: q([2, 3], 0.0071, 4),
    options: { keepDims: false },
  },
  { operator: 'QUANTIZE', inputs: [q([256], 0.05, 3)], output: q([256], 0.037, -70) },
  { operator: 'RELU', inputs: [q([256], 0.05, 3)], output: q([256], 0.021, -128) },
  { operator: 'RELU6', inputs: [q([256], 0.05, -33)], output: q([256], 0.05, -33) },
  { operator: 'LOGISTIC', inputs: [q([256], 0.073, 8)], output: q([256], 1 / 256, -128) },
  { operator: 'TANH', inputs: [q([256], 0.021, -8)], output: q([256], 1 / 128, 0) },
  {
    operator: 'SOFTMAX',
    inputs: [q([9, 21], 0.043, 19)],
    output: q([9, 21], 1 / 256, -128),
    options: { beta: 1 },
  },
];

const layout: readonly OneOperator[] = [
  {
    operator: 'RESHAPE',
    inputs: [q([2, 6], 0.1, 3)],
    constants: [vector(3, -1)],
    output: q([3, 4], 0.1, 3),
  },
  { operator: 'SQUEEZE', inputs: [q([1, 5, 1], 0.1, 3)], output: q([5], 0.1, 3) },
  {
    operator: 'EXPAND_DIMS',
    inputs: [q([5, 2], 0.1, 3)],
    constants: [vector(1)],
    output: q([5, 1, 2], 0.1, 3),
  },
  {
    operator: 'PAD',
    inputs: [q([2, 3, 2], 0.1, 3)],
    constants: [{ shape: [3, 2], values: [1, 0, 2, 1, 0, 1] }],
    output: q([3, 6, 3], 0.1, 3),
  },
  {
    operator: 'CONCATENATION',
    inputs: [q([2, 3, 2], 0.1, 3), q([2, 1, 2], 0.1, 3)],
    output: q([2, 4, 2], 0.1, 3),
    options: { axis: -2 },
  },
  {
    operator: 'STRIDED_SLICE',
    inputs: [q(IMAGE, 0.1, 3)],
    constants: [vector(0, -6, 5, 0), vector(1, 7, 6, 3), vector(1, 3, 1, 2)],
    output: q([2, 2, 2], 0.1, 3),
    options: { endMask: 1, beginMask: 8, shrinkAxisMask: 4 },
  },
];

/** Each operator of the reference executor at least once, its values away from the easy ones. */
export const GOLDEN_PLANS: readonly OneOperator[] = [...layers, ...arithmetic, ...layout];
