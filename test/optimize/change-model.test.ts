import test from 'ava';
import { parseJson } from '../../src/core/index.ts';
import { calibrate } from '../../src/optimize/calibrate/calibrate.ts';
import { planChange } from '../../src/optimize/change-model.ts';
import { finishModel } from '../../src/optimize/finish-model.ts';
import { openFloatModel } from '../../src/optimize/float-model.ts';
import {
  type FinetuneSettings,
  MODES,
  type Optimized,
  optimize,
  type Progress,
  Report,
  samplesOf,
  type Variant,
} from '../../src/optimize/index.ts';
import { writeDynamicModel } from '../../src/optimize/quantize/dynamic-model.ts';
import { quantizeInt8 } from '../../src/optimize/quantize/quantize-int8.ts';
import { Graph, parseModel, type TfliteModel } from '../../src/tflite/index.ts';
import { ModelBuilder } from '../tflite/model-builder.ts';
import { CLASSES, classifier } from './classifier.ts';
import { type RequestParts, requestFor } from './optimize-request.ts';
import { RandomValues } from './random-values.ts';
import { SharedRuntime } from './shared-runtime.ts';

const runtime = new SharedRuntime();
test.after.always(() => {
  runtime.close();
});

const PRUNE = { share: 0.75, structured: false, scope: 'layer' } as const;
const STRUCTURED = { share: 0.4, structured: true, scope: 'layer' } as const;
const FINETUNE: FinetuneSettings = {
  steps: 60,
  learningRate: 0.03,
  seed: 1,
  weightBits: 5,
  augment: true,
};
const SAMPLES = 48;

interface Run extends Optimized {
  readonly progress: readonly Progress[];
}

async function run(model: TfliteModel, parts: RequestParts): Promise<Run> {
  const progress: Progress[] = [];
  const request = requestFor(model, runtime.load, {
    sampleCount: SAMPLES,
    ...parts,
    more: { onProgress: (at) => progress.push(at), ...parts.more },
  });
  const optimized = await optimize(request);
  parseJson(Report, JSON.stringify(optimized.report), 'report');
  return { ...optimized, progress };
}

const namesOf = ({ report }: Optimized): string[] => report.variants.map(({ name }) => name);

function variantOf({ report }: Optimized, name: string): Variant {
  return report.variants.find((variant) => variant.name === name)!;
}

const kindsOf = ({ report }: Optimized): string[] => report.warnings.map(({ kind }) => kind);

test('pruned and not trained: as many zeros as asked for, and a word of warning', async (t) => {
  const done = await run(classifier(), { settings: { modes: MODES, prune: PRUNE } });
  t.deepEqual(namesOf(done), [
    ...['float', 'float16', 'dynamic', 'int8'],
    ...['pruned-float', 'pruned-float16', 'pruned-dynamic', 'pruned-int8'],
  ]);
  t.deepEqual(
    done.report.variants.map(({ dense }) => dense),
    [undefined, undefined, undefined, undefined, 'float', 'float16', 'dynamic', 'int8'],
  );
  const { pruning, training } = done.report;
  t.is(training, undefined);
  t.like(pruning, { share: 0.75, structured: false, prunableWeights: 4608, zeroWeights: 3456 });
  t.is(pruning!.layers.length, 1);
  const { sensitivity, channels } = pruning!.layers[0]!;
  t.is(channels, undefined);
  t.deepEqual(
    sensitivity.map(({ share }) => share),
    [0.25, 0.5, 0.75, 0.9],
  );
  const decibels = sensitivity.map(({ sqnrDb }) => sqnrDb!);
  t.true(decibels.every((value, at) => value <= (decibels[at - 1] ?? Number.POSITIVE_INFINITY)));
  // One layer is pruned, and the error of the whole is what it stands at that share.
  t.true(Math.abs(variantOf(done, 'pruned-float').logits!.sqnrDb! - decibels[2]!) < 3);
  t.true(kindsOf(done).includes('pruned-untrained'));
  for (const mode of ['float', 'float16', 'dynamic', 'int8']) {
    const [dense, pruned] = [variantOf(done, mode), variantOf(done, `pruned-${mode}`)];
    t.true(pruned.sparsity > 0.65 && dense.sparsity < 0.3, `${mode} ${pruned.sparsity}`);
    t.true(pruned.compressedBytes < 0.75 * dense.compressedBytes, mode);
  }
  t.deepEqual(
    done.progress.filter(({ step }) => step === 'prune').map(({ done: at }) => at),
    [1],
  );
});

