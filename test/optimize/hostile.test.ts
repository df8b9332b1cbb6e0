import test from 'ava';
import { errorCode, errorMessage, parseJson } from '../../src/core/index.ts';
import { type Optimized, optimize, Report, type SampleSet } from '../../src/optimize/index.ts';
import { parseModel, type TfliteModel } from '../../src/tflite/index.ts';
import { ModelBuilder } from '../tflite/model-builder.ts';
import { sampleModels, svdfModel } from '../tflite/sample-models.ts';
import {
  chain,
  fileWithBuiltin,
  layer,
  scale,
  withCustomOperator,
  withGraph,
  withTensor,
} from './hostile-models.ts';
import { type RequestParts, randomSamples, requestFor, sampleSet } from './optimize-request.ts';
import { RandomValues } from './random-values.ts';
import { SharedRuntime } from './shared-runtime.ts';

const runtime = new SharedRuntime();
test.after.always(() => {
  runtime.close();
});

const MODES = ['int8', 'dynamic', 'float16'] as const;
const ALL: RequestParts = { settings: { modes: MODES } };

async function run(model: TfliteModel | Uint8Array, parts: RequestParts = ALL): Promise<Optimized> {
  return optimize(requestFor(model, runtime.load, parts));
}

/** x - x: nothing, beside inputs of a scale that knows nothing of it. */
function difference(): TfliteModel {
  const b = new ModelBuilder();
  const [input, large, nothing, output] = [0, 1, 2, 3].map(() => b.tensor([1, 8]));
  return b
    .operator('MUL', [input!, b.tensor([1], { data: [1e7] })], [large!])
    .operator('SUB', [large!, large!], [nothing!])
    .operator('ADD', [nothing!, input!], [output!])
    .build([input!], [output!, nothing!]);
}

/** Shares the built-in scale of a LOGISTIC with a difference of values that are ten million times as large. */
function smallBesideProbability(): TfliteModel {
  const b = new ModelBuilder();
  const [input, large, nothing, probability] = [0, 1, 2, 3].map(() => b.tensor([1, 8]));
  const output = b.tensor([1, 16]);
  return b
    .operator('MUL', [input!, b.tensor([1], { data: [1e7] })], [large!])
    .operator('SUB', [large!, large!], [nothing!])
    .operator('LOGISTIC', [input!], [probability!])
    .operator('CONCATENATION', [nothing!, probability!], [output], { axis: 1 })
    .build([input!], [output]);
}

interface Refusal {
  readonly name: string;
  readonly model: TfliteModel | Uint8Array;
  readonly code: string;
  /** Which tensor or operator it is, and what to do about it. */
  readonly says: readonly RegExp[];
  readonly parts?: RequestParts;
}

const sampleModel = (name: string): TfliteModel =>
  sampleModels().find((sample) => sample.name === name)!.model;
const unsupported = (name: string, model: Refusal['model'], ...says: RegExp[]): Refusal => ({
  name,
  model,
  code: 'model-unsupported',
  says,
});

function twice(): TfliteModel {
  const model = layer();
  return { ...model, subgraphs: [...model.subgraphs, ...model.subgraphs] };
}

