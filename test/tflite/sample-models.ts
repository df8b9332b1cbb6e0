import type { TfliteModel } from '../../src/tflite/index.ts';
import { ModelBuilder, type TensorPlan } from './model-builder.ts';
import { attention, indexModel, layerNormalization, rearranged } from './sample-networks.ts';
import { operatorSamples } from './sample-operators.ts';
import {
  type ActivationType,
  activation,
  IN_SCALE,
  type Options,
  OUT_SCALE,
  type PlainPlan,
  plain,
  TYPES,
  WEIGHT_SCALE,
} from './sample-plan.ts';

export interface SampleModel {
  readonly name: string;
  readonly model: TfliteModel;
}

const VALID = { padding: 1, strideW: 1, strideH: 1 };
const SAME = { padding: 0, strideW: 2, strideH: 2 };

const count = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

/** Weights that differ from one another and stay clear of -128. */
function ramp(length: number): number[] {
  return Array.from({ length }, (_, index) => ((index * 37 + 11) % 201) - 100);
}

interface WeightedPlan {
  readonly operator: string;
  readonly type: ActivationType;
  readonly input: readonly number[];
  readonly weights: readonly number[];
  readonly output: readonly number[];
  readonly channels: number;
  /** The dimension of channels where int8 weights have a scale each. */
  readonly axis?: number;
  readonly options: Options;
  /** Float activations over int8 weights. */
  readonly hybrid?: boolean;
  /** For TRANSPOSE_CONV: the output's shape is input 0, the activations input 2. */
  readonly transposed?: boolean;
}

/** CONV_2D and its like: activations, constant weights, constant bias. */
function weighted(plan: WeightedPlan): TfliteModel {
  const b = new ModelBuilder();
  const float = plan.type === 'float32';
  const input = b.tensor(plan.input, activation(plan.type));
  const perChannel = plan.type === 'int8' && plan.axis !== undefined;
  const scale = perChannel
    ? Array.from({ length: plan.channels }, (_, c) => WEIGHT_SCALE * (1 + c / 8))
    : [WEIGHT_SCALE];
  const values = ramp(count(plan.weights));
  const weights = b.tensor(plan.weights, {
    ...(plan.hybrid ? { type: 'int8', scale } : { type: plan.type }),
    ...(float ? {} : { scale, zeroPoint: plan.type === 'uint8' ? 128 : 0 }),
    axis: plan.axis ?? 0,
    data: float && !plan.hybrid ? values.map((value) => value / 100) : values,
  });
  const bias = b.tensor([plan.channels], {
    type: float ? 'float32' : 'int32',
    ...(float ? {} : { scale: scale.map((s) => Math.fround(IN_SCALE) * Math.fround(s)) }),
    data: ramp(plan.channels),
  });
  const output = b.tensor(plan.output, activation(plan.type, OUT_SCALE));
  const inputs = plan.transposed
    ? [b.control([4], plan.output), weights, input, bias]
    : [input, weights, bias];
  return b.operator(plan.operator, inputs, [output], plan.options).build([input], [output]);
}

