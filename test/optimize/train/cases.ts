import { openFloatModel } from '../../../src/optimize/float-model.ts';
import { serializeModel, type TfliteModel } from '../../../src/tflite/index.ts';
import { ModelBuilder } from '../../tflite/model-builder.ts';
import { sampleModels } from '../../tflite/sample-models.ts';
import type { Options } from '../../tflite/sample-plan.ts';
import { countOf } from '../random-graph.ts';
import { RandomValues } from '../random-values.ts';

/** One operator whose inputs are fed. */
export interface Case {
  readonly name: string;
  readonly model: TfliteModel;
  readonly builtins: readonly string[];
  /** Inputs lie between it and its opposite. */
  readonly range: number;
}

type Operand =
  | readonly number[]
  | { readonly constant: readonly number[] }
  | { readonly control: readonly number[]; readonly shape?: readonly number[] }
  | { readonly again: number }
  | 'none';

const IMAGE = [1, 4, 6, 3];
const random = new RandomValues(11);

/** Inputs in the operator's order: a shape is fed, a constant is random, `again` is an input that is read twice. */
function single(
  builtin: string,
  operands: readonly Operand[],
  outputs: readonly (readonly number[])[],
  options: Options = {},
  range = 3,
): Case {
  const b = new ModelBuilder();
  const inputs: number[] = [];
  const places = operands.map((operand) => {
    if (operand === 'none') return -1;
    if ('again' in operand) return inputs[operand.again]!;
    if ('control' in operand) {
      return b.control(operand.shape ?? [operand.control.length], operand.control);
    }
    if ('constant' in operand) {
      const { constant } = operand;
      return b.tensor(constant, { data: random.normals(countOf(constant), 0.7) });
    }
    return inputs[inputs.push(b.tensor(operand)) - 1]!;
  });
  const ends = outputs.map((shape) => b.tensor(shape));
  const model = b.operator(builtin, places, ends, options).build(inputs, ends);
  const said = Object.entries(options).map(([name, value]) => `${name} ${value}`);
  const name = `${builtin} ${JSON.stringify(operands)} ${said.join(', ')}`;
  return { name, model, builtins: [builtin], range };
}

const control = (...values: number[]): Operand => ({ control: values });
const scalar = (value: number): Operand => ({ control: [value], shape: [] });
const pairs = (...values: number[]): Operand => ({
  control: values,
  shape: [values.length / 2, 2],
});
const fixed = (...constant: number[]): Operand => ({ constant });
const fused = (number: number): Options => ({ fusedActivationFunction: number });
const FUSED = [1, 2, 3];

function arithmetic(): Case[] {
  return ['ADD', 'SUB', 'MUL'].flatMap((name) => [
    ...FUSED.map((number) =>
      single(
        name,
        [
          [2, 5],
          [2, 5],
        ],
        [[2, 5]],
        fused(number),
      ),
    ),
    single(name, [IMAGE, [3]], [IMAGE], fused(1)),
    single(name, [[6, 1], IMAGE], [IMAGE]),
    single(
      name,
      [
        [2, 1, 3],
        [4, 1],
      ],
      [[2, 4, 3]],
    ),
    single(name, [IMAGE, fixed(3)], [IMAGE]),
    single(name, [fixed(1), IMAGE], [IMAGE]),
    single(name, [fixed(...IMAGE), IMAGE], [IMAGE]),
    single(name, [IMAGE, fixed(...IMAGE)], [IMAGE]),
    single(name, [fixed(4, 6, 3), [1, 1, 1, 3]], [IMAGE]),
    single(name, [[2, 7], { again: 0 }], [[2, 7]]),
  ]);
}

function extremes(): Case[] {
  return ['MAXIMUM', 'MINIMUM'].flatMap((name) => [
    single(name, [IMAGE, [1, 1, 1, 3]], [IMAGE]),
    single(name, [[6, 1], IMAGE], [IMAGE]),
    single(
      name,
      [
        [2, 9],
        [2, 9],
      ],
      [[2, 9]],
    ),
    single(name, [IMAGE, fixed(1)], [IMAGE]),
  ]);
}

