import test from 'ava';
import { channelClasses, removeChannels } from '../../../../src/optimize/prune/channels/index.ts';
import type { TfliteModel } from '../../../../src/tflite/index.ts';
import { SharedRuntime } from '../../shared-runtime.ts';
import { zeroReads } from './edit-weights.ts';
import { Layers, type Result } from './operator-cases.ts';
import { distance, randomInputs, runModel } from './run-model.ts';

const FLOAT_TOLERANCE = 1e-5;

const runtime = new SharedRuntime();
test.after.always(() => runtime.close());

/** A model of an input [1, 4, 4, 3] and what a test makes of a convolution of it. */
function modelOf(make: (layers: Layers, x: Result, input: Result) => readonly Result[]) {
  const layers = new Layers();
  const shape = [1, 4, 4, 3];
  const input = { index: layers.builder.tensor(shape), shape };
  const x = layers.convolution(input, 8, 3);
  const outputs = make(layers, x, input).map(({ index }) => index);
  return { model: layers.builder.build([input.index], outputs), x: x.index };
}

const shapesOf = (model: TfliteModel): string[] =>
  model.subgraphs[0]!.tensors.map(({ shape }) => shape.join());

/** Takes channels of a tensor out, and holds what is left against weights of zero where they were read. */
async function takeOut(
  model: TfliteModel,
  tensor: number,
  channels: readonly number[],
): Promise<{ less: TfliteModel; off: number }> {
  const partition = channelClasses(model, 'model');
  const classes = channels.map((channel) => partition.of(tensor, channel)!);
  const less = removeChannels(model, 'model', classes);
  const silent = zeroReads(
    model,
    classes.flatMap(({ consumers }) => consumers),
  );
  const inputs = randomInputs(model, 4, 5);
  const wanted = await runModel(runtime.load, silent, inputs);
  return { less, off: distance(model, wanted, await runModel(runtime.load, less, inputs)) };
}

test('an image laid flat is read in several columns for each channel', async (t) => {
  const { model, x } = modelOf((layers, image) => {
    const flat = layers.operator('RESHAPE', [image.index, layers.control(1, -1)], [1, 128]);
    return [layers.reader(flat)];
  });
  const found = channelClasses(model, 'model').of(x, 3)!;
  t.deepEqual(
    found.consumers.map(({ channel }) => channel),
    Array.from({ length: 16 }, (_, place) => 8 * place + 3),
  );
  const { less, off } = await takeOut(model, x, [3, 4, 7]);
  t.true(off <= FLOAT_TOLERANCE, `${off}`);
  t.true(shapesOf(less).includes('5,80'));
});

test('a RESHAPE that has its shape among its options, and one that has another there', async (t) => {
  for (const inputs of [1, 2]) {
    const { model, x } = modelOf((layers, image) => {
      const given = [image.index, layers.control(-1, 8)].slice(0, inputs);
      // A shape that is an input goes before the option.
      const newShape = inputs === 1 ? [16, 8] : [128];
      return [layers.reader(layers.operator('RESHAPE', given, [16, 8], { newShape }))];
    });
    const { less, off } = await takeOut(model, x, [3, 4]);
    t.true(off <= FLOAT_TOLERANCE, `${off}`);
    t.true(shapesOf(less).includes('16,6'));
  }
});

test('FULLY_CONNECTED keeps the other dimensions, or takes rows of several', async (t) => {
  const { model, x } = modelOf((layers, image) => {
    const units = (inputs: number[], shape: number[], keepNumDims: boolean): Result =>
      layers.operator('FULLY_CONNECTED', inputs, shape, { keepNumDims });
    const kept = units([image.index, layers.constant([6, 8]), -1], [1, 4, 4, 6], true);
    const rows = units([kept.index, layers.constant([7, 24]), -1], [4, 7], false);
    return [layers.reader(rows)];
  });
  const { less, off } = await takeOut(model, x, [0, 1, 6]);
  t.true(off <= FLOAT_TOLERANCE, `${off}`);
  const kept = model.subgraphs[0]!.operators[1]!.outputs[0]!;
  const again = await takeOut(less, kept, [2]);
  t.true(again.off <= FLOAT_TOLERANCE, `${again.off}`);
  t.true(['6,5', '7,24'].every((shape) => shapesOf(less).includes(shape)));
  t.true(['5,5', '7,20'].every((shape) => shapesOf(again.less).includes(shape)));
});

