import test from 'ava';
import { CHECKPOINT_FILE } from '../../../src/optimize/index.ts';
import { WEIGHT_HIGH } from '../../../src/optimize/quantize/affine.ts';
import { quantizeWeights } from '../../../src/optimize/quantize/weights.ts';
import type { TfliteModel, TfliteTensor } from '../../../src/tflite/index.ts';
import { RandomValues } from '../random-values.ts';
import {
  CheckpointHistory,
  digestOf,
  NO_SIGNAL,
  openSmall,
  type Parts,
  prunedWeights,
  smallClassifier,
  smallRequest,
  smallSamples,
  trainSmall,
} from './small-training.ts';

/** Everything there is: pruned, healed, and int8 simulated at last. */
const WHOLE: Parts = { plan: { sparsity: 0.75, quantized: true, steps: 400 } };

test('what was spoilt is learned again: of the model, and with labels of classes', async (t) => {
  const teacher = openSmall(smallClassifier(1));
  const student = openSmall(smallClassifier(8));
  const samples = smallSamples(300);
  const parts = { teacher, student, samples, plan: { steps: 600 } };
  const { training } = await trainSmall(parts);
  const [first, last] = [training.curve[0]!, training.curve.at(-1)!];
  t.log(`validation ${first.validationLoss} to ${last.validationLoss}`);
  t.true(last.validationLoss! < 0.5 * first.validationLoss!);
  t.true(last.loss < 0.6 * first.loss);
  t.like(training, {
    samples: 300,
    labelled: false,
    steps: 600,
    plannedSteps: 600,
    stopped: 'steps',
  });
  t.deepEqual(
    training.curve.map(({ step }) => step),
    Array.from({ length: 12 }, (_, at) => 50 * (at + 1)),
  );
  t.true(training.curve.every(({ sparsity, quantized }) => sparsity === 0 && !quantized));
  // Labels that have nothing to do with the model pull it away from the model.
  const labels = Int32Array.from({ length: 300 }, (_, index) => index % 4);
  const pulled = await trainSmall({ ...parts, labels });
  t.true(pulled.training.labelled);
  t.true(pulled.training.curve.at(-1)!.validationLoss! > last.validationLoss!);
});

test('pruned weights are exactly as many as asked for; the others are what int8 can say', async (t) => {
  for (const [sparsity, scope] of [
    [0.5, 'layer'],
    [0.75, 'layer'],
    [0.98, 'layer'],
    [0.6, 'global'],
  ] as const) {
    const request = await smallRequest({ plan: { ...WHOLE.plan, sparsity }, scope });
    const steps = new Map(request.prunable.map(({ tensor }) => [tensor, 15] as const));
    const { learned, rounded, training } = await trainSmall({ ...request, weightSteps: steps });
    const layers = prunedWeights(learned);
    const zeros = layers.map((values) => values.filter((value) => value === 0).length);
    const sizes = layers.map(({ length }) => length);
    const total = (counts: readonly number[]): number => counts.reduce((a, b) => a + b, 0);
    if (scope === 'layer')
      t.deepEqual(
        zeros,
        sizes.map((size) => Math.floor(size * sparsity)),
      );
    t.is(total(zeros), Math.floor(total(sizes) * sparsity));
    t.false(layers.some((values) => values.some((value) => Object.is(value, -0))));
    t.is(training.curve.at(-1)!.sparsity, sparsity);
    t.deepEqual(
      training.curve.map(({ quantized }) => quantized),
      [1, 2, 3, 4, 5, 6, 7, 8].map((note) => note * 50 > 300),
    );
    for (const [place, values] of prunedWeights(rounded).entries()) {
      t.true(values.every((value, index) => value === 0 || layers[place]![index] !== 0));
      saysTheSame(t, values, 15);
    }
    // What is not pruned has all of int8's steps.
    const float = openSmall(rounded);
    const last = float.graph.floats(float.graph.tensor(float.subgraph.operators[2]!.inputs[1]!));
    saysTheSame(t, last, WEIGHT_HIGH);
  }
});