const shapeless = withTensor(1, { shape: [1, -1, 4, 8] });
const MODELS: readonly Refusal[] = [
  unsupported(
    'a custom operator',
    withCustomOperator('Flex Thing'),
    /operator 0 \(CUSTOM "Flex Thing"\)/,
    /convert the model/,
  ),
  unsupported('an operator past all names', fileWithBuiltin(199), /operator 0 \(BUILTIN_199\)/),
  unsupported('an operator of another age', fileWithBuiltin(158), /operator 0 \(SIGN\)/, /convert/),
  unsupported(
    'an open input',
    withTensor(0, { shape: [-1, 6, 6, 4] }),
    /tensor 0 "t0"/,
    /\[-1,6,6,4\]/,
    /fixed input shapes/,
  ),
  unsupported('an open shape within', shapeless, /tensor 1 "t1"/, /fixed input shapes/),
  unsupported('several graphs', twice(), /2 graphs/, /without control flow/),
  unsupported(
    'hybrid weights',
    sampleModel('conv hybrid'),
    /tensor 1 "t1" is int8/,
    /in part/,
    /float32 model/,
  ),
  unsupported('an int8 model', sampleModel('conv int8'), /tensor 0 "t0" is int8/, /float32 model/),
  unsupported(
    'a uint8 model',
    sampleModel('conv uint8'),
    /tensor 0 "t0" is uint8/,
    /float32 model/,
  ),
  unsupported('an int8 SVDF', svdfModel('int8', 'int16'), /tensor 0 "t0" is int8/),
  unsupported(
    'float16 weights',
    sampleModel('dense float16'),
    /tensor 1 "t1" is float16 already/,
    /float32 model/,
  ),
  unsupported('an integer input', withTensor(0, { type: 'int32' }), /tensor 0 "t0"|CONV_2D/),
  unsupported(
    'weights that are not numbers',
    layer({ change: (w) => void w.fill(Number.NaN, 5, 6) }),
    /tensor 2 "t2" is NaN at element 5/,
    /mend/,
  ),
  unsupported(
    'a bias that is not a number',
    layer({ change: (_, b) => void b.fill(Number.NaN, 2, 3) }),
    /tensor 3 "t3" is NaN at element 2/,
  ),
  unsupported(
    'infinite weights',
    layer({ change: (w) => void w.fill(Number.POSITIVE_INFINITY, 5, 6) }),
    /tensor 2 "t2" is Infinity at element 5/,
  ),
  unsupported(
    'weights hidden by a RELU',
    layer({ relu: true, change: (w) => void w.fill(Number.NaN, 5, 6) }),
    /tensor 2 "t2" is NaN/,
  ),
  unsupported(
    'weights past every scale',
    layer({ change: (w) => scale(w, 1e30) }),
    /tensor 2 "t2" is -?\d.*e\+\d\d at element 0/,
  ),
  unsupported(
    'a bias past every scale',
    layer({ change: (_, b) => scale(b, 1e30) }),
    /tensor 3 "t3" is/,
  ),
  {
    ...unsupported(
      'weights that are not numbers, for float16 alone',
      layer({ change: (w) => void w.fill(Number.NaN, 5, 6) }),
      /tensor 2 "t2" is NaN at element 5/,
    ),
    parts: { settings: { modes: ['float16'] } },
  },
  {
    name: 'sums past every scale',
    model: layer({ change: (w) => scale(w, 1e21) }),
    code: 'input-invalid',
    says: [/tensor 1 "t1" becomes -?\d.*e\+21 on calibration sample \d/, /look at/],
  },
  {
    name: 'numbers that overflow on the way',
    model: chain(['EXP'], ['EXP'], ['EXP']),
    code: 'input-invalid',
    says: [
      /tensor [23] "t[23]" becomes (Infinity|\d.*e\+\d+) on calibration sample \d+/,
      /how inputs are scaled/,
    ],
  },
  {
    name: 'an output that is an input',
    model: withGraph(({ inputs, outputs }) => ({ outputs: [...outputs, ...inputs] })),
    code: 'model-malformed',
    says: [/tensor 0 "t0"/, /input/],
  },
  {
    name: 'an operator that would stay in float, under --fully-int8',
    model: chain(['TANH'], ['EXP'], ['RELU']),
    parts: { settings: { fullyInt8: true } },
    code: 'model-unsupported',
    says: [/EXP would stay in float/, /--fully-int8/],
  },
  {
    name: 'no model',
    model: Buffer.from('this is no model, and never was one'),
    code: 'model-malformed',
    says: [/is it a TensorFlow Lite model/],
    parts: { calibration: randomSamples(layer(), 4) },
  },
];

for (const { name, model, code, says, parts } of MODELS) {
  test.serial(`refused with a word on what to do: ${name}`, async (t) => {
    const error = await t.throwsAsync(run(model, { ...ALL, ...parts }));
    t.is(errorCode(error) as string, code, errorMessage(error));
    t.true(error.message.startsWith('model.tflite: '), error.message);
    t.false(error.message.includes('\n'));
    for (const pattern of says) t.regex(error.message, pattern);
    t.is(runtime.openCount, 0);
  });
}

const [good] = randomSamples(layer(), 6);
const spoiled = (index: number, value: number): SampleSet =>
  sampleSet(good!.values.with(index, value), 6);