test('pruned and trained: every mode has its variant, better than untrained, and the report says how', async (t) => {
  const settings = { modes: MODES, prune: PRUNE, finetune: { ...FINETUNE, steps: 300 } };
  const done = await run(classifier(), { settings });
  t.is(namesOf(done).length, 8);
  t.false(kindsOf(done).includes('pruned-untrained'));
  const { training, pruning, options } = done.report;
  t.like(training, { samples: SAMPLES, labelled: false, seed: 1, plannedSteps: 300 });
  t.is(pruning!.zeroWeights, 3456);
  t.like(options, { 'prune.share': 0.75, 'finetune.steps': 300, 'finetune.weightBits': 5 });
  const raw = await run(classifier(), { settings: { prune: PRUNE } });
  const [trained, untrained] = [done, raw].map((each) => variantOf(each, 'pruned-int8'));
  t.log(`${untrained!.logits!.sqnrDb} dB untrained, ${trained!.logits!.sqnrDb} dB trained`);
  t.true(trained!.logits!.sqnrDb! > untrained!.logits!.sqnrDb! + 2);
  t.true(trained!.fullyInt8);
  const calibrationLabels = Int32Array.from({ length: SAMPLES }, (_, index) => index % CLASSES);
  const other = await run(classifier(), {
    settings: { prune: PRUNE, finetune: FINETUNE },
    more: { calibrationLabels },
  });
  t.true(other.report.training!.labelled);
  // 5 bits: 15 steps to each side of zero.
  const bytes = done.files.get('pruned-int8.tflite')!;
  const values = int8Weights(bytes).find(({ length }) => length === 4608)!;
  t.true(values.every((value) => Math.abs(value) <= 15));
  t.true(values.some((value) => Math.abs(value) === 15));
  t.deepEqual(
    done.progress.filter(({ step }) => step === 'train').map(({ done: at }) => at),
    Array.from({ length: 300 }, (_, step) => step + 1),
  );
});

function int8Weights(bytes: Uint8Array): Int8Array[] {
  const graph = new Graph(parseModel(bytes, 'int8'), 'int8');
  return graph.subgraph.tensors.flatMap((tensor) =>
    tensor.type === 'int8' && graph.isConstant(tensor)
      ? [new Int8Array(Uint8Array.from(graph.data(tensor)).buffer)]
      : [],
  );
}

test('trained alone: variants are called so, and nothing is said of pruning', async (t) => {
  const settings = { modes: MODES, finetune: FINETUNE };
  const done = await run(classifier(), { settings });
  t.deepEqual(namesOf(done).slice(4), [
    ...['trained-float', 'trained-float16', 'trained-dynamic', 'trained-int8'],
  ]);
  t.is(done.report.pruning, undefined);
  t.is(done.report.training!.steps, 60);
  t.true(done.report.training!.curve.every(({ quantized }) => quantized));
  // float16 alone: int8 is not simulated, and what comes out is as good as float.
  const halves = await run(classifier(), { settings: { modes: ['float16'], finetune: FINETUNE } });
  t.deepEqual(namesOf(halves), ['float', 'float16', 'trained-float', 'trained-float16']);
  t.true(halves.report.training!.curve.every(({ quantized }) => !quantized));
});