/** What the quantizer makes of trained weights is what training rounded them to, to the bit. */
function saysTheSame(
  t: { is: (a: unknown, b: unknown) => unknown; true: (a: boolean) => unknown },
  values: Float32Array,
  high: number,
): void {
  const { values: steps, quantization } = quantizeWeights({
    values,
    shape: [values.length],
    channelAxis: 0,
    perChannel: false,
    high,
    // An error anywhere would be seen, whatever its weight.
    importance: (index) => (index % 3) + 0.01,
  });
  const [scale] = quantization.scale;
  t.true(steps.every((step) => Math.abs(step) <= high));
  t.is(
    values.findIndex((value, index) => Math.fround(scale! * steps[index]!) !== value),
    -1,
  );
}

test('one seed gives one result to the bit, another seed another', async (t) => {
  const digest = digestOf(await trainSmall(WHOLE));
  t.is(digestOf(await trainSmall(WHOLE)), digest);
  t.not(digestOf(await trainSmall({ ...WHOLE, seed: 2 })), digest);
  t.not(digestOf(await trainSmall({ ...WHOLE, labels: new Int32Array(200) })), digest);
});

test('the result does not depend on how many threads there are', async (t) => {
  const labels = Int32Array.from({ length: 200 }, (_, index) => index % 4);
  const parts = { plan: { ...WHOLE.plan, steps: 60 }, labels };
  const alone = digestOf(await trainSmall(parts));
  for (const threads of [2, 3, 4, 16]) {
    t.is(digestOf(await trainSmall({ ...parts, threads })), alone, `${threads} threads`);
  }
});

test('training that gets nowhere stops, once pruned and rounded', async (t) => {
  const plan = { sparsity: 0.5, quantized: true, steps: 4000, learningRate: 1e-30 };
  const { training } = await trainSmall({ plan });
  t.is(training.stopped, 'plateau');
  // The first note after three quarters, and twelve more that are no better.
  t.is(training.steps, 3050 + 12 * 50);
  t.is(training.curve.at(-1)!.step, training.steps);
});

test('a run that goes on from a checkpoint stops where it would have stopped', async (t) => {
  // Here it stops at a step with a checkpoint of its own.
  const plan = { sparsity: 0.5, quantized: true, steps: 2800, learningRate: 1e-30 };
  const checkpoint = new CheckpointHistory();
  const whole = await trainSmall({ plan, checkpoint });
  t.is(whole.training.stopped, 'plateau');
  t.is(whole.training.steps, 2750);
  t.is(checkpoint.written.length, 11);
  for (const bytes of checkpoint.written.slice(-3)) {
    const again = await trainSmall({ plan, checkpoint: new CheckpointHistory(bytes) });
    t.is(digestOf(again), digestOf(whole));
  }
});

test('too few samples, and a rate at which training flies apart', async (t) => {
  await t.throwsAsync(trainSmall({ samples: smallSamples(31) }), {
    code: 'input-invalid',
    message: /^small\.tflite: 31 .* its 4 layers with: give at least 32, .* leave --finetune out/,
  });
  t.is((await trainSmall({ samples: smallSamples(32), plan: { steps: 2 } })).training.samples, 32);
  const checkpoint = new CheckpointHistory();
  const student = openSmall(smallClassifier(8));
  const wild = { learningRate: 1e30, steps: 1000 };
  await t.throwsAsync(trainSmall({ student, plan: wild, checkpoint }), {
    code: 'input-invalid',
    message:
      /^small\.tflite: training diverged: the loss is \S+ after \d+ steps; .*--learning-rate/,
  });
  t.deepEqual(checkpoint.written, [], 'no checkpoint of numbers that are none');
  // At the last step there is no other to notice it.
  await t.throwsAsync(trainSmall({ student, plan: { ...wild, steps: 1 } }), {
    message: /diverged/,
  });
});