const DATA: readonly (Omit<Refusal, 'model' | 'code'> & { readonly parts: RequestParts })[] = [
  {
    name: 'not a number',
    parts: { calibration: [spoiled(144 * 3 + 7, Number.NaN)] },
    says: [/tensor 0 "t0" becomes NaN on calibration sample 3/, /look at that sample/],
  },
  {
    name: 'infinity',
    parts: { calibration: [spoiled(5, Number.NEGATIVE_INFINITY)] },
    says: [/tensor 0 "t0" becomes -Infinity on calibration sample 0/],
  },
  {
    name: 'not a number in the evaluation',
    parts: { more: { evaluation: [spoiled(144 * 2, Number.NaN)] } },
    says: [/evaluation sample 2/, /leave that sample out/],
  },
  {
    name: 'a shape that does not fit',
    parts: { calibration: [sampleSet(new Float32Array(10 * 143).fill(1), 10)] },
    says: [/samples\.npy: samples of 143 values/, /input "t0" takes 1 x 6 x 6 x 4/],
  },
  {
    name: 'an evaluation whose shape does not fit',
    parts: { more: { evaluation: [sampleSet(new Float32Array(10), 10)] } },
    says: [/samples of 1 values/, /input "t0" takes/],
  },
  {
    name: 'no samples',
    parts: { calibration: [{ ...good!, count: 0, values: new Float32Array(0) }] },
    says: [/samples\.npy: 0 samples/],
  },
  {
    name: 'samples for an input that is not there',
    parts: { calibration: [good!, good!] },
    says: [/model\.tflite has 1 inputs and there are samples for 2/],
  },
  {
    name: 'fewer labels than samples',
    parts: { more: { labels: Int32Array.of(0, 1) } },
    says: [/2 labels for 16 evaluation samples; give one for each/],
  },
  {
    name: 'a label past the last class',
    parts: { more: { labels: new Int32Array(16).fill(128) } },
    says: [/several answers for a sample/, /leave them out/],
  },
];

for (const { name, parts, says } of DATA) {
  test.serial(`samples refused with a word on what to do: ${name}`, async (t) => {
    const error = await t.throwsAsync(run(layer(), { ...ALL, ...parts }), {
      code: 'input-invalid',
    });
    t.false(error.message.includes('\n'));
    for (const pattern of says) t.regex(error.message, pattern);
    t.is(runtime.openCount, 0);
  });
}

/** Decibels of each variant against float. */
async function distances(
  model: TfliteModel,
  parts: RequestParts = {},
): Promise<Record<string, number>> {
  const { report } = await run(model, { ...ALL, ...parts });
  return Object.fromEntries(
    report.variants.map(({ name, output }) => [name, output.sqnrDb ?? Number.POSITIVE_INFINITY]),
  );
}

const EDGES: readonly (readonly [name: string, model: TfliteModel])[] = [
  ['no weights but zeros', layer({ change: (w) => void w.fill(0) })],
  ['nothing but zeros', layer({ change: (w, b) => void [w.fill(0), b.fill(0)] })],
  ['a channel of zeros', layer({ change: (w) => void w.fill(0, 36, 72) })],
  ['large weights', layer({ change: (w) => scale(w, 1e18) })],
  ['small weights', layer({ change: (w) => scale(w, 1e-12) })],
  ['small weights and biases', layer({ change: (w, b) => [w, b].map((x) => scale(x, 1e-12)) })],
  ['vanishing weights', layer({ change: (w) => scale(w, 1e-30) })],
  ['one large weight', layer({ change: (w) => void w.fill(1e12, 0, 1) })],
  ['a channel of large weights', layer({ change: (w) => w.fill(1e9, 0, 36) })],
  ['a bias past what its weights can scale', layer({ change: (_, b) => void b.fill(1e9, 0, 1) })],
  ['a large bias over zeros', layer({ change: (w, b) => [w.fill(0), b.fill(1e6)] })],
  [
    'a result that is always zero',
    layer({ relu: true, change: (w, b) => [scale(w, 1e-3), b.fill(-10)] }),
  ],
  [
    'large weights of a result that is always zero',
    layer({ relu: true, change: (w, b) => [scale(w, 1e9), b.fill(-1e12)] }),
  ],
  ['a difference of a tensor and itself', difference()],
  ['a small result beside a probability', smallBesideProbability()],
];

for (const [name, model] of EDGES) {
  test.serial(`quantized and close to float: ${name}`, async (t) => {
    const found = await distances(model);
    t.true(found['int8']! >= 25, `int8 ${found['int8']} dB`);
    t.true(found['dynamic']! >= 25, `dynamic ${found['dynamic']} dB`);
    t.true(found['float16']! >= 54, `float16 ${found['float16']} dB`);
  });
}

