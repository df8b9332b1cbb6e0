import test from 'ava';
import { removeDeadChannels } from '../../../../src/optimize/prune/channels/index.ts';
import { parseModel, serializeModel, type TfliteModel } from '../../../../src/tflite/index.ts';
import { randomSamples } from '../../optimize-request.ts';
import { RandomTrial } from '../../random-trial.ts';
import { SharedRuntime } from '../../shared-runtime.ts';
import { editLayers } from './edit-weights.ts';
import { Layers, type Result } from './operator-cases.ts';
import { distance, randomInputs, runModel } from './run-model.ts';

const RELU = 1;
const RELU_N1_TO_1 = 2;
const RELU6 = 3;

const runtime = new SharedRuntime();
test.after.always(() => runtime.close());
const { load } = runtime;

/** Layers in a row over [1, inputs]: weights [out, in], row by row, biases and fused activations. */
interface RowLayer {
  readonly weights: readonly (readonly number[])[];
  readonly bias?: readonly number[];
  readonly activation?: number;
}

function row(layers: Layers, { index }: Result, plan: RowLayer): Result {
  const { weights, bias, activation = 0 } = plan;
  const shape = [weights.length, weights[0]!.length];
  const inputs = [
    index,
    layers.values(shape, weights.flat()),
    bias === undefined ? -1 : layers.values([weights.length], bias),
  ];
  return layers.operator('FULLY_CONNECTED', inputs, [1, weights.length], {
    fusedActivationFunction: activation,
  });
}

function chain(...plans: readonly RowLayer[]): TfliteModel {
  const layers = new Layers();
  const shape = [1, plans[0]!.weights[0]!.length];
  const input = { index: layers.builder.tensor(shape), shape };
  const output = plans.reduce<Result>((last, plan) => row(layers, last, plan), input);
  return layers.builder.build([input.index], [output.index]);
}

/** Channels that go, by layer. */
const deadOf = (model: TfliteModel): Record<string, number> =>
  Object.fromEntries(
    removeDeadChannels(model, 'model').removed.map(({ layer, channels }) => [layer, channels]),
  );

/** Two layers: the second reads the first's channel 1 (of three) with these weights. */
function pair(first: Partial<RowLayer>, readings: readonly number[]): TfliteModel {
  const weights = [
    [1, 2],
    [3, 4],
    [5, 6],
  ];
  const second = readings.map((reading) => [1, reading, 2]);
  return chain({ weights, ...first }, { weights: second });
}

const SILENT = [
  [1, 2],
  [0, 0],
  [5, 6],
];

test('a channel that is read with weights of zero alone is dead', (t) => {
  t.deepEqual(deadOf(pair({}, [0, 0])), { t2: 1 });
  t.deepEqual(deadOf(pair({}, [0, -0])), { t2: 1 });
  t.deepEqual(deadOf(pair({}, [0, 1e-30])), {});
  t.deepEqual(deadOf(pair({}, [Number.NaN, 0])), {});
});

test('every tap of a window counts', (t) => {
  const layers = new Layers();
  const shape = [1, 4, 4, 2];
  const input = { index: layers.builder.tensor(shape), shape };
  const image = layers.convolution(input, 8, 1);
  const output = layers.convolution(image, 4, 3);
  const model = layers.builder.build([input.index], [output.index]);
  /** The model with zeros where the window reads channel 5, but for `but` of its 36 weights. */
  const silent = (but: number): TfliteModel =>
    editLayers(model, ({ weights, outputs }) => {
      const read = [...weights.keys()].filter((index) => outputs === 4 && index % 8 === 5);
      for (const index of read.slice(0, read.length - but)) weights[index] = 0;
    });
  t.is(channelsLost(silent(0)), 1);
  t.is(channelsLost(silent(1)), 0);
});

test('a row of zeros is dead where its bias comes out as zero', (t) => {
  const dead = { t3: 1 };
  const of = (bias: number, activation = 0): Record<string, number> =>
    deadOf(pair({ weights: SILENT, bias: [1, bias, 1], activation }, [7, 8]));
  t.deepEqual(of(0), dead);
  t.deepEqual(of(-0), dead);
  t.deepEqual(of(0, RELU_N1_TO_1), dead);
  for (const activation of [RELU, RELU6]) {
    t.deepEqual(of(-1e-9, activation), dead);
    t.deepEqual(of(-5, activation), dead);
    t.deepEqual(of(1e-9, activation), {});
    t.deepEqual(of(Number.NaN, activation), {});
  }
  t.deepEqual(of(-5), {});
  t.deepEqual(of(-5, RELU_N1_TO_1), {});
  t.deepEqual(deadOf(pair({ weights: SILENT }, [7, 8])), { t2: 1 });
});