test('structured: channels go until the MACs are as few as asked for', async (t) => {
  for (const finetune of [undefined, FINETUNE]) {
    const settings = { prune: STRUCTURED, ...(finetune === undefined ? {} : { finetune }) };
    const done = await run(classifier(), { settings });
    const [dense, pruned] = [variantOf(done, 'int8'), variantOf(done, 'pruned-int8')];
    t.true(pruned.macs <= 0.6 * dense.macs, `${pruned.macs} of ${dense.macs}`);
    t.true(pruned.sizeBytes < dense.sizeBytes);
    const { pruning } = done.report;
    t.true(pruning!.structured);
    // Also layers that would be too small for single weights.
    t.is(pruning!.layers.length, 3);
    const channels = pruning!.layers.map((layer) => layer.channels!);
    t.deepEqual(
      channels.map(({ before }) => before),
      [16, 32, CLASSES],
    );
    t.true(channels.every(({ before, after }) => after <= before && after > 0));
    t.is(channels[2]!.after, CLASSES);
    const sum = pruning!.layers.reduce((total, { weights }) => total + weights, 0);
    t.is(pruning!.prunableWeights, sum);
    t.is(kindsOf(done).includes('pruned-untrained'), finetune === undefined);
    t.is(done.report.training?.steps, finetune?.steps);
  }
});

test('structured pruning of a model of small layers alone', async (t) => {
  const random = new RandomValues(2);
  const b = new ModelBuilder();
  const [input, hidden, output] = [b.tensor([1, 12]), b.tensor([1, 24]), b.tensor([1, 8])];
  const first = b.tensor([24, 12], { data: random.normals(288, 0.3) });
  const second = b.tensor([8, 24], { data: random.normals(192, 0.3) });
  const model = b
    .operator('FULLY_CONNECTED', [input, first, -1], [hidden], { fusedActivationFunction: 1 })
    .operator('FULLY_CONNECTED', [hidden, second, -1], [output])
    .build([input], [output]);
  const done = await run(model, { settings: { prune: STRUCTURED, finetune: FINETUNE } });
  t.true(variantOf(done, 'pruned-int8').macs <= 0.6 * variantOf(done, 'int8').macs);
  // Single weights are another matter: there is nothing to prune, and that is known before the work.
  const steps = new Set<string>();
  const more = { onProgress: ({ step }: Progress) => steps.add(step) };
  const settings = { prune: PRUNE, finetune: FINETUNE };
  await t.throwsAsync(run(model, { settings, more }), {
    code: 'model-unsupported',
    message: /nothing to prune: .*; leave --prune out/,
  });
  t.deepEqual([...steps], ['calibrate']);
});

test('the int8 file says exactly what training rounded its weights to', async (t) => {
  for (const prune of [PRUNE, undefined]) {
    const settings = { finetune: FINETUNE, ...(prune === undefined ? {} : { prune }) };
    const request = requestFor(classifier(), runtime.load, { sampleCount: SAMPLES, settings });
    const float = openFloatModel(request.model, request.what);
    const samples = samplesOf(request.calibration);
    const watch = { ...request, samples, onProgress: () => {} };
    const before = await calibrate(float, watch);
    const { rounded, weightSteps } = await planChange(float, before, samples, request)!.make();
    t.is(weightSteps.size, prune === undefined ? 0 : 1);
    const calibration = await calibrate(rounded, watch);
    const options = { ...request.settings, weightSteps, ranges: 'minmax' } as const;
    const int8 = await quantizeInt8(rounded, calibration, samples, options, {
      ...{ ...request, onTrial: () => {} },
    });
    const dynamic = finishModel(writeDynamicModel(rounded, calibration, weightSteps), 'dynamic');
    for (const [name, bytes, layers] of [
      ['int8', int8.bytes, 3],
      // The last layer has too few weights for a hybrid one: it stays in float.
      ['dynamic', dynamic, 2],
    ] as const) {
      const graph = new Graph(parseModel(bytes, name), name);
      const weighted = graph.subgraph.operators.filter(({ inputs }) => {
        const tensor = inputs[1] === undefined ? undefined : graph.tensor(inputs[1]);
        return tensor?.type === 'int8' && graph.isConstant(tensor);
      });
      t.is(weighted.length, layers);
      const places = rounded.subgraph.operators.filter(({ inputs }) => inputs.length === 3);
      for (const [place, operator] of weighted.entries()) {
        const tensor = graph.tensor(operator.inputs[1]!);
        const steps = new Int8Array(Uint8Array.from(graph.data(tensor)).buffer);
        const { scale } = tensor.quantization!;
        const inner = steps.length / tensor.shape[0]!;
        const wanted = rounded.graph.floats(rounded.graph.tensor(places[place]!.inputs[1]!));
        t.deepEqual(
          Float32Array.from(steps, (step, at) => {
            const own = scale.length === 1 ? scale[0]! : scale[Math.floor(at / inner)]!;
            return step === 0 ? 0 : step * own;
          }),
          wanted.map((value) => (value === 0 ? 0 : value)),
          `${name}, layer ${place}`,
        );
      }
    }
  }
});