test.serial('an input channel that is always zero', async (t) => {
  const values = good!.values.map((value, index) => (index % 4 === 1 ? 0 : value));
  const found = await distances(layer(), { calibration: [sampleSet(values, 6)] });
  for (const [name, decibels] of Object.entries(found))
    t.true(decibels >= 30, `${name} ${decibels}`);
});

test.serial('an input that is always zero', async (t) => {
  const found = await distances(layer(), { calibration: [sampleSet(new Float32Array(144), 1)] });
  for (const [name, decibels] of Object.entries(found))
    t.true(decibels >= 30, `${name} ${decibels}`);
});

test.serial('weights that two layers share, and an operator of float reads, too', async (t) => {
  const b = new ModelBuilder();
  const weights = b.tensor([16, 16], { data: randomNumbers(256) });
  const bias = b.tensor([16], { data: randomNumbers(16) });
  const [input, first, second, powers, output] = [
    b.tensor([16, 16]),
    b.tensor([16, 16]),
    b.tensor([16, 16]),
    b.tensor([16, 16]),
    b.tensor([16, 16]),
  ];
  const model = b
    .operator('FULLY_CONNECTED', [input, weights, bias], [first])
    .operator('FULLY_CONNECTED', [first, weights, bias], [second])
    .operator('SQUARED_DIFFERENCE', [second, weights], [powers])
    .operator('ADD', [powers, weights], [output])
    .build([input], [output, first]);
  const { report, files } = await run(model);
  for (const { name, output: agreement } of report.variants) {
    t.true((agreement.sqnrDb ?? 99) >= 30, `${name} ${agreement.sqnrDb}`);
  }
  t.deepEqual(
    report.variants.at(-1)!.keptFloat.map(({ name }) => name),
    ['SQUARED_DIFFERENCE'],
  );
  t.deepEqual(
    [...files.keys()],
    ['float.tflite', 'float16.tflite', 'dynamic.tflite', 'int8.tflite'],
  );
});

function randomNumbers(count: number): number[] {
  return Array.from({ length: count }, (_, index) => (((index * 73 + 5) % 101) - 50) / 120);
}

test.serial('several inputs and outputs keep their names, order and signature', async (t) => {
  const b = new ModelBuilder();
  const [left, right, sum, product, folded] = [
    b.tensor([1, 8]),
    b.tensor([1, 8]),
    b.tensor([1, 8]),
    b.tensor([1, 8]),
    b.tensor([1, 8]),
  ];
  const plain = b
    .operator('ADD', [left, right], [sum])
    .operator('MUL', [left, right], [product])
    .operator('TANH', [product], [folded])
    .build([right, left], [folded, sum]);
  const model: TfliteModel = {
    ...plain,
    signatures: [
      {
        key: 'serving_default',
        subgraph: 0,
        inputs: [
          { name: 'a', tensor: left },
          { name: 'b', tensor: right },
        ],
        outputs: [{ name: 'sum', tensor: sum }],
      },
    ],
  };
  for (const type of ['int8', 'float32'] as const) {
    const settings = { modes: MODES, inputType: type, outputType: type };
    const { files, report, goldenInputs } = await run(model, { settings });
    t.is(goldenInputs, undefined);
    const { inputType, outputType } = report.variants.at(-1)!;
    t.deepEqual([inputType, outputType], [type, type]);
    for (const [file, bytes] of files) {
      const { subgraphs, signatures } = parseModel(bytes, file);
      const [graph] = subgraphs;
      const nameOf = (index: number): string => graph!.tensors[index]!.name;
      t.deepEqual(graph!.inputs.map(nameOf), ['t1', 't0'], file);
      t.deepEqual(graph!.outputs.map(nameOf), ['t4', 't2'], file);
      const [signature] = signatures!;
      t.deepEqual(
        signature!.inputs.map(({ tensor }) => nameOf(tensor)),
        ['t0', 't1'],
        file,
      );
      t.deepEqual(
        signature!.outputs.map(({ tensor }) => nameOf(tensor)),
        ['t2'],
        file,
      );
    }
  }
});

test.serial('an output that is asked for twice, and one that others go on from', async (t) => {
  const model = withGraph(({ outputs }) => ({ outputs: [...outputs, ...outputs] }));
  const { report } = await run(model);
  for (const { name, output } of report.variants) t.true((output.sqnrDb ?? 99) >= 30, name);
});