test('nothing times infinity is no zero', (t) => {
  for (const endless of [Number.POSITIVE_INFINITY, Number.NaN]) {
    t.deepEqual(deadOf(pair({ weights: SILENT }, [7, endless])), {});
    // Nor is what a row makes of a zero by such a weight.
    const rows = chain(
      { weights: SILENT },
      {
        weights: [
          [0, endless, 0],
          [1, 1, 1],
        ],
      },
      { weights: [[1, 1]] },
    );
    t.deepEqual(deadOf(rows), {});
  }
});

test('nor is nothing times a constant that is no number', (t) => {
  const of = (builtin: string, factor: number): Record<string, number> => {
    const layers = new Layers();
    const input = { index: layers.builder.tensor([1, 2]), shape: [1, 2] };
    const hidden = row(layers, input, { weights: SILENT });
    const factors = layers.values([3], [1, factor, 1]);
    const scaled = layers.operator(builtin, [hidden.index, factors], [1, 3]);
    const output = row(layers, scaled, { weights: [[7, 8, 9]] });
    return deadOf(layers.builder.build([input.index], [output.index]));
  };
  for (const builtin of ['MUL', 'PRELU']) {
    t.deepEqual(of(builtin, 3), { t2: 1 });
    for (const endless of [Number.POSITIVE_INFINITY, Number.NaN]) {
      t.deepEqual(of(builtin, endless), {});
    }
  }
});

test('what only dead channels read is dead, in one go and through any number of layers', (t) => {
  const links = 100;
  const weights = [
    [1, 0],
    [0, 1],
  ];
  const first = { weights };
  const last = { weights: [[1, 0]] };
  const model = chain(first, ...Array<RowLayer>(links).fill({ weights }), last);
  const { model: less, removed } = removeDeadChannels(model, 'model');
  t.is(removed.length, links + 1);
  t.true(removed.every(({ channels }) => channels === 1));
  t.is(removeDeadChannels(less, 'model').model, less);
});

test('zeros stay zeros through layers that read nothing else', (t) => {
  const model = chain(
    { weights: SILENT },
    {
      weights: [
        [1, 2, 3],
        [0, 9, 0],
        [1, 1, 1],
      ],
      bias: [1, 0, 1],
    },
    {
      weights: [
        [1, 5, 1],
        [2, 6, 2],
      ],
    },
  );
  t.deepEqual(deadOf(model), { t2: 1, t5: 1 });
});

test('a loop of sums that nothing else reads is dead', (t) => {
  const layers = new Layers();
  const input = { index: layers.builder.tensor([1, 2]), shape: [1, 2] };
  const x = row(layers, input, { weights: SILENT.map(([a, b]) => [a! + 1, b! + 1]) });
  // Channel 1 goes round through its own row, and nowhere else.
  const more = row(layers, x, {
    weights: [
      [1, 0, 1],
      [0, 1, 0],
      [1, 0, 2],
    ],
    bias: [1, 1, 1],
  });
  const sum = layers.operator('ADD', [x.index, more.index], [1, 3]);
  const again = row(layers, sum, {
    weights: [
      [1, 0, 1],
      [0, 1, 0],
      [1, 0, 2],
    ],
    bias: [1, 1, 1],
  });
  const total = layers.operator('ADD', [sum.index, again.index], [1, 3]);
  const output = row(layers, total, { weights: [[1, 0, 1]] });
  const model = layers.builder.build([input.index], [output.index]);
  t.deepEqual(Object.values(deadOf(model)), [1, 1, 1]);
});

test('a tensor keeps its first channel where all are dead', (t) => {
  const model = chain(
    { weights: SILENT },
    {
      weights: [
        [0, 7, 0],
        [0, 0, 0],
      ],
      bias: [1, 2],
    },
  );
  const { model: less, removed } = removeDeadChannels(model, 'model');
  t.deepEqual(removed, [{ layer: 't2', channels: 2 }]);
  t.is(removeDeadChannels(less, 'model').model, less);
});