test('an interruption is heard of between steps, also on one thread and without checkpoints', async (t) => {
  const stop = new AbortController();
  let done = 0;
  const run = trainSmall({
    plan: { steps: 400_000 },
    signal: stop.signal,
    onProgress: (step) => {
      if (step === 1) setTimeout(() => stop.abort(new Error('stop')), 50);
      done = step;
    },
  });
  await t.throwsAsync(run, { message: 'stop' });
  t.true(done < 100_000, `${done} steps`);
});

/** The threads read it from bytes again, and there a constant that nothing reads is refused; this thread trains it. */
function refusedByThreads(): TfliteModel {
  const model = smallClassifier();
  const graph = model.subgraphs[0]!;
  const data = new Uint8Array(Float32Array.of(Number.NaN).buffer);
  const buffer = model.buffers.length;
  const tensor: TfliteTensor = {
    ...{ name: 'spare', type: 'float32', shape: [1], isVariable: false, buffer },
  };
  const tensors = [...graph.tensors, tensor];
  return { ...model, buffers: [...model.buffers, data], subgraphs: [{ ...graph, tensors }] };
}

test('a thread that fails ends the training, whenever it does', async (t) => {
  const { graph, what } = openSmall(smallClassifier());
  const model = refusedByThreads();
  const subgraph = model.subgraphs[0]!;
  const student = { what, model, graph, subgraph };
  const message = /constant tensor 11 "spare" is NaN/;
  await t.throwsAsync(trainSmall({ student, threads: 3 }), { message });
  // Before anybody asks it for anything: while a checkpoint is read.
  const slow = new CheckpointHistory();
  slow.read = () => new Promise((resolve) => setTimeout(() => resolve(undefined), 1500));
  await t.throwsAsync(trainSmall({ student, threads: 2, checkpoint: slow }), { message });
  await t.notThrowsAsync(trainSmall({ student, threads: 1, plan: { steps: 3 } }));
});

test('several inputs, and a model whose output is no classifier', async (t) => {
  const { ModelBuilder } = await import('../../tflite/model-builder.ts');
  const random = new RandomValues(4);
  const b = new ModelBuilder();
  const [left, right, a, c, sum] = [
    b.tensor([1, 6]),
    b.tensor([1, 3, 4]),
    b.tensor([1, 8]),
    b.tensor([1, 8]),
    b.tensor([1, 8]),
  ];
  const weights = [6, 12].map((depth) =>
    b.tensor([8, depth], { data: random.normals(8 * depth, 0.4) }),
  );
  const model = b
    .operator('FULLY_CONNECTED', [left, weights[0]!, -1], [a])
    .operator('FULLY_CONNECTED', [right, weights[1]!, -1], [c])
    .operator('ADD', [a, c], [sum])
    .build([left, right], [sum]);
  const rows = Array.from({ length: 64 }, () =>
    [6, 12].map((size) => Float32Array.from(random.normals(size, 1))),
  );
  const teacher = openSmall(model);
  const weak = new RandomValues(9);
  const data = new Uint8Array(Float32Array.from(weak.normals(48, 0.4)).buffer);
  const index = weights[0]!;
  const graph = model.subgraphs[0]!;
  const tensors = graph.tensors.with(index, {
    ...graph.tensors[index]!,
    buffer: model.buffers.length,
  });
  const student = openSmall({
    ...model,
    buffers: [...model.buffers, data],
    subgraphs: [{ ...graph, tensors }],
  });
  const samples = { count: 64, at: (sample: number) => rows[sample]! };
  const parts = { teacher, student, samples, plan: { steps: 400 } };
  const { training } = await trainSmall(parts);
  t.true(training.curve.at(-1)!.validationLoss! < 0.2 * training.curve[0]!.validationLoss!);
  const some = { ...parts, plan: { steps: 30 } };
  t.is(digestOf(await trainSmall({ ...some, threads: 2 })), digestOf(await trainSmall(some)));
  t.false(NO_SIGNAL.aborted);
  t.is(CHECKPOINT_FILE, 'training.checkpoint');
});