test.serial('a variant whose result is no number is as far from float as can be', async (t) => {
  // Its smallest divisors round to zero in int8.
  const b = new ModelBuilder();
  const [input, squares, output] = [b.tensor([1, 8]), b.tensor([1, 8]), b.tensor([1, 8])];
  const model = b
    .operator('MUL', [input, input], [squares])
    .operator('DIV', [b.tensor([1], { data: [1] }), squares], [output])
    .build([input], [output]);
  const settings = { outputType: 'float32' } as const;
  const { report } = await run(model, { settings });
  const int8 = report.variants.at(-1)!;
  t.is(int8.output.sqnrDb, -99);
  t.is(int8.worstInputs[0]!.sqnrDb, -99);
  t.notThrows(() => parseJson(Report, JSON.stringify(report), 'report'));
});

test.serial('aborted between samples, with nothing left open', async (t) => {
  const stop = new AbortController();
  const onProgress = (): void => stop.abort(new Error('enough'));
  await t.throwsAsync(run(layer(), { ...ALL, more: { signal: stop.signal, onProgress } }), {
    message: 'enough',
  });
  t.is(runtime.openCount, 0);
});

test.serial('huge weights on a channel that is always zero cost the others nothing', async (t) => {
  // As folding batch normalization leaves them.
  const random = new RandomValues(3);
  const depthwise = (huge: number): TfliteModel => {
    const b = new ModelBuilder();
    const [input, hidden, output] = [0, 1, 2].map(() => b.tensor([1, 4, 4, 8]));
    const filters = b.tensor([8, 1, 1, 8], { data: values });
    const bias = b.tensor([8], { data: [-1e3, ...new Array<number>(7).fill(0.1)] });
    const taps = b.tensor([1, 1, 1, 8], { data: [huge, 1, -1, 0.5, 0.7, 1.2, -0.3, 0.9] });
    const none = b.tensor([8], { data: new Array<number>(8).fill(0.05) });
    const options = { padding: 0, strideW: 1, strideH: 1 };
    return b
      .operator('CONV_2D', [input!, filters, bias], [hidden!], {
        ...options,
        fusedActivationFunction: 1,
      })
      .operator('DEPTHWISE_CONV_2D', [hidden!, taps, none], [output!], {
        ...options,
        depthMultiplier: 1,
      })
      .build([input!], [output!]);
  };
  const values = random.normals(64, 0.5);
  const [plain, folded] = await Promise.all(
    [1, 300].map(async (huge) => (await run(depthwise(huge), {})).report.variants.at(-1)!),
  );
  t.true(plain!.output.sqnrDb! > 30);
  t.true(
    folded!.output.sqnrDb! > plain!.output.sqnrDb! - 1,
    `${plain!.output.sqnrDb} ${folded!.output.sqnrDb}`,
  );
});

test.serial('a batch is several answers: top-1 is of each, and labels are refused', async (t) => {
  const random = new RandomValues(5);
  const b = new ModelBuilder();
  const [input, logits, output] = [b.tensor([4, 16]), b.tensor([4, 3]), b.tensor([4, 3])];
  const weights = b.tensor([3, 16], { data: random.normals(48, 0.5) });
  const model = b
    .operator('FULLY_CONNECTED', [input, weights, b.tensor([3], { data: [0, 0, 0] })], [logits])
    .operator('SOFTMAX', [logits], [output], { beta: 1 })
    .build([input], [output]);
  const { report } = await run(model, {});
  const int8 = report.variants.at(-1)!;
  t.is(int8.logits!.constantPredictor, 1 / 3);
  for (const { index, expected, got } of int8.worstInputs) {
    t.true(index < 16 && expected < 3 && got < 3);
  }
  const labels = new Int32Array(16);
  await t.throwsAsync(run(model, { more: { labels } }), {
    code: 'input-invalid',
    message: /several answers for a sample/,
  });
  const single = new ModelBuilder();
  const [x, y] = [single.tensor([1, 4]), single.tensor([1, 4])];
  const softmax = single.operator('SOFTMAX', [x], [y], { beta: 1 }).build([x], [y]);
  await t.throwsAsync(run(softmax, { more: { labels: labels.fill(4) } }), {
    code: 'input-invalid',
    message: /a label of 4, and model\.tflite tells 4 classes apart/,
  });
});