function weightedSamples(type: ActivationType): SampleModel[] {
  const image = [1, 7, 6, 3];
  const conv = { type, input: image, channels: 4, axis: 0 } as const;
  return [
    [
      'conv',
      { ...conv, operator: 'CONV_2D', weights: [4, 3, 2, 3], output: [1, 5, 5, 4], options: VALID },
    ],
    [
      'conv same',
      {
        ...conv,
        operator: 'CONV_2D',
        weights: [4, 3, 3, 3],
        output: [1, 4, 3, 4],
        options: { ...SAME, fusedActivationFunction: 1 },
      },
    ],
    [
      'conv dilated',
      {
        ...conv,
        operator: 'CONV_2D',
        weights: [4, 3, 2, 3],
        output: [1, 3, 4, 4],
        options: { ...VALID, dilationHFactor: 2, dilationWFactor: 2 },
      },
    ],
    [
      'conv 1x1',
      {
        ...conv,
        operator: 'CONV_2D',
        weights: [4, 1, 1, 3],
        output: [1, 7, 6, 4],
        options: { ...VALID, fusedActivationFunction: 3 },
      },
    ],
    [
      'depthwise',
      {
        type,
        input: image,
        operator: 'DEPTHWISE_CONV_2D',
        weights: [1, 3, 3, 6],
        channels: 6,
        axis: 3,
        output: [1, 4, 3, 6],
        options: { ...SAME, depthMultiplier: 2 },
      },
    ],
    [
      'depthwise dilated',
      {
        type,
        input: image,
        operator: 'DEPTHWISE_CONV_2D',
        weights: [1, 3, 3, 3],
        channels: 3,
        axis: 3,
        output: [1, 7, 6, 3],
        options: {
          padding: 0,
          strideW: 1,
          strideH: 1,
          depthMultiplier: 1,
          dilationHFactor: 2,
          dilationWFactor: 2,
        },
      },
    ],
    [
      'dense',
      {
        type,
        input: [2, 10],
        operator: 'FULLY_CONNECTED',
        weights: [5, 10],
        channels: 5,
        output: [2, 5],
        options: { fusedActivationFunction: 1 },
      },
    ],
    [
      'dense keeps dimensions',
      {
        type,
        input: [2, 3, 10],
        operator: 'FULLY_CONNECTED',
        weights: [5, 10],
        channels: 5,
        output: [2, 3, 5],
        options: { keepNumDims: true },
      },
    ],
    [
      'transpose conv',
      {
        type,
        input: [1, 3, 3, 2],
        operator: 'TRANSPOSE_CONV',
        weights: [3, 3, 3, 2],
        channels: 3,
        axis: 0,
        transposed: true,
        output: [1, 6, 6, 3],
        options: SAME,
      },
    ],
  ].map(([name, plan]) => ({ name: `${name} ${type}`, model: weighted(plan as WeightedPlan) }));
}

function hybridSamples(): SampleModel[] {
  const type = 'float32' as const;
  return [
    {
      name: 'conv hybrid',
      model: weighted({
        type,
        hybrid: true,
        input: [1, 5, 5, 2],
        operator: 'CONV_2D',
        weights: [3, 3, 3, 2],
        channels: 3,
        output: [1, 3, 3, 3],
        options: VALID,
      }),
    },
    {
      name: 'depthwise hybrid',
      model: weighted({
        type,
        hybrid: true,
        input: [1, 5, 5, 2],
        operator: 'DEPTHWISE_CONV_2D',
        weights: [1, 3, 3, 2],
        channels: 2,
        output: [1, 3, 3, 2],
        options: { ...VALID, depthMultiplier: 1 },
      }),
    },
    {
      name: 'dense hybrid',
      model: weighted({
        type,
        hybrid: true,
        input: [1, 16],
        operator: 'FULLY_CONNECTED',
        weights: [4, 16],
        channels: 4,
        output: [1, 4],
        options: {},
      }),
    },
  ];
}