function unary(): Case[] {
  const names = ['RELU', 'RELU6', 'HARD_SWISH', 'LOGISTIC', 'TANH', 'ELU', 'ABS', 'LOG_SOFTMAX'];
  return [
    ...names.flatMap((name) => [
      single(name, [IMAGE], [IMAGE], {}, 8),
      single(name, [[7]], [[7]], {}, 3),
    ]),
    ...[0.25, 1.5, -0.5, 0].map((alpha) => single('LEAKY_RELU', [IMAGE], [IMAGE], { alpha })),
    ...[true, false].map((approximate) => single('GELU', [IMAGE], [IMAGE], { approximate }, 4)),
    single('PRELU', [IMAGE, fixed(3)], [IMAGE]),
    single('PRELU', [IMAGE, fixed(4, 1, 3)], [IMAGE]),
    single('PRELU', [[2, 5], fixed(2, 5)], [[2, 5]]),
    single('SOFTMAX', [[2, 9]], [[2, 9]], { beta: 0.5 }),
    single('SOFTMAX', [IMAGE], [IMAGE], { beta: 1 }),
    single('SOFTMAX', [[6]], [[6]], { beta: 2 }),
    single('L2_NORMALIZATION', [[2, 9]], [[2, 9]]),
    single('L2_NORMALIZATION', [[6]], [[6]]),
  ];
}

function reductions(): Case[] {
  return ['MEAN', 'REDUCE_MAX', 'REDUCE_MIN'].flatMap((name) => [
    single(name, [IMAGE, control(1, -2)], [[1, 3]]),
    single(name, [IMAGE, control(-1, 0)], [[4, 6]]),
    single(name, [IMAGE, scalar(1)], [[1, 1, 6, 3]], { keepDims: true }),
    single(name, [[2, 5], control(0, 1)], [[1, 1]], { keepDims: true }),
    single(name, [[3, 4], scalar(-2)], [[4]]),
  ]);
}

function pools(): Case[] {
  const window = { strideW: 2, strideH: 1, filterWidth: 3, filterHeight: 2 };
  return ['AVERAGE_POOL_2D', 'MAX_POOL_2D'].flatMap((name) => [
    single(name, [IMAGE], [[1, 4, 3, 3]], { ...window, padding: 0 }),
    single(name, [IMAGE], [[1, 3, 2, 3]], { ...window, padding: 1 }),
    single(name, [[2, 4, 5, 2]], [[2, 4, 3, 2]], { ...window, padding: 0 }),
    ...FUSED.map((number) =>
      single(name, [IMAGE], [[1, 3, 2, 3]], { ...window, padding: 1, ...fused(number) }, 8),
    ),
  ]);
}

function layers(): Case[] {
  const bias = fixed(4);
  const conv = { padding: 0, strideW: 1, strideH: 1 };
  const weights = fixed(4, 2, 3, 3);
  const deep = (channels: number): Operand => fixed(1, 3, 2, channels);
  const depthwise = { ...conv, depthMultiplier: 2 };
  return [
    ...FUSED.map((number) =>
      single('CONV_2D', [IMAGE, weights, bias], [[1, 4, 6, 4]], { ...conv, ...fused(number) }),
    ),
    single('CONV_2D', [IMAGE, weights, bias], [[1, 2, 6, 4]], { ...conv, strideH: 2 }),
    single('CONV_2D', [IMAGE, weights, bias], [[1, 3, 2, 4]], { ...conv, padding: 1, strideW: 2 }),
    single('CONV_2D', [IMAGE, weights, bias], [[1, 4, 6, 4]], { ...conv, dilationWFactor: 2 }),
    single('CONV_2D', [IMAGE, weights, bias], [[1, 1, 2, 4]], {
      ...{ ...conv, padding: 1, dilationHFactor: 3, dilationWFactor: 2 },
    }),
    single('CONV_2D', [[2, 4, 5, 3], weights, bias], [[2, 4, 5, 4]], conv),
    single('CONV_2D', [IMAGE, fixed(5, 1, 1, 3), fixed(5)], [[1, 4, 6, 5]], conv),
    single('CONV_2D', [IMAGE, fixed(5, 1, 1, 3), fixed(5)], [[1, 2, 3, 5]], {
      ...{ ...conv, strideH: 2, strideW: 2 },
    }),
    ...FUSED.map((number) =>
      single('DEPTHWISE_CONV_2D', [IMAGE, deep(6), fixed(6)], [[1, 4, 6, 6]], {
        ...{ ...depthwise, ...fused(number) },
      }),
    ),
    single('DEPTHWISE_CONV_2D', [[1, 4, 5, 5], deep(5), fixed(5)], [[1, 2, 3, 5]], {
      ...{ ...conv, strideW: 2, strideH: 2, depthMultiplier: 1 },
    }),
    single('DEPTHWISE_CONV_2D', [[2, 7, 4, 2], deep(6), fixed(6)], [[2, 3, 2, 6]], {
      ...{ ...conv, padding: 1, depthMultiplier: 3, dilationHFactor: 2, dilationWFactor: 2 },
    }),
    ...FUSED.map((number) =>
      single('FULLY_CONNECTED', [[2, 5], fixed(7, 5), fixed(7)], [[2, 7]], fused(number)),
    ),
    single('FULLY_CONNECTED', [[2, 3, 5], fixed(7, 5), 'none'], [[6, 7]]),
    single('FULLY_CONNECTED', [[2, 3, 5], fixed(7, 5), fixed(7)], [[2, 3, 7]], {
      keepNumDims: true,
    }),
    single('FULLY_CONNECTED', [[2, 6], fixed(3, 4)], [[3, 3]]),
  ];
}