test('labels to learn from are checked as those of evaluation are, and are called by their option', async (t) => {
  const settings = { finetune: FINETUNE };
  const right = new Int32Array(SAMPLES);
  for (const [labels, message] of [
    [new Int32Array(SAMPLES - 1), /--calibration-labels: 47 labels for 48 calibration samples/],
    [new Int32Array(0), /--calibration-labels: 0 labels for 48 calibration samples/],
    [right.with(7, CLASSES), /--calibration-labels: a label of 4, and .* tells 4 classes apart/],
    [right.with(7, -1), /--calibration-labels: a label of -1, and .* tells 4 classes apart/],
  ] as const) {
    const progress: Progress[] = [];
    const more = { calibrationLabels: labels, onProgress: (at: Progress) => progress.push(at) };
    await t.throwsAsync(run(classifier(), { settings, more }), { code: 'input-invalid', message });
    t.deepEqual(progress, []);
  }
  const b = new ModelBuilder();
  const [input, output] = [b.tensor([1, 8]), b.tensor([1, 8])];
  const weights = b.tensor([8, 8], { data: new RandomValues(1).normals(64, 0.3) });
  const plain = b.operator('FULLY_CONNECTED', [input, weights, -1], [output]);
  const more = { calibrationLabels: right };
  await t.throwsAsync(run(plain.build([input], [output]), { settings, more }), {
    code: 'input-invalid',
    message: /--calibration-labels: model\.tflite does not end in a softmax/,
  });
  const batch = new ModelBuilder();
  const [rows, logits, classes] = [
    batch.tensor([2, 8]),
    batch.tensor([2, 3]),
    batch.tensor([2, 3]),
  ];
  const few = batch.tensor([3, 8], { data: new RandomValues(1).normals(24, 0.3) });
  batch
    .operator('FULLY_CONNECTED', [rows, few, -1], [logits])
    .operator('SOFTMAX', [logits], [classes], { beta: 1 });
  const two = batch.build([rows], [classes]);
  await t.throwsAsync(run(two, { settings, more }), {
    code: 'input-invalid',
    message: /--calibration-labels: model\.tflite gives several answers for a sample/,
  });
  // Without labels a batch is as good as anything.
  t.is((await run(two, { settings })).report.training!.steps, 60);
});

