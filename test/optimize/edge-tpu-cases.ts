import type { OptionValue, TensorType, TfliteModel } from '../../src/tflite/index.ts';
import { ModelBuilder, type TensorPlan } from '../tflite/model-builder.ts';

/** Says what a model of one operator is. */
export interface Case {
  readonly name: string;
  /** In the order of the operator's inputs. */
  readonly inputs: readonly Input[];
  readonly output: readonly number[];
  readonly options?: Readonly<Record<string, OptionValue>>;
  readonly outputPlan?: TensorPlan;
  /** Absent where it maps. */
  readonly reason?: string;
}

export type Input = readonly [shape: readonly number[], plan: TensorPlan];

export const INT8 = { type: 'int8', scale: [0.5] } as const;
export const flows = (...shape: number[]): Input => [shape, INT8];
const typed = (type: TensorType, ...shape: number[]): Input => [shape, { type }];
const zeros = (shape: readonly number[]): number[] =>
  new Array<number>(shape.reduce((product, size) => product * size, 1)).fill(0);
export const weights = (...shape: number[]): Input => [shape, { ...INT8, data: zeros(shape) }];
export const bias = (count: number): Input => [
  [count],
  { type: 'int32', scale: [0.25], data: zeros([count]) },
];
const control = (...values: number[]): Input => [[values.length], { type: 'int32', data: values }];
export const dilation = (height: number, width: number) => ({
  dilationHFactor: height,
  dilationWFactor: width,
});

export function modelOf(
  operator: string,
  { inputs, output, outputPlan, options }: Case,
): TfliteModel {
  const builder = new ModelBuilder();
  const indices = inputs.map(([shape, plan]) => builder.tensor(shape, plan));
  const result = builder.tensor(output, outputPlan ?? INT8);
  builder.operator(operator, indices, [result], options ?? {});
  const open = indices.filter((_, index) => inputs[index]![1].data === undefined);
  return builder.build(open, [result]);
}

const image = flows(1, 8, 8, 4);
const sameImage = { inputs: [image], output: [1, 8, 8, 4] };
const twoImages = { inputs: [image, image], output: [1, 8, 8, 4] };
const conv = { inputs: [image, weights(8, 3, 3, 4), bias(8)], output: [1, 8, 8, 8] };
const depthwise = { inputs: [image, weights(1, 3, 3, 4), bias(4)], output: [1, 8, 8, 4] };
const dense = { inputs: [flows(1, 4), weights(3, 4), bias(3)], output: [1, 3] };
const slice = {
  inputs: [image, control(0, 0, 0, 0), control(1, 8, 8, 4), control(1, 1, 1, 1)],
  output: [1, 8, 8, 4],
};
export const float = { type: 'float32' } as const;

