import type { TfliteModel } from '../../../../src/tflite/index.ts';
import { ModelBuilder } from '../../../tflite/model-builder.ts';
import type { Options } from '../../../tflite/sample-plan.ts';
import { countOf } from '../../random-graph.ts';
import { RandomValues } from '../../random-values.ts';

/** Channels of what an operator reads in these cases, [1, 4, 4, 8]. */
export const CHANNELS = 8;
const IMAGE = [1, 4, 4, CHANNELS];

export interface Result {
  readonly index: number;
  readonly shape: readonly number[];
}

export interface OperatorCase {
  readonly name: string;
  /** Of two images of convolutions, the second of which it may leave alone. */
  readonly make: (layers: Layers, x: Result, y: () => Result) => Result;
  /** Which channel of `x` a channel of the result stands and falls with, if any. */
  readonly from: (channel: number) => number | undefined;
  /** Whether it makes zeros of channels of `x` and `y` that are zero. */
  readonly keepsZero: boolean;
  /** Whether it is a case in integers, too. */
  readonly integer: boolean;
  /** Whether it keeps zeros there; as in float without. */
  readonly keepsIntegerZero?: boolean;
}

/** Puts layers and operators of a case together. */
export class Layers {
  readonly builder = new ModelBuilder();
  readonly #random = new RandomValues(11);

