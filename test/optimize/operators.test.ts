import test from 'ava';
import { parseJson } from '../../src/core/index.ts';
import { optimize, Report, type Variant } from '../../src/optimize/index.ts';
import { int8Scheme } from '../../src/optimize/quantize/int8-schemes.ts';
import { Graph, OPERATORS, parseModel, type TfliteModel } from '../../src/tflite/index.ts';
import { ModelBuilder } from '../tflite/model-builder.ts';
import { sampleModels } from '../tflite/sample-models.ts';
import { randomSamples, requestFor, sampleSet } from './optimize-request.ts';
import { SharedRuntime } from './shared-runtime.ts';

const runtime = new SharedRuntime();
test.after.always(() => runtime.close());

const MODES = ['int8', 'dynamic', 'float16'] as const;
/** Undefined for numbers below 0, or endless close to it. */
const POSITIVE = /^(SQRT|RSQRT|LOG|POW|DIV) /;
/** Results that are whole numbers: a small error makes a step of one, or of another place. */
const IN_STEPS = /^(FLOOR|ROUND|CEIL|CAST|ARG_MAX|indices)/;

/** Models that are float32 through and through; integers only as indices. */
const floatModels = sampleModels().filter(({ model }) => {
  const { tensors, inputs } = model.subgraphs[0]!;
  const quantized = tensors.some(({ type }) => /^(u?int8|int16|float16)$/.test(type));
  return !quantized && inputs.every((index) => tensors[index]!.type === 'float32');
});

function decibelsOf({ logits, output }: Variant): number {
  return (logits ?? output).sqnrDb ?? Number.POSITIVE_INFINITY;
}

/** Operators that compute in int8, conversions apart. */
function int8Operators(bytes: Uint8Array): string[] {
  const graph = new Graph(parseModel(bytes, 'int8'), 'int8');
  return graph.subgraph.operators.flatMap((operator) => {
    const { builtin } = graph.code(operator);
    const [first] = builtin === 'ARG_MAX' ? operator.inputs : operator.outputs;
    return graph.tensor(first!).type === 'int8' && builtin !== 'QUANTIZE' ? [builtin] : [];
  });
}

test('every float operator is quantized in every mode, and stays close to float', async (t) => {
  t.timeout(300_000);
  const seen = new Set<string>();
  for (const { name, model } of floatModels) {
    const samples = randomSamples(model, 6).map((set) =>
      POSITIVE.test(name)
        ? sampleSet(
            set.values.map((value) => Math.abs(value) + 0.5),
            6,
          )
        : set,
    );
    const settings = { modes: MODES };
    const optimized = await optimize(
      requestFor(model, runtime.load, { settings, calibration: samples }),
    );
    // What is written must read back.
    parseJson(Report, JSON.stringify(optimized.report), name);
    const [float, float16, dynamic, int8] = optimized.report.variants.map(decibelsOf);
    t.is(float, Number.POSITIVE_INFINITY, name);
    t.true(float16! >= 60, `${name}: float16 ${float16} dB`);
    t.true(dynamic! >= 35, `${name}: dynamic ${dynamic} dB`);
    t.true(int8! >= (IN_STEPS.test(name) ? 10 : 30), `${name}: int8 ${int8} dB`);
    for (const operator of int8Operators(optimized.files.get('int8.tflite')!)) seen.add(operator);
  }
  const known = OPERATORS.map(({ name }) => name).filter((name) => int8Scheme(name) !== undefined);
  t.deepEqual([...seen].sort(), known.sort());
  t.is(runtime.openCount, 0);
});

test('a graph with more activations than the runtime is asked for at once', async (t) => {
  const b = new ModelBuilder();
  const input = b.tensor([1, 8]);
  let last = input;
  for (let step = 0; step < 1100; step++) {
    const next = b.tensor([1, 8]);
    b.operator(step % 2 === 0 ? 'RELU' : 'LEAKY_RELU', [last], [next], { alpha: 0.5 });
    last = next;
  }
  const { report } = await optimize(requestFor(b.build([input], [last]), runtime.load));
  t.true(decibelsOf(report.variants[1]!) > 30);
  t.deepEqual(report.variants[1]!.layers, []);
});

/** A layer whose activations are a constant, and one whose weights a converter should have folded. */
function constantLayers(): TfliteModel {
  const b = new ModelBuilder();
  const numbers = (count: number): number[] =>
    Array.from({ length: count }, (_, index) => ((index * 7) % 19) / 19 - 0.4);
  const [input, logarithms] = [b.tensor([1, 16]), b.tensor([1, 16], { data: numbers(16) })];
  const [gamma, table, scaled, output] = [
    b.tensor([1, 16]),
    b.tensor([1, 16]),
    b.tensor([1, 16]),
    b.tensor([1, 16]),
  ];
  const weights = b.tensor([16, 16], { data: numbers(256) });
  const bias = b.tensor([16], { data: numbers(16) });
  return b
    .operator('EXP', [logarithms], [gamma])
    .operator('FULLY_CONNECTED', [logarithms, weights, bias], [table])
    .operator('MUL', [input, gamma], [scaled])
    .operator('ADD', [scaled, table], [output])
    .build([input], [output]);
}

test('what is computed of constants alone stays in float, and is named', async (t) => {
  const settings = { modes: MODES };
  const { report } = await optimize(requestFor(constantLayers(), runtime.load, { settings }));
  const int8 = report.variants.at(-1)!;
  t.deepEqual(
    int8.keptFloat.map(({ name }) => name),
    ['EXP', 'FULLY_CONNECTED', 'MUL', 'ADD'],
  );
  t.regex(int8.keptFloat[2]!.reason, /computed of constants alone/);
  for (const variant of report.variants) t.true(decibelsOf(variant) > 30, variant.name);
});