function transposed(): Case[] {
  const strides = { strideW: 2, strideH: 1 };
  const weights = fixed(4, 2, 3, 3);
  const of = (shape: readonly number[], padding: number, bias: Operand): Case =>
    single('TRANSPOSE_CONV', [control(...shape), weights, [1, 3, 2, 3], bias], [shape], {
      ...{ ...strides, padding },
    });
  const input = [2, 3, 3, 2];
  return [
    of([1, 3, 4, 4], 0, fixed(4)),
    of([1, 4, 5, 4], 1, fixed(4)),
    of([1, 3, 3, 4], 0, 'none'),
    single(
      'TRANSPOSE_CONV',
      [control(2, 6, 6, 5), fixed(5, 3, 3, 2), input, fixed(5)],
      [[2, 6, 6, 5]],
      { padding: 0, strideW: 2, strideH: 2 },
    ),
  ];
}

function matrices(): Case[] {
  const cases = [];
  for (const adjX of [false, true]) {
    for (const adjY of [false, true]) {
      const left = adjX ? [5, 4] : [4, 5];
      const right = adjY ? [3, 5] : [5, 3];
      const options = { adjX, adjY };
      cases.push(
        single('BATCH_MATMUL', [left, right], [[4, 3]], options),
        single(
          'BATCH_MATMUL',
          [
            [3, 1, ...left],
            [2, ...right],
          ],
          [[3, 2, 4, 3]],
          options,
        ),
        single('BATCH_MATMUL', [[2, ...left], fixed(...right)], [[2, 4, 3]], options),
        single('BATCH_MATMUL', [fixed(...left), [2, ...right]], [[2, 4, 3]], options),
      );
    }
  }
  return [...cases, single('BATCH_MATMUL', [[4, 4], { again: 0 }], [[4, 4]], { adjY: true })];
}

function resizes(): Case[] {
  const flags = [{}, { alignCorners: true }, { halfPixelCenters: true }];
  return ['RESIZE_BILINEAR', 'RESIZE_NEAREST_NEIGHBOR'].flatMap((name) =>
    flags.flatMap((options) => [
      single(name, [[2, 3, 5, 2], control(7, 4)], [[2, 7, 4, 2]], options),
      single(name, [[1, 3, 4, 2], control(6, 8)], [[1, 6, 8, 2]], options),
      single(name, [IMAGE, control(1, 1)], [[1, 1, 1, 3]], options),
    ]),
  );
}