test('a model without dead channels is given back as it is', (t) => {
  const model = pair({}, [1, 2]);
  t.is(removeDeadChannels(model, 'model').model, model);
});

/** A convolution of 3 to 8, and one that reads it. */
function twoConvolutions(activation: number): TfliteModel {
  const layers = new Layers();
  const shape = [1, 4, 4, 3];
  const input = { index: layers.builder.tensor(shape), shape };
  const inputs = [input.index, layers.constant([8, 3, 3, 3]), layers.constant([8])];
  const options = { padding: 0, strideW: 1, strideH: 1, fusedActivationFunction: activation };
  const image = layers.operator('CONV_2D', inputs, [1, 4, 4, 8], options);
  return layers.builder.build([input.index], [layers.reader(image).index]);
}

async function int8Of(float: TfliteModel): Promise<TfliteModel> {
  const trial = await RandomTrial.start(serializeModel(float), randomSamples(float, 8), load);
  return parseModel(await trial.int8('minmax'), 'int8');
}

/** The first layer with a row of zeros and this bias. */
function withRow(model: TfliteModel, bias: number): TfliteModel {
  let place = 0;
  return editLayers(model, ({ weights, bias: biases, outputOf }) => {
    place += 1;
    if (place > 1) return;
    for (const index of weights.keys()) if (outputOf(index) === 2) weights[index] = 0;
    biases![2] = bias;
  });
}

const channelsLost = (model: TfliteModel): number =>
  removeDeadChannels(model, 'model').removed.reduce((sum, { channels }) => sum + channels, 0);

test('an int8 row of zeros is dead where its bias ends at the zero point for certain', async (t) => {
  const [relu, plain] = [await int8Of(twoConvolutions(RELU)), await int8Of(twoConvolutions(0))];
  const zeroPoint = (model: TfliteModel): number => {
    const { tensors, operators } = model.subgraphs[0]!;
    return tensors[operators[0]!.outputs[0]!]!.quantization!.zeroPoint[0]!;
  };
  t.is(zeroPoint(relu), -128);
  t.true(zeroPoint(plain) > -128);
  t.is(channelsLost(withRow(plain, 0)), 1);
  t.is(channelsLost(withRow(plain, -1)), 0);
  t.is(channelsLost(withRow(plain, 1)), 0);
  for (const bias of [0, -1, -100_000]) t.is(channelsLost(withRow(relu, bias)), 1);
  t.is(channelsLost(withRow(relu, 1)), 0);
  for (const [model, bias] of [
    [plain, 0],
    [relu, -1],
    [relu, -100_000],
  ] as const) {
    const before = withRow(model, bias);
    const after = removeDeadChannels(before, 'model').model;
    const inputs = randomInputs(before, 4, 1);
    const wanted = await runModel(load, before, inputs);
    t.is(distance(before, wanted, await runModel(load, after, inputs)), 0);
  }
});

test('the range of float activations over int8 weights is that of all channels', async (t) => {
  const layers = new Layers();
  const shape = [1, 6, 6, 4];
  const input = { index: layers.builder.tensor(shape), shape };
  const image = layers.convolution(input, 16, 3);
  const output = layers.convolution(image, 16, 1);
  const float = layers.builder.build([input.index], [output.index]);
  const trial = await RandomTrial.start(serializeModel(float), randomSamples(float, 4), load);
  const hybrid = parseModel(trial.dynamic(), 'dynamic');
  const weightTypes = editTypes(hybrid);
  t.deepEqual(weightTypes, ['int8', 'int8']);
  let place = 0;
  const columns = editLayers(hybrid, ({ weights }) => {
    place += 1;
    for (const index of weights.keys()) if (place === 2 && index % 16 === 2) weights[index] = 0;
  });
  // Nobody reads its channel 2, but its values are in the range that the others are quantized with.
  t.is(channelsLost(columns), 0);
  const rows = withRow(hybrid, 0);
  t.is(channelsLost(rows), 1);
  const inputs = randomInputs(rows, 4, 1);
  const wanted = await runModel(load, rows, inputs);
  const found = await runModel(load, removeDeadChannels(rows, 'model').model, inputs);
  t.true(distance(rows, wanted, found) <= 1e-6);
});

function editTypes(model: TfliteModel): string[] {
  const { tensors, operators } = model.subgraphs[0]!;
  return operators.map(({ inputs }) => tensors[inputs[1]!]!.type);
}