/** By operator: what maps and what does not, at least one of each where there is a rule. */
export const CASES: Readonly<Record<string, readonly Case[]>> = {
  CONV_2D: [
    { name: 'four dimensions of weights', ...conv },
    { name: 'the same dilation', ...conv, options: dilation(2, 2) },
    {
      name: 'two dilations',
      ...conv,
      options: dilation(2, 1),
      reason: 'dilates by 2 in height and 1 in width: make both the same',
    },
    {
      name: 'float32',
      inputs: [
        typed('float32', 1, 8, 8, 4),
        [[8, 3, 3, 4], { ...float, data: zeros([8, 3, 3, 4]) }],
        [[8], { ...float, data: zeros([8]) }],
      ],
      output: [1, 8, 8, 8],
      outputPlan: float,
      reason: 'computes in float32: quantize it to int8',
    },
    {
      name: 'hybrid',
      inputs: [
        typed('float32', 1, 8, 8, 4),
        weights(8, 3, 3, 4),
        [[8], { ...float, data: zeros([8]) }],
      ],
      output: [1, 8, 8, 8],
      outputPlan: float,
      reason: 'computes in float32 with int8 weights: quantize its inputs and outputs to int8, too',
    },
    {
      name: 'float32 weights alone',
      inputs: [image, [[8, 3, 3, 4], { ...float, data: zeros([8, 3, 3, 4]) }], bias(8)],
      output: [1, 8, 8, 8],
      reason: 'has float32 weights: quantize them to int8',
    },
    {
      name: 'computed weights',
      inputs: [image, flows(8, 3, 3, 4), bias(8)],
      output: [1, 8, 8, 8],
      reason: 'has weights (input 1) that are computed: make them constant',
    },
    {
      name: 'weights without a scale',
      inputs: [image, [[8, 3, 3, 4], { type: 'int8', data: zeros([8, 3, 3, 4]) }], bias(8)],
      output: [1, 8, 8, 8],
      reason: 'has int8 values "t1" without a scale: quantize the model, do not cast it',
    },
    {
      name: 'a computed bias',
      inputs: [image, weights(8, 3, 3, 4), [[8], { type: 'int32', scale: [0.25] }]],
      output: [1, 8, 8, 8],
      reason: 'has a bias (input 2) that is computed: make it constant',
    },
    {
      name: 'an int64 bias',
      inputs: [
        image,
        weights(8, 3, 3, 4),
        [[8], { type: 'int64', scale: [0.25], data: new Uint8Array(64) }],
      ],
      output: [1, 8, 8, 8],
      reason: 'has a bias of int64: quantize it to int32',
    },
    {
      name: 'a batch of 2',
      inputs: [flows(2, 8, 8, 4), weights(8, 3, 3, 4), bias(8)],
      output: [2, 8, 8, 8],
      reason: `works on [2,8,8,4], with 2 in dimension 0: only the 3 innermost may be larger than \
1; use a batch of 1`,
    },
  ],
  DEPTHWISE_CONV_2D: [
    { name: 'the same dilation', ...depthwise, options: dilation(3, 3) },
    {
      name: 'two dilations',
      ...depthwise,
      options: dilation(1, 3),
      reason: 'dilates by 1 in height and 3 in width: make both the same',
    },
  ],
  TRANSPOSE_CONV: [
    {
      name: 'a constant shape',
      inputs: [control(1, 16, 16, 8), weights(8, 2, 2, 4), image, bias(8)],
      output: [1, 16, 16, 8],
    },
    {
      name: 'a computed shape',
      inputs: [typed('int32', 4), weights(8, 2, 2, 4), image, bias(8)],
      output: [1, 16, 16, 8],
      reason: `is steered by input 0 "t0", which is computed: make it constant, so that all sizes \
are fixed`,
    },
  ],
  FULLY_CONNECTED: [
    { name: 'one vector', ...dense },
    { name: 'without bias', inputs: dense.inputs.slice(0, 2), output: [1, 3] },
    {
      name: 'eight vectors',
      inputs: [flows(8, 4), weights(3, 4), bias(3)],
      output: [8, 3],
      reason:
        'gives [8,3], 8 vectors at once: one is taken, so use a batch of 1, or a 1 x 1 convolution',
    },
    {
      name: 'shuffled weights',
      ...dense,
      options: { weightsFormat: 1 },
      reason: 'has weights in format 1: store them plainly (0)',
    },
  ],
  ADD: [
    { name: 'two images', ...twoImages },
    { name: 'a constant', inputs: [image, weights(4)], output: [1, 8, 8, 4] },
    {
      name: 'int16',
      inputs: [typed('int16', 1, 4), typed('int16', 1, 4)],
      output: [1, 4],
      outputPlan: { type: 'int16' },
      reason: 'works with int16 values: quantize it to int8',
    },
    {
      name: 'int8 without a scale',
      inputs: [typed('int8', 1, 4), flows(1, 4)],
      output: [1, 4],
      reason: 'has int8 values "t0" without a scale: quantize the model, do not cast it',
    },
    {
      name: 'a size that is not fixed',
      inputs: [flows(1, -1), flows(1, -1)],
      output: [1, -1],
      reason: 'has a size that is not fixed, [1,-1]: fix it when converting',
    },
    {
      name: 'uint8',
      inputs: [
        [[1, 4], { ...INT8, type: 'uint8' }],
        [[1, 4], { ...INT8, type: 'uint8' }],
      ],
      output: [1, 4],
      outputPlan: { ...INT8, type: 'uint8' },
    },
    {
      name: 'five dimensions, the second large',
      inputs: [flows(1, 2, 3, 4, 5), flows(1, 2, 3, 4, 5)],
      output: [1, 2, 3, 4, 5],
      reason: `works on [1,2,3,4,5], with 2 in dimension 1: only the 3 innermost may be larger \
than 1; reshape it to three dimensions`,
    },
  ],
  AVERAGE_POOL_2D: [
    { name: 'plain', ...sameImage },
    {
      name: 'with RELU6',
      ...sameImage,
      options: { fusedActivationFunction: 3 },
      reason: 'has RELU6 fused into it: make that an operator of its own',
    },
  ],
  MAX_POOL_2D: [
    { name: 'plain', ...sameImage },
    {
      name: 'with RELU',
      ...sameImage,
      options: { fusedActivationFunction: 1 },
      reason: 'has RELU fused into it: make that an operator of its own',
    },
  ],
  CONCATENATION: [
    { name: 'three inputs', inputs: [image, image, image], output: [1, 8, 8, 12] },
    { name: 'zeros', inputs: [image, weights(1, 8, 8, 4)], output: [1, 8, 8, 8] },
    {
      name: 'ones',
      inputs: [image, [[1, 1, 1, 2], { ...INT8, data: [1, 0] }]],
      output: [1, 8, 8, 8],
      reason: 'joins a constant that is not all zeros: only zeros are taken',
    },
    {
      name: 'zeros at a zero point',
      inputs: [image, [[1, 1, 1, 2], { ...INT8, zeroPoint: -7, data: [-7, -7] }]],
      output: [1, 8, 8, 8],
    },
    {
      name: 'zeros and two more',
      inputs: [image, image, weights(1, 8, 8, 4)],
      output: [1, 8, 8, 12],
      reason: 'joins 3 inputs, one of them constant: with a constant, only 2 are taken',
    },
    {
      name: 'with RELU',
      ...twoImages,
      options: { fusedActivationFunction: 1 },
      reason: 'has RELU fused into it: make that an operator of its own',
    },
  ],
  MEAN: [
    { name: 'over height and width', inputs: [image, control(1, 2)], output: [1, 4] },
    { name: 'over 4 channels', inputs: [image, control(-1)], output: [1, 8, 8] },
    {
      name: 'over 3 channels',
      inputs: [flows(1, 8, 8, 3), control(3)],
      output: [1, 8, 8],
      reason: 'averages over 3 channels: make them a multiple of 4',
    },
    {
      name: 'over the batch',
      inputs: [image, control(-4)],
      output: [8, 8, 4],
      reason: 'reduces over dimension 0, the batch: leave that one out',
    },
    {
      name: 'over computed dimensions',
      inputs: [image, typed('int32', 2)],
      output: [1, 4],
      reason: `is steered by input 1 "t1", which is computed: make it constant, so that all sizes \
are fixed`,
    },
  ],
  ...Object.fromEntries(
    ['REDUCE_MAX', 'REDUCE_MIN', 'SUM'].map((name): [string, Case[]] => [
      name,
      [
        { name: 'over 3 channels', inputs: [flows(1, 8, 8, 3), control(3)], output: [1, 8, 8] },
        {
          name: 'over the batch',
          inputs: [image, control(0)],
          output: [8, 8, 4],
          reason: 'reduces over dimension 0, the batch: leave that one out',
        },
      ],
    ]),
  ),
  PAD: [
    { name: 'around', inputs: [image, control(0, 0, 1, 1, 1, 1, 0, 0)], output: [1, 10, 10, 4] },
    {
      name: 'the batch',
      inputs: [image, control(0, 1, 0, 0, 0, 0, 0, 0)],
      output: [1, 8, 8, 4],
      reason: 'pads dimension 0, the batch: pad none but the inner three',
    },
  ],
  PACK: [
    {
      name: 'the innermost',
      inputs: [flows(8, 4), flows(8, 4)],
      output: [8, 4, 2],
      options: { axis: -1 },
    },
    {
      name: 'the batch',
      inputs: [flows(8, 8, 4)],
      output: [1, 8, 8, 4],
      options: { axis: 0 },
      reason: 'packs along dimension 0, the batch: pack along one of the inner three',
    },
  ],
  SPLIT: [
    { name: 'channels', inputs: [control(3), image], output: [1, 8, 8, 2] },
    {
      name: 'the batch',
      inputs: [control(0), image],
      output: [1, 8, 8, 4],
      reason: 'splits dimension 0, the batch: split one of the inner three',
    },
  ],
  PRELU: [
    { name: 'a slope a channel', inputs: [image, weights(1, 1, 4)], output: [1, 8, 8, 4] },
    {
      name: 'a slope a place',
      inputs: [image, weights(8, 8, 4)],
      output: [1, 8, 8, 4],
      reason:
        'has a slope for each of [8,8,4]: share it over height and width, one for each channel',
    },
    {
      name: 'a computed slope',
      inputs: [image, flows(1, 1, 4)],
      output: [1, 8, 8, 4],
      reason: 'has weights (input 1) that are computed: make them constant',
    },
  ],
  RESHAPE: [
    { name: 'a constant shape', inputs: [image, control(1, 256)], output: [1, 256] },
    { name: 'a shape in the options', inputs: [image], output: [1, 256] },
    {
      name: 'a computed shape',
      inputs: [image, typed('int32', 2)],
      output: [1, 256],
      reason: `is steered by input 1 "t1", which is computed: make it constant, so that all sizes \
are fixed`,
    },
  ],
  SOFTMAX: [
    { name: '16,000 values', inputs: [flows(1, 16_000)], output: [1, 16_000] },
    {
      name: '16,001 values',
      inputs: [flows(1, 16_001)],
      output: [1, 16_001],
      reason: 'works on 16001 values: at most 16000 are taken',
    },
    {
      name: 'a row for each of 4',
      inputs: [flows(4, 10)],
      output: [4, 10],
      reason: 'works on [4,10], 4 vectors at once: one is taken',
    },
  ],
  STRIDED_SLICE: [
    { name: 'strides of 1', ...slice },
    {
      name: 'a stride of 2',
      ...slice,
      inputs: [...slice.inputs.slice(0, 3), control(1, 2, 1, 1)],
      reason: 'has a stride of 2: only 1 is taken; thin out by pooling or a strided convolution',
    },
    {
      name: 'an ellipsis',
      ...slice,
      options: { ellipsisMask: 2 },
      reason: 'has the ellipsis mask 2: write it without, and RESHAPE',
    },
    {
      name: 'a new axis',
      ...slice,
      options: { newAxisMask: 1 },
      reason: 'has the new-axis mask 1: write it without, and RESHAPE',
    },
  ],
  SQUEEZE: [
    { name: 'leading ones', inputs: [flows(1, 1, 10)], output: [10] },
    { name: 'the first of [1, 5, 10]', inputs: [flows(1, 5, 10)], output: [5, 10] },
    {
      name: 'the middle of [5, 1, 10]',
      inputs: [flows(5, 1, 10)],
      output: [5, 10],
      reason:
        'takes dimension 1 out of [5,1,10], behind one of 5: only leading ones can go; use RESHAPE',
    },
    {
      name: 'only the first of [1, 5, 1, 10]',
      inputs: [flows(1, 5, 1, 10)],
      output: [5, 1, 10],
      options: { squeezeDims: [-4] },
    },
  ],
  QUANTIZE: [
    { name: 'to another scale', inputs: [flows(1, 4)], output: [1, 4] },
    {
      name: 'uint8 to int8',
      inputs: [[[1, 4], { ...INT8, type: 'uint8' }]],
      output: [1, 4],
    },
    {
      name: 'a float32 input',
      inputs: [typed('float32', 1, 4)],
      output: [1, 4],
      reason: `turns the float32 input into int8 on the CPU, before the Edge TPU starts: let the \
model take int8`,
    },
  ],
  DEQUANTIZE: [
    {
      name: 'an int8 output',
      inputs: [flows(1, 4)],
      output: [1, 4],
      outputPlan: float,
      reason: `turns the int8 output into float32 on the CPU, behind the Edge TPU: let the model \
give int8`,
    },
    {
      name: 'float16 weights',
      inputs: [[[4], { type: 'float16', data: [1, 2, 3, 4] }]],
      output: [4],
      outputPlan: float,
      reason: 'unpacks float16 weights to compute in float32: quantize the model to int8',
    },
  ],
  RESIZE_BILINEAR: [{ name: '', inputs: [image, control(16, 16)], output: [1, 16, 16, 4] }],
  RESIZE_NEAREST_NEIGHBOR: [
    { name: '', inputs: [image, control(16, 16)], output: [1, 16, 16, 4] },
    {
      name: 'to a computed size',
      inputs: [image, typed('int32', 2)],
      output: [1, 16, 16, 4],
      reason: `is steered by input 1 "t1", which is computed: make it constant, so that all sizes \
are fixed`,
    },
  ],
  EXPAND_DIMS: [{ name: '', inputs: [flows(8, 4), control(0)], output: [1, 8, 4] }],
  SLICE: [
    {
      name: '',
      inputs: [image, control(0, 0, 0, 0), control(1, 4, 4, 4)],
      output: [1, 4, 4, 4],
    },
  ],
  SPACE_TO_DEPTH: [{ name: '', inputs: [image], output: [1, 4, 4, 16], options: { blockSize: 2 } }],
  TRANSPOSE: [{ name: '', inputs: [image, control(0, 2, 1, 3)], output: [1, 8, 8, 4] }],
  ...Object.fromEntries(
    ['RELU', 'RELU6', 'RELU_N1_TO_1', 'LOGISTIC', 'TANH', 'L2_NORMALIZATION', 'RSQRT'].map(
      (name): [string, Case[]] => [name, [{ name: '', ...sameImage }]],
    ),
  ),
  ...Object.fromEntries(
    ['SUB', 'MUL', 'MAXIMUM', 'MINIMUM', 'SQUARED_DIFFERENCE'].map((name): [string, Case[]] => [
      name,
      [{ name: '', ...twoImages }],
    ]),
  ),
  UNIDIRECTIONAL_SEQUENCE_LSTM: [
    { name: 'with int16 state', inputs: [flows(1, 8, 4), typed('int16', 1, 4)], output: [1, 8, 4] },
  ],
  LEAKY_RELU: [
    {
      name: '',
      ...sameImage,
      reason: `is not an operation of the Edge TPU: train with RELU, or write it as PRELU or as \
MAXIMUM of x and a constant times x`,
    },
  ],
  HARD_SWISH: [
    { name: '', ...sameImage, reason: 'is not an operation of the Edge TPU: train with RELU6' },
  ],
  FLOOR_MOD: [
    {
      name: 'without advice of its own',
      ...twoImages,
      reason: 'is not an operation of the Edge TPU: leave it out, or move it behind all others',
    },
  ],
};