function moves(): Case[] {
  const masks = { beginMask: 1, endMask: 2, shrinkAxisMask: 0 };
  return [
    single('TRANSPOSE', [[2, 3, 4], control(2, 0, 1)], [[4, 2, 3]]),
    single('RESHAPE', [IMAGE, control(-1, 8)], [[9, 8]]),
    single('PAD', [[2, 3], pairs(1, 2, 0, 3)], [[5, 6]]),
    single('PADV2', [[2, 3], pairs(1, 2, 0, 3), { constant: [] }], [[5, 6]]),
    single('MIRROR_PAD', [[3, 4], pairs(2, 1, 3, 2)], [[6, 9]], { mode: 0 }),
    single('MIRROR_PAD', [[3, 4], pairs(3, 1, 4, 2)], [[7, 10]], { mode: 1 }),
    single('SLICE', [IMAGE, control(0, 1, 3, 0), control(1, -1, 2, 2)], [[1, 3, 2, 2]]),
    single(
      'STRIDED_SLICE',
      [[5, 7, 3], control(2, -6, 0), control(-1, 3, 2), control(2, 3, 1)],
      [[2, 2, 2]],
      masks,
    ),
    single('STRIDED_SLICE', [[5, 7], control(-2, 1), control(0, 99), control(1, 2)], [[3]], {
      shrinkAxisMask: 1,
    }),
    single('GATHER', [[4, 5], scalar(3)], [[4]], { axis: 1 }),
    single('GATHER', [[4, 5], control(1, 1, 0)], [[4, 3]], { axis: -1 }),
    single('GATHER', [[4, 5], { control: [3, 0, 0, 2], shape: [2, 2] }], [[2, 2, 5]]),
    single(
      'SPLIT',
      [scalar(-2), [4, 3]],
      [
        [2, 3],
        [2, 3],
      ],
      { numSplits: 2 },
    ),
    single(
      'SPLIT_V',
      [[2, 6], control(1, -1, 2), scalar(-1)],
      [
        [2, 1],
        [2, 3],
        [2, 2],
      ],
      {
        numSplits: 3,
      },
    ),
    single(
      'UNPACK',
      [[3, 2, 4]],
      [
        [2, 4],
        [2, 4],
        [2, 4],
      ],
      { num: 3, axis: 0 },
    ),
    single('UNPACK', [[2, 2]], [[2], [2]], { num: 2, axis: -1 }),
    single('PACK', [[2, 3], fixed(2, 3), { again: 0 }], [[2, 3, 3]], { valuesCount: 3, axis: -1 }),
    single(
      'PACK',
      [
        [2, 3],
        [2, 3],
      ],
      [[2, 2, 3]],
      { valuesCount: 2, axis: 0 },
    ),
    single('CONCATENATION', [[2, 3], fixed(2, 1), [2, 2]], [[2, 6]], { axis: -1 }),
    single('CONCATENATION', [[2, 3], { again: 0 }], [[4, 3]], { axis: 0 }),
    single('TILE', [[2, 1, 3], control(2, 3, 2)], [[4, 3, 6]]),
    single('REVERSE_V2', [[3, 4], control(-2)], [[3, 4]]),
    single('SPACE_TO_DEPTH', [[2, 4, 6, 3]], [[2, 2, 3, 12]], { blockSize: 2 }),
    single('DEPTH_TO_SPACE', [[2, 2, 3, 18]], [[2, 6, 9, 2]], { blockSize: 3 }),
    single('SPACE_TO_BATCH_ND', [[2, 3, 4, 2], control(2, 3), pairs(1, 0, 0, 2)], [[12, 2, 2, 2]]),
    single('BATCH_TO_SPACE_ND', [[12, 2, 2, 2], control(2, 3), pairs(1, 0, 0, 2)], [[2, 3, 4, 2]]),
  ];
}

/** Of the models that the other rooms try, those that are float and can be trained. */
function samples(trains: (builtin: string) => boolean): Case[] {
  return sampleModels().flatMap(({ name, model }) => {
    const { operatorCodes, subgraphs } = model;
    const { tensors } = subgraphs[0]!;
    const builtins = operatorCodes.map(({ builtin }) => builtin);
    const float = tensors.every(({ type }) => type === 'float32' || type === 'int32');
    return float && builtins.every(trains) ? [{ name, model, builtins, range: 3 }] : [];
  });
}

export function allCases(trains: (builtin: string) => boolean): Case[] {
  const cases = [
    ...[...arithmetic(), ...extremes(), ...unary(), ...reductions(), ...pools(), ...layers()],
    ...[...transposed(), ...matrices(), ...resizes(), ...moves(), ...samples(trains)],
  ];
  // A case that the verifier refuses would test nothing.
  for (const { name, model } of cases) openFloatModel(serializeModel(model), name);
  return cases;
}