function layoutSamples(type: ActivationType): PlainPlan[] {
  const rank4 = [1, 4, 6, 3];
  const pool = { ...SAME, filterWidth: 3, filterHeight: 2 };
  const vector = (...values: number[]) => ({ shape: [values.length], values });
  return [
    { operator: 'AVERAGE_POOL_2D', type, inputs: [rank4], outputs: [[1, 2, 3, 3]], options: pool },
    {
      operator: 'MAX_POOL_2D',
      type,
      inputs: [rank4],
      outputs: [[1, 2, 3, 3]],
      options: { ...pool, fusedActivationFunction: 1 },
    },
    {
      operator: 'CONCATENATION',
      type,
      inputs: [rank4, [1, 4, 6, 2]],
      outputs: [[1, 4, 6, 5]],
      options: { axis: -1 },
    },
    { operator: 'RESHAPE', type, inputs: [rank4], outputs: [[2, 36]], after: [vector(2, -1)] },
    {
      operator: 'PAD',
      type,
      inputs: [rank4],
      outputs: [[1, 6, 7, 3]],
      after: [{ shape: [4, 2], values: [0, 0, 1, 1, 0, 1, 0, 0] }],
    },
    {
      operator: 'MEAN',
      type,
      inputs: [rank4],
      outputs: [[1, 3]],
      after: [vector(1, 2)],
      output: { scale: [OUT_SCALE] },
    },
    {
      operator: 'MEAN',
      type,
      inputs: [rank4],
      outputs: [[1, 1, 1, 3]],
      after: [vector(1, 2)],
      options: { keepDims: true },
    },
    {
      operator: 'STRIDED_SLICE',
      type,
      inputs: [rank4],
      outputs: [[1, 2, 3]],
      after: [vector(0, 1, 0, 1), vector(1, -1, 6, 2), vector(1, 1, 2, 1)],
      options: { endMask: 0, beginMask: 1, shrinkAxisMask: 8 },
    },
    {
      operator: 'SPLIT',
      type,
      inputs: [rank4],
      outputs: [
        [1, 4, 3, 3],
        [1, 4, 3, 3],
      ],
      before: { shape: [], values: [2] },
      options: { numSplits: 2 },
    },
    {
      operator: 'RESIZE_BILINEAR',
      type,
      inputs: [rank4],
      outputs: [[1, 7, 9, 3]],
      after: [vector(7, 9)],
      options: { halfPixelCenters: true },
    },
    {
      operator: 'RESIZE_NEAREST_NEIGHBOR',
      type,
      inputs: [rank4],
      outputs: [[1, 7, 9, 3]],
      after: [vector(7, 9)],
      options: { alignCorners: true },
    },
  ];
}

function elementwiseSamples(type: ActivationType): PlainPlan[] {
  const shape = [1, 4, 6, 3];
  const half = { scale: [OUT_SCALE] };
  const fixed = (steps: number, int8: number, uint8: number): TensorPlan => ({
    scale: [1 / steps],
    zeroPoint: type === 'int8' ? int8 : uint8,
  });
  const one = { type, inputs: [shape], outputs: [shape] };
  return [
    {
      operator: 'ADD',
      type,
      inputs: [shape, shape],
      outputs: [shape],
      output: half,
      options: { fusedActivationFunction: 1 },
    },
    { operator: 'ADD', type, inputs: [shape, [1, 1, 1, 3]], outputs: [shape], output: half },
    { operator: 'SUB', type, inputs: [shape, [6, 1]], outputs: [shape], output: half },
    { operator: 'MUL', type, inputs: [shape, shape], outputs: [shape], output: half },
    { operator: 'MUL', type, inputs: [shape, [3]], outputs: [shape], output: half },
    {
      operator: 'SOFTMAX',
      type,
      inputs: [[2, 9]],
      outputs: [[2, 9]],
      output: fixed(256, -128, 0),
      options: { beta: 1 },
    },
    { operator: 'LOGISTIC', ...one, output: fixed(256, -128, 0) },
    { operator: 'TANH', ...one, output: fixed(128, 0, 128) },
    { operator: 'RELU', ...one, output: half },
    { operator: 'RELU6', ...one, output: half },
    { operator: 'LEAKY_RELU', ...one, output: half, options: { alpha: 0.25 } },
    { operator: 'HARD_SWISH', ...one, output: half },
  ];
}

function conversionSamples(): SampleModel[] {
  const samples: SampleModel[] = [];
  for (const from of TYPES) {
    for (const to of TYPES) {
      if (from === 'float32' && to === 'float32') continue;
      const operator = to === 'float32' ? 'DEQUANTIZE' : 'QUANTIZE';
      const b = new ModelBuilder();
      const input = b.tensor([2, 8], activation(from));
      const output = b.tensor([2, 8], activation(to, OUT_SCALE));
      const model = b.operator(operator, [input], [output]).build([input], [output]);
      samples.push({ name: `${operator} ${from} to ${to}`, model });
    }
  }
  return samples;
}