  constant(shape: readonly number[], deviation = 0.4): number {
    return this.builder.tensor(shape, { data: this.#random.normals(countOf(shape), deviation) });
  }

  values(shape: readonly number[], data: readonly number[]): number {
    return this.builder.tensor(shape, { data });
  }

  control(...values: number[]): number {
    return this.builder.control([values.length], values);
  }

  operator(
    builtin: string,
    inputs: readonly number[],
    shape: readonly number[],
    options: Options = {},
  ): Result {
    const index = this.builder.tensor(shape);
    this.builder.operator(builtin, inputs, [index], options);
    return { index, shape };
  }

  convolution({ index, shape }: Result, channels: number, kernel: number): Result {
    const weights = this.constant([channels, kernel, kernel, shape.at(-1)!]);
    const inputs = [index, weights, this.constant([channels])];
    const options = { padding: 0, strideW: 1, strideH: 1 };
    return this.operator('CONV_2D', inputs, shape.with(-1, channels), options);
  }

  /** Through weights: what the last channels of a model end in. */
  reader(read: Result): Result {
    if (read.shape.length === 4) return this.convolution(read, 5, 1);
    const depth = read.shape.at(-1)!;
    const inputs = [read.index, this.constant([5, depth]), this.constant([5])];
    return this.operator('FULLY_CONNECTED', inputs, [countOf(read.shape) / depth, 5]);
  }
}

const same = (channel: number): number => channel;
const each = { from: same, keepsZero: true, integer: true };

function unary(name: string, options: Options, plan: Partial<OperatorCase> = {}): OperatorCase {
  return {
    name,
    ...each,
    make: (layers, { index, shape }) => layers.operator(name, [index], shape, options),
    ...plan,
  };
}

function pool(name: string, integer = true): OperatorCase {
  const make: OperatorCase['make'] = (layers, { index }) =>
    layers.operator(name, [index], [1, 2, 2, CHANNELS], {
      ...{ padding: 1, strideW: 2, strideH: 2, filterWidth: 2, filterHeight: 2 },
    });
  return { name, ...each, integer, make };
}

function reduction(
  name: string,
  keepDims: boolean,
  plan: Partial<OperatorCase> = {},
): OperatorCase {
  const shape = keepDims ? [1, 1, 1, CHANNELS] : [1, CHANNELS];
  const make: OperatorCase['make'] = (layers, { index }) =>
    layers.operator(name, [index, layers.control(1, 2)], shape, { keepDims });
  return { name: `${name} ${keepDims}`, ...each, make, ...plan };
}

function pad(name: string, value?: number): OperatorCase {
  const make: OperatorCase['make'] = (layers, { index }) => {
    const pads = layers.builder.control([4, 2], [0, 0, 1, 0, 1, 1, 0, 0]);
    const values = value === undefined ? [] : [layers.values([1], [value])];
    return layers.operator(name, [index, pads, ...values], [1, 5, 6, CHANNELS]);
  };
  return { name: `${name} ${value ?? ''}`, ...each, keepsZero: (value ?? 0) === 0, make };
}

function resize(name: string): OperatorCase {
  const make: OperatorCase['make'] = (layers, { index }) =>
    layers.operator(name, [index, layers.control(7, 5)], [1, 7, 5, CHANNELS]);
  return { name, ...each, make };
}

/** Of two results. */
function binary(name: string, plan: Partial<OperatorCase> = {}): OperatorCase {
  const make: OperatorCase['make'] = (layers, x, y) =>
    layers.operator(name, [x.index, y().index], IMAGE);
  return { name: `${name} of two`, ...each, make, ...plan };
}

/** Of a result and a constant, one number or one for each channel, before or after it. */
function withConstant(
  name: string,
  shape: readonly number[],
  plan: Partial<OperatorCase> = {},
  first = false,
): OperatorCase {
  const make: OperatorCase['make'] = (layers, { index }) => {
    const inputs = [index, layers.constant(shape)];
    return layers.operator(name, first ? inputs.reverse() : inputs, IMAGE);
  };
  const place = first ? 'after' : 'and';
  return {
    name: `${name} ${place} a constant of [${shape}]`,
    ...each,
    keepsZero: false,
    make,
    ...plan,
  };
}

/** Above zero, for those that take nothing else. */
function positive(name: string, operands: 'one' | 'two', keepsZero = false): OperatorCase {
  const make: OperatorCase['make'] = (layers, { index }, y) => {
    const size = layers.operator('ABS', [index], IMAGE);
    const above = layers.operator('ADD', [size.index, layers.values([1], [1])], IMAGE);
    const inputs = operands === 'one' ? [above.index] : [y().index, above.index];
    return layers.operator(name, name === 'POW' ? inputs.reverse() : inputs, IMAGE);
  };
  return { name: `${name} of positive values`, ...each, keepsZero, integer: false, make };
}

function reshape(shape: readonly number[], from: (channel: number) => number): OperatorCase {
  const make: OperatorCase['make'] = (layers, { index }) =>
    layers.operator('RESHAPE', [index, layers.control(...shape)], shape, { newShape: [...shape] });
  return { name: `RESHAPE to [${shape}]`, ...each, from, make };
}

function concatenation(axis: number): OperatorCase {
  const make: OperatorCase['make'] = (layers, x, y) =>
    layers.operator(
      'CONCATENATION',
      [x.index, y().index, x.index],
      IMAGE.with(axis, 3 * IMAGE.at(axis)!),
      {
        axis,
      },
    );
  // Along channels those of `y` lie in the middle.
  const from = (channel: number): number | undefined =>
    Math.floor(channel / CHANNELS) === 1 ? undefined : channel % CHANNELS;
  return { name: `CONCATENATION along ${axis}`, ...each, from, make };
}

const float = { integer: false };
const loud = { keepsZero: false };

export const OPERATOR_CASES: readonly OperatorCase[] = [
  ...['RELU', 'RELU6', 'ELU', 'GELU', 'HARD_SWISH', 'TANH', 'ABS'].map((name) => unary(name, {})),
  unary('LEAKY_RELU', { alpha: 0.25 }),
  unary('LOGISTIC', {}, loud),
  ...['RELU_N1_TO_1', 'NEG', 'SIN', 'SQUARE', 'FLOOR', 'ROUND', 'CEIL'].map((name) =>
    unary(name, {}, float),
  ),
  ...['EXP', 'COS'].map((name) => unary(name, {}, { ...float, ...loud })),
  ...['LOG', 'SQRT', 'RSQRT'].map((name) => positive(name, 'one')),
  {
    name: 'SQRT of sizes',
    ...each,
    ...float,
    make: (layers, { index, shape }) =>
      layers.operator('SQRT', [layers.operator('ABS', [index], shape).index], shape),
  },
  positive('DIV', 'two'),
  positive('POW', 'two'),
  pool('AVERAGE_POOL_2D'),
  pool('MAX_POOL_2D'),
  pool('L2_POOL_2D', false),
  resize('RESIZE_BILINEAR'),
  resize('RESIZE_NEAREST_NEIGHBOR'),
  pad('PAD'),
  pad('MIRROR_PAD'),
  pad('PADV2', 0),
  pad('PADV2', 0.5),
  // For certain only where nothing is rescaled: zero-channels.ts.
  reduction('MEAN', true, { keepsIntegerZero: false }),
  reduction('MEAN', false, { keepsIntegerZero: false }),
  reduction('SUM', false, float),
  reduction('REDUCE_MAX', true),
  reduction('REDUCE_MIN', false),
  ...['ADD', 'SUB', 'MUL', 'MAXIMUM', 'MINIMUM'].flatMap((name) => [
    binary(name),
    withConstant(name, [CHANNELS], name === 'MUL' ? { keepsZero: true } : {}),
    withConstant(name, [1], name === 'MUL' ? { keepsZero: true } : {}, true),
    withConstant(name, IMAGE, name === 'MUL' ? { keepsZero: true } : {}),
  ]),
  binary('SQUARED_DIFFERENCE', float),
  binary('ADD_N', float),
  withConstant('PRELU', [CHANNELS], { keepsZero: true }),
  withConstant('PRELU', [1, 1, CHANNELS], { keepsZero: true }),
  concatenation(3),
  concatenation(-1),
  concatenation(1),
  reshape([1, 16 * CHANNELS], (channel) => channel % CHANNELS),
  reshape([16, CHANNELS], same),
  reshape([1, 4, 16, 2], (channel) => channel),
  {
    name: 'RESHAPE to half of the channels',
    ...each,
    from: same,
    make: (layers, { index }) =>
      layers.operator('RESHAPE', [index, layers.control(-1, 4)], [32, 4], { newShape: [32, 4] }),
  },
  {
    name: 'QUANTIZE and DEQUANTIZE',
    ...each,
    ...float,
    make: (layers, { index, shape }) => {
      const step = { type: 'int8', scale: [1 / 32], zeroPoint: 5 } as const;
      const stored = layers.builder.tensor(shape, step);
      layers.builder.operator('QUANTIZE', [index], [stored]);
      return layers.operator('DEQUANTIZE', [stored], shape);
    },
  },
  {
    name: 'CAST there and back',
    ...each,
    ...float,
    ...loud,
    make: (layers, { index, shape }) => {
      const whole = layers.builder.tensor(shape, { type: 'int32' });
      layers.builder.operator('CAST', [index], [whole]);
      return layers.operator('CAST', [whole], shape);
    },
  },
  {
    name: 'SQUEEZE of all that is one',
    ...each,
    make: (layers, { index }) => layers.operator('SQUEEZE', [index], [4, 4, CHANNELS]),
  },
  {
    name: 'EXPAND_DIMS',
    ...each,
    make: (layers, { index }) => {
      const flat = layers.operator('SQUEEZE', [index], [4, 4, CHANNELS], { squeezeDims: [0] });
      return layers.operator('EXPAND_DIMS', [flat.index, layers.control(0)], IMAGE);
    },
  },
  {
    name: 'DEPTHWISE_CONV_2D with a multiplier',
    ...each,
    from: (channel) => Math.floor(channel / 2),
    make: (layers, { index }) => {
      const shape = IMAGE.with(-1, 2 * CHANNELS);
      const bias = layers.values([16], Array<number>(16).fill(0));
      const inputs = [index, layers.constant([1, 3, 3, 16]), bias];
      const options = { padding: 0, strideW: 1, strideH: 1, depthMultiplier: 2 };
      return layers.operator('DEPTHWISE_CONV_2D', inputs, shape, options);
    },
  },
];

/** Input [1, 4, 4, 3], convolutions to `x` (and `y`), the operator, and a layer that reads its result. */
export function operatorModel({ make }: OperatorCase): {
  readonly model: TfliteModel;
  readonly x: number;
  readonly result: number;
} {
  const layers = new Layers();
  const shape = [1, 4, 4, 3];
  const input = { index: layers.builder.tensor(shape), shape };
  const x = layers.convolution(input, CHANNELS, 3);
  const result = make(layers, x, () => layers.convolution(input, CHANNELS, 1));
  const output = layers.reader(result);
  const model = layers.builder.build([input.index], [output.index]);
  return { model, x: x.index, result: result.index };
}