test('what cannot be trained is refused before any work, and pruning alone does not ask for it', async (t) => {
  const random = new RandomValues(2);
  const b = new ModelBuilder();
  const [input, raised, output] = [b.tensor([1, 40]), b.tensor([1, 40]), b.tensor([1, 40])];
  const weights = b.tensor([40, 40], { data: random.normals(1600, 0.1) });
  const model = b
    .operator('EXP', [input], [raised])
    .operator('FULLY_CONNECTED', [raised, weights, -1], [output])
    .build([input], [output]);
  const progress: Progress[] = [];
  const more = { onProgress: (at: Progress) => void progress.push(at) };
  const refusal = {
    code: 'model-unsupported',
    message: /^model\.tflite: operator 0 \(EXP\) cannot be trained: .*; leave --finetune out/,
  };
  for (const prune of [undefined, PRUNE, STRUCTURED]) {
    const settings = { finetune: FINETUNE, ...(prune === undefined ? {} : { prune }) };
    await t.throwsAsync(run(model, { settings, more }), refusal);
  }
  t.deepEqual(progress, []);
  const { report } = await run(model, { settings: { prune: PRUNE } });
  t.like(report.pruning, { prunableWeights: 1600, zeroWeights: 1200 });
  t.deepEqual(report.pruning!.layers[0]!.sensitivity, []);

  // Memory is asked for by the batch, and a model may be past it that runs one by one.
  const large = new ModelBuilder();
  const ends = [1, 2, 3].map(() => large.tensor([1, 512, 512, 32]));
  const kernel = large.tensor([32, 1, 1, 32], { data: random.normals(1024, 0.1) });
  const window = { padding: 0, strideW: 1, strideH: 1 };
  const bias = large.tensor([32], { data: random.normals(32, 0.1) });
  const wide = large
    .operator('CONV_2D', [ends[0]!, kernel, bias], [ends[1]!], window)
    .operator('RELU', [ends[1]!], [ends[2]!])
    .build([ends[0]!], [ends[2]!]);
  const values = new Float32Array(512 * 512 * 32);
  const set = { values, count: 1, sourceCount: 1, elementCount: values.length };
  const calibration = [{ ...set, count: 40, source: 'x.npy', sha256: '' }];
  await t.throwsAsync(run(wide, { settings: { finetune: FINETUNE }, calibration, more }), {
    code: 'model-too-large',
    message: /training it takes more than 2048 MiB of memory; leave --finetune out/,
  });
  t.deepEqual(progress, []);

  const nothing = new ModelBuilder();
  const [from, to] = [nothing.tensor([1, 8]), nothing.tensor([1, 8])];
  const relu = nothing.operator('RELU', [from], [to]).build([from], [to]);
  await t.throwsAsync(run(relu, { settings: { finetune: FINETUNE }, more }), {
    code: 'model-unsupported',
    message: /it has no weights to train; leave --finetune out/,
  });
  await t.throwsAsync(
    run(classifier(), { settings: { finetune: FINETUNE }, sampleCount: 31, more }),
    {
      code: 'input-invalid',
      message: /31 calibration samples are too few to train its 5 layers with: give at least 32/,
    },
  );
  t.deepEqual(progress, []);
});

test('more channels than can go are refused with how far it gets, before variants are made', async (t) => {
  const steps = new Set<string>();
  const more = { onProgress: ({ step }: Progress) => void steps.add(step) };
  const settings = { prune: { ...STRUCTURED, share: 0.98 }, finetune: FINETUNE };
  await t.throwsAsync(run(classifier(), { settings, more }), {
    code: 'model-unsupported',
    message: /leaves \d+\.\d% of its MACs at the least, and 2\.0% are asked for/,
  });
  t.deepEqual([...steps], ['calibrate']);
});

test('the same request gives the same files; an interruption is heard of in every part', async (t) => {
  const settings = { modes: MODES, prune: PRUNE, finetune: FINETUNE };
  const [one, other] = [
    await run(classifier(), { settings }),
    await run(classifier(), { settings }),
  ];
  for (const [name, bytes] of one.files) t.deepEqual(other.files.get(name), bytes, name);
  for (const step of ['calibrate', 'quantize', 'train', 'prune'] as const) {
    const stop = new AbortController();
    const more = {
      signal: stop.signal,
      onProgress: (at: Progress) => {
        if (at.step === step) stop.abort(new Error(`during ${step}`));
      },
    };
    await t.throwsAsync(run(classifier(), { settings, more }), { message: `during ${step}` });
  }
});

test('--fully-int8 has a say about int8 variants, and none in the midst of training', async (t) => {
  // GELU stays in float.
  const random = new RandomValues(3);
  const b = new ModelBuilder();
  const [input, hidden, bent, output] = [1, 2, 3, 4].map(() => b.tensor([1, 8]));
  const weights = b.tensor([8, 8], { data: random.normals(64, 0.3) });
  const model = b
    .operator('FULLY_CONNECTED', [input!, weights, -1], [hidden!])
    .operator('GELU', [hidden!], [bent!])
    .operator('FULLY_CONNECTED', [bent!, weights, -1], [output!])
    .build([input!], [output!]);
  const settings = { modes: ['dynamic'], finetune: FINETUNE, fullyInt8: true } as const;
  t.deepEqual(namesOf(await run(model, { settings })), [
    ...['float', 'dynamic', 'trained-float', 'trained-dynamic'],
  ]);
});