/** Float16 weights are made float at run time, as TensorFlow's converter lays them out. */
function float16Sample(): SampleModel {
  const b = new ModelBuilder();
  const input = b.tensor([1, 4]);
  const half = b.tensor([3, 4], { type: 'float16', data: Array(12).fill(0x3c00) });
  const weights = b.tensor([3, 4]);
  const output = b.tensor([1, 3]);
  b.operator('DEQUANTIZE', [half], [weights]);
  b.operator('FULLY_CONNECTED', [input, weights, -1], [output]);
  return { name: 'dense float16', model: b.build([input], [output]) };
}

export function svdfModel(
  type: 'float32' | 'int8',
  stateType: 'float32' | 'int16' | 'int8',
): TfliteModel {
  const b = new ModelBuilder();
  const [filters, depth, memory] = [4, 6, 3];
  const float = type === 'float32';
  const scaled = (plan: TensorPlan, scale: number): TensorPlan =>
    float ? { ...plan, type: 'float32' } : { ...plan, scale: [scale] };
  const input = b.tensor([1, depth], activation(type));
  const inputs = [
    input,
    b.tensor([filters, depth], scaled({ type: 'int8', data: ramp(filters * depth) }, WEIGHT_SCALE)),
    b.tensor([filters, memory], scaled({ type: 'int16', data: ramp(filters * memory) }, 1e-4)),
    b.tensor([2], scaled({ type: 'int32', data: ramp(2) }, 1e-4 * 1e-3)),
    b.tensor([1, filters * memory], { ...scaled({}, 1e-3), type: stateType, isVariable: true }),
  ];
  const output = b.tensor([1, 2], activation(type, OUT_SCALE));
  return b
    .operator('SVDF', inputs, [output], { rank: 2, fusedActivationFunction: 1 })
    .build([input], [output]);
}

/** A small network of the layers of a keyword spotter, int8 throughout. */
export function smallNetwork(): TfliteModel {
  const b = new ModelBuilder();
  const q = activation('int8');
  const input = b.tensor([1, 6, 6, 1], q);
  const weights = b.tensor([2, 3, 3, 1], { type: 'int8', scale: [WEIGHT_SCALE], data: ramp(18) });
  const bias = b.tensor([2], { type: 'int32', scale: [IN_SCALE * WEIGHT_SCALE], data: [5, -5] });
  const features = b.tensor([1, 3, 3, 2], q);
  const flat = b.tensor([1, 18], q);
  const dense = b.tensor([3, 18], { type: 'int8', scale: [WEIGHT_SCALE], data: ramp(54) });
  const logits = b.tensor([1, 3], q);
  const output = b.tensor([1, 3], { type: 'int8', scale: [1 / 256], zeroPoint: -128 });
  return b
    .operator('CONV_2D', [input, weights, bias], [features], {
      ...SAME,
      fusedActivationFunction: 1,
    })
    .operator('RESHAPE', [features, b.control([2], [1, 18])], [flat])
    .operator('FULLY_CONNECTED', [flat, dense, -1], [logits])
    .operator('SOFTMAX', [logits], [output], { beta: 1 })
    .build([input], [output]);
}

/** One model for each operator and type that Dunlin takes. */
export function sampleModels(): SampleModel[] {
  const perType = TYPES.flatMap((type) => [
    ...weightedSamples(type),
    ...[...layoutSamples(type), ...elementwiseSamples(type)].map((plan, index) => ({
      name: `${plan.operator} ${type} ${index}`,
      model: plain(plan),
    })),
  ]);
  return [
    ...perType,
    ...operatorSamples().map((plan, index) => ({
      name: `${plan.operator} ${plan.type} ${index}`,
      model: plain(plan),
    })),
    ...hybridSamples(),
    ...conversionSamples(),
    float16Sample(),
    { name: 'SVDF float32', model: svdfModel('float32', 'float32') },
    { name: 'SVDF int8', model: svdfModel('int8', 'int16') },
    { name: 'indices', model: indexModel() },
    { name: 'layer normalization', model: layerNormalization() },
    { name: 'attention', model: attention() },
    { name: 'rearranged float32', model: rearranged('float32') },
    { name: 'rearranged int8', model: rearranged('int8') },
    { name: 'network', model: smallNetwork() },
  ];
}
