import test from 'ava';
import fc from 'fast-check';
import { DunlinError } from '../../../../src/core/index.ts';
import { finishModel } from '../../../../src/optimize/finish-model.ts';
import {
  channelClasses,
  chooseChannels,
  removeChannels,
  removeDeadChannels,
  weightImportance,
} from '../../../../src/optimize/prune/channels/index.ts';
import type { OptionValue, TfliteModel, TfliteTensor } from '../../../../src/tflite/index.ts';
import { sampleModels } from '../../../tflite/sample-models.ts';
import { RandomValues } from '../../random-values.ts';
import { asUint8 } from './as-uint8.ts';
import { channelModel } from './channel-model.ts';
import { silence } from './edit-weights.ts';
import { Layers, OPERATOR_CASES, operatorModel } from './operator-cases.ts';

const RUNS = 1_500;
const NUMBERS = [-1, 0, 1, 2, 3, 5, 8, 1e9, -(2 ** 31), 0.5, Number.NaN, Number.POSITIVE_INFINITY];

/** Everything that this room does with a model, and the files that come out. */
function tryAll(model: TfliteModel, random: RandomValues): void {
  const { model: less } = removeDeadChannels(model, 'model');
  finishModel(less, 'less');
  const { classes } = channelClasses(model, 'model');
  const open = classes.filter(({ frozen }) => frozen === undefined);
  const taken = open.filter(() => random.chance(0.4));
  finishModel(removeChannels(model, 'model', taken), 'removed');
  const importanceOf = weightImportance(model, 'model');
  const chosen = chooseChannels(model, 'model', { macsShare: 0.8, importanceOf });
  finishModel(removeChannels(model, 'model', chosen.classes), 'chosen');
}

/** A model with one thing in it changed. */
function spoil(model: TfliteModel, random: RandomValues): TfliteModel {
  const graph = model.subgraphs[0]!;
  const place = random.whole(0, graph.tensors.length - 1);
  const withTensor = (change: Partial<TfliteTensor>): TfliteModel => ({
    ...model,
    subgraphs: [
      { ...graph, tensors: graph.tensors.with(place, { ...graph.tensors[place]!, ...change }) },
    ],
  });
  const tensor = graph.tensors[place]!;
  const number = (): number => random.pick(NUMBERS);
  const index = (): number => random.whole(-1, graph.tensors.length);
  const at = random.whole(0, graph.operators.length - 1);
  const operator = graph.operators[at]!;
  const withOperator = (change: Partial<typeof operator>): TfliteModel => ({
    ...model,
    subgraphs: [{ ...graph, operators: graph.operators.with(at, { ...operator, ...change }) }],
  });
  const changes: (() => TfliteModel)[] = [
    () => withTensor({ shape: tensor.shape.map((size) => (random.chance(0.5) ? size : number())) }),
    () => withTensor({ shape: tensor.shape.slice(1) }),
    () => withTensor({ shape: [...tensor.shape, 1] }),
    () => withTensor({ buffer: random.whole(0, model.buffers.length) }),
    () =>
      withTensor({ type: random.pick(['float32', 'int8', 'int32', 'uint8', 'string'] as const) }),
    () => withTensor({ isVariable: true }),
    () => withTensor({ quantization: { scale: [1, number()], zeroPoint: [0, 3], axis: number() } }),
    () =>
      withOperator({ inputs: operator.inputs.map((old) => (random.chance(0.5) ? old : index())) }),
    () => withOperator({ inputs: operator.inputs.slice(1) }),
    () => withOperator({ outputs: [index()] }),
    () => withOperator({ code: random.whole(0, model.operatorCodes.length) }),
    () => {
      const options: [string, OptionValue][] = Object.entries(operator.options);
      return withOperator({
        options: Object.fromEntries(options.map(([name]) => [name, number()])),
      });
    },
    () => ({ ...model, subgraphs: [{ ...graph, outputs: [...graph.outputs, index()] }] }),
    () => ({ ...model, subgraphs: [] }),
    () => {
      const bytes = model.buffers.map((data) => new Uint8Array(data));
      const data = bytes[tensor.buffer]!;
      for (let byte = 0; byte < 4 && data.length > 0; byte++) {
        data[random.whole(0, data.length - 1)] = random.whole(0, 255);
      }
      return { ...model, buffers: bytes };
    },
  ];
  return random.pick(changes)();
}

test('models that are spoilt are refused in words, or what comes of them can be used', (t) => {
  t.timeout(120_000);
  let [used, refused] = [0, 0];
  const integers = OPERATOR_CASES.filter(({ integer, name }) => integer && !/ELU|ABS/.test(name));
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 2 ** 30 }),
      fc.integer({ min: 1, max: 8 }),
      (seed, steps) => {
        const random = new RandomValues(seed);
        const whole = random.chance(0.5)
          ? silence(channelModel(seed, steps), random, 0.2)
          : asUint8(operatorModel(random.pick(integers)).model);
        try {
          tryAll(spoil(whole, random), random);
          used += 1;
        } catch (error) {
          if (!(error instanceof DunlinError)) throw error;
          refused += 1;
        }
      },
    ),
    { numRuns: RUNS, seed: 1, includeErrorInReport: true },
  );
  t.log({ used, refused });
  t.true(used > RUNS / 50 && refused > RUNS / 2);
});

test('models of every operator and type, alone in a graph', (t) => {
  const random = new RandomValues(1);
  const samples = sampleModels();
  for (const { name, model } of samples) {
    const { model: less } = removeDeadChannels(model, name);
    t.notThrows(() => finishModel(less, name), name);
    for (const { frozen, producers } of channelClasses(model, name).classes) {
      if (frozen === undefined) t.true(producers.length > 0, name);
    }
    try {
      tryAll(model, random);
    } catch (error) {
      if (!(error instanceof DunlinError)) throw error;
    }
  }
  t.true(samples.length > 100);
});

test('a tensor of very many channels is left alone, and what makes channels of it is not', (t) => {
  const width = 2 ** 17 + 1;
  const layers = new Layers();
  const input = { index: layers.builder.tensor([1, width]), shape: [1, width] };
  const wide = layers.operator('RELU', [input.index], [1, width]);
  const weights = layers.values([4, width], Array<number>(4 * width).fill(1));
  const hidden = layers.operator('FULLY_CONNECTED', [wide.index, weights, -1], [1, 4]);
  const model = layers.builder.build([input.index], [layers.reader(hidden).index]);
  const partition = channelClasses(model, 'model');
  t.is(partition.of(wide.index, 0), undefined);
  t.is(partition.of(hidden.index, 1)!.frozen, undefined);
  const less = removeChannels(model, 'model', [partition.of(hidden.index, 1)!]);
  t.notThrows(() => finishModel(less, 'less'));
  t.is(less.subgraphs[0]!.tensors[weights]!.shape.join(), `3,${width}`);
  t.deepEqual(removeDeadChannels(model, 'model').removed, []);
});