test('TRANSPOSE_CONV makes channels and reads them; its output shape goes along', async (t) => {
  const { model, x } = modelOf((layers, image) => {
    const spread = (input: Result, kernels: number, shape: number[]): Result =>
      layers.operator(
        'TRANSPOSE_CONV',
        [
          layers.control(...shape),
          layers.constant([shape[3]!, kernels, kernels, input.shape[3]!]),
          input.index,
          layers.constant([shape[3]!]),
        ],
        shape,
        { padding: 0, strideW: 2, strideH: 2 },
      );
    const first = spread(image, 3, [1, 8, 8, 6]);
    return [spread(first, 2, [1, 16, 16, 2])];
  });
  const { less, off } = await takeOut(model, x, [1, 2]);
  t.true(off <= FLOAT_TOLERANCE, `${off}`);
  const middle = model.subgraphs[0]!.operators[1]!.outputs[0]!;
  const again = await takeOut(less, middle, [0, 5]);
  t.true(again.off <= FLOAT_TOLERANCE, `${again.off}`);
  t.is(again.less.subgraphs[0]!.tensors[middle]!.shape.join(), '1,8,8,4');
});

test('constants that several read are cut for each of them', async (t) => {
  const { model, x } = modelOf((layers, image, input) => {
    // Both layers, both sums and both shapes have their constants in common.
    const bias = layers.constant([8]);
    const slopes = layers.constant([8]);
    const shape = layers.control(16, 8);
    const options = { padding: 0, strideW: 1, strideH: 1 };
    const branch = (from: Result): Result => {
      const weights = layers.constant([8, 1, 1, from.shape[3]!]);
      const made = layers.operator('CONV_2D', [from.index, weights, bias], [1, 4, 4, 8], options);
      const bent = layers.operator('PRELU', [made.index, slopes], made.shape);
      return layers.operator('RESHAPE', [bent.index, shape], [16, 8]);
    };
    return [layers.reader(branch(image)), layers.reader(branch(input))];
  });
  const { operators, tensors } = model.subgraphs[0]!;
  const [, first, second] = operators.filter(
    ({ inputs, outputs }) =>
      inputs.length === 3 && tensors[outputs[0]!]!.shape.join() === '1,4,4,8',
  );
  const { less, off } = await takeOut(model, first!.outputs[0]!, [1, 7]);
  t.true(off <= FLOAT_TOLERANCE, `${off}`);
  t.is(less.subgraphs[0]!.tensors[second!.outputs[0]!]!.shape.join(), '1,4,4,8');
  const again = await takeOut(less, x, [0]);
  t.true(again.off <= FLOAT_TOLERANCE, `${again.off}`);
});

test('a constant that several want cut the same way is there once', async (t) => {
  const { model, x } = modelOf((layers, image) => {
    const shared = layers.constant([8]);
    const [one, two] = ['PRELU', 'MUL'].map((name) =>
      layers.reader(layers.operator(name, [image.index, shared], image.shape)),
    );
    return [one!, two!];
  });
  const { less, off } = await takeOut(model, x, [1, 7]);
  t.true(off <= FLOAT_TOLERANCE, `${off}`);
  t.is(less.subgraphs[0]!.tensors.length, model.subgraphs[0]!.tensors.length + 1);
});

test('a SQUEEZE of all that is one leaves a single channel where it is', async (t) => {
  const { model, x } = modelOf((layers, image) => {
    const mean = layers.operator('MEAN', [image.index, layers.control(1, 2)], [1, 1, 1, 8], {
      keepDims: true,
    });
    const flat = layers.operator('SQUEEZE', [mean.index], [8]);
    const row = layers.operator('EXPAND_DIMS', [flat.index, layers.control(0)], [1, 8]);
    return [layers.reader(row)];
  });
  const { less, off } = await takeOut(model, x, [0, 1, 2, 4, 5, 6, 7]);
  t.true(off <= FLOAT_TOLERANCE, `${off}`);
  t.is(less.subgraphs[0]!.tensors[x]!.shape.join(), '1,4,4,1');
});

test('every tensor keeps a channel: its first, with its class', async (t) => {
  const { model, x } = modelOf((layers, image) => [layers.reader(image)]);
  const { classes } = channelClasses(model, 'model');
  const all = classes.filter(({ frozen }) => frozen === undefined);
  t.is(all.length, 8);
  const less = removeChannels(model, 'model', all);
  t.is(less.subgraphs[0]!.tensors[x]!.shape.join(), '1,4,4,1');
  const { less: but } = await takeOut(model, x, [1, 2, 3, 4, 5, 6, 7]);
  t.deepEqual(less, but);
  t.is(removeChannels(model, 'model', []), model);
});

test('what is measured by the place of a tensor or an operator still fits', (t) => {
  const { model, x } = modelOf((layers, image) => [layers.reader(image)]);
  const partition = channelClasses(model, 'model');
  const less = removeChannels(model, 'model', [partition.of(x, 2)!]);
  const [before, after] = [model.subgraphs[0]!, less.subgraphs[0]!];
  t.deepEqual(
    after.tensors.slice(0, before.tensors.length).map(({ name }) => name),
    before.tensors.map(({ name }) => name),
  );
  t.deepEqual(
    after.operators.map(({ outputs }) => outputs),
    before.operators.map(({ outputs }) => outputs),
  );
});
