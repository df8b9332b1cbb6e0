import test from 'ava';
import type { Calibration } from '../../src/optimize/calibrate/calibrate.ts';
import { Histogram } from '../../src/optimize/calibrate/histogram.ts';
import { openFloatModel } from '../../src/optimize/float-model.ts';
import { RANGE_METHODS } from '../../src/optimize/index.ts';
import { type Affine, sameAffine, shortScale } from '../../src/optimize/quantize/affine.ts';
import { planInt8 } from '../../src/optimize/quantize/int8-plan.ts';
import { SIGNED_UNIT_OUTPUT } from '../../src/optimize/quantize/int8-schemes.ts';
import { serializeModel } from '../../src/tflite/index.ts';
import { ModelBuilder } from '../tflite/model-builder.ts';
import { randomSamples } from './optimize-request.ts';
import { RandomTrial } from './random-trial.ts';
import { SharedRuntime } from './shared-runtime.ts';

/** Tensors of [1, 8] by name, the ranges that calibration saw of them, and what joins them. */
class Graph {
  readonly #builder = new ModelBuilder();
  readonly #indices = new Map<string, number>();
  readonly #seen = new Map<number, readonly [number, number]>();

  seen(name: string, low: number, high: number, shape = [1, 8]): this {
    const index = this.#builder.tensor(shape);
    this.#indices.set(name, index);
    this.#seen.set(index, [low, high]);
    return this;
  }

  operator(builtin: string, from: readonly string[], to: string): this {
    const inputs = from.map((name) => this.#indices.get(name)!);
    this.#builder.operator(builtin, inputs, [this.#indices.get(to)!]);
    return this;
  }

  /** Puts tensors in a row. */
  row(from: readonly string[], to: string): this {
    const inputs = from.map((name) => this.#indices.get(name)!);
    this.#builder.operator('CONCATENATION', inputs, [this.#indices.get(to)!], { axis: 1 });
    return this;
  }

  /** Parameters by name, from all that was seen. */
  plan(input: string, outputs: readonly string[]): (name: string) => Affine {
    const ends = outputs.map((name) => this.#indices.get(name)!);
    const model = this.#builder.build([this.#indices.get(input)!], ends);
    const calibration: Calibration = new Map(
      [...this.#seen].map(([index, range]) => {
        const histogram = new Histogram();
        histogram.add(Float32Array.from(range));
        return [index, { histogram, channelSquares: new Float64Array(8) }];
      }),
    );
    const float = openFloatModel(serializeModel(model), 'model');
    const { affines } = planInt8(float, calibration, 'minmax');
    return (name) => affines.get(this.#indices.get(name)!)!;
  }
}

const stepsFor = (span: number): number => shortScale(span / 255);
const WIDE = [1, 16];

/** A small tensor and a large one in a row; `large` is computed of `from`. */
function rowOfTwo(from: 'input' | 'small', most: number): Graph {
  return new Graph()
    .seen('input', -1, 1)
    .seen('small', 0, 1)
    .seen('large', 0, most)
    .seen('row', 0, most, WIDE)
    .operator('RELU', ['input'], 'small')
    .operator('MUL', [from, from], 'large')
    .row(['small', 'large'], 'row');
}

test('what others read keeps its own steps beside values that are much larger', (t) => {
  const affine = rowOfTwo('small', 1000).plan('input', ['row']);
  t.is(affine('small').scale, stepsFor(1));
  t.is(affine('row').scale, stepsFor(1000));
  t.deepEqual(affine('large'), affine('row'));
});

test('an output of the model is read, too', (t) => {
  const affine = rowOfTwo('input', 1000).plan('input', ['row', 'small']);
  t.is(affine('small').scale, stepsFor(1));
});

test('steps are shared where nobody else reads them, and where two bits at most are lost', (t) => {
  const unread = rowOfTwo('input', 1000).plan('input', ['row']);
  t.deepEqual(unread('small'), unread('row'));
  const alike = rowOfTwo('small', 3.9).plan('input', ['row']);
  t.deepEqual(alike('small'), alike('row'));
  t.deepEqual(alike('large'), alike('row'));
});

test('steps are shared where no kernel could hold the factor between them', (t) => {
  const affine = rowOfTwo('small', 1e12).plan('input', ['row']);
  t.deepEqual(affine('small'), affine('row'));
});

test('what others read does not take coarse steps that are built into a kernel', (t) => {
  const graph = new Graph()
    .seen('input', -1, 1)
    .seen('small', 0, 0.01)
    .seen('bent', -0.7, 0.7)
    .seen('row', -0.7, 0.7, WIDE)
    .operator('RELU', ['input'], 'small')
    .operator('TANH', ['small'], 'bent')
    .row(['small', 'bent'], 'row');
  const affine = graph.plan('input', ['row']);
  t.is(affine('small').scale, stepsFor(0.01));
  t.deepEqual(affine('bent'), SIGNED_UNIT_OUTPUT);
  t.deepEqual(affine('row'), SIGNED_UNIT_OUTPUT);
});

for (const first of ['narrow', 'wide'] as const) {
  test(`a tensor in two rows has the steps of the narrow one: the ${first} one first`, (t) => {
    const graph = new Graph()
      .seen('input', -1, 1)
      .seen('small', 0, 1)
      .seen('large', 0, 1000)
      .seen('narrow', 0, 1, WIDE)
      .seen('wide', 0, 1000, WIDE)
      .seen('end', 0, 1, WIDE)
      .operator('RELU', ['input'], 'small')
      .operator('MUL', ['input', 'input'], 'large');
    const rows = { narrow: ['small', 'small'], wide: ['small', 'large'] };
    const second = first === 'narrow' ? ('wide' as const) : ('narrow' as const);
    for (const row of [first, second]) graph.row(rows[row], row);
    const affine = graph.operator('LOGISTIC', ['narrow'], 'end').plan('input', ['end', 'wide']);
    t.deepEqual(affine('small'), affine('narrow'));
    t.is(affine('narrow').scale, stepsFor(1));
    t.deepEqual(affine('large'), affine('wide'));
    t.is(affine('wide').scale, stepsFor(1000));
  });
}

test('values that are moved on share with what they come from, whoever reads them', (t) => {
  const graph = new Graph()
    .seen('input', -1, 1)
    .seen('all', 0, 100)
    .seen('most', 0, 1)
    .seen('end', 0, 1)
    .operator('RELU', ['input'], 'all')
    .operator('MINIMUM', ['all', 'input'], 'most')
    .operator('LOGISTIC', ['most'], 'end');
  const affine = graph.plan('input', ['end']);
  // Finer steps behind coarse ones say nothing more.
  t.true(sameAffine(affine('all'), affine('most')));
});

test('a small tensor beside a large one is close to float for its other readers', async (t) => {
  const runtime = new SharedRuntime();
  t.teardown(() => runtime.close());
  const b = new ModelBuilder();
  const [input, small, large, bent] = [0, 1, 2, 3].map(() => b.tensor([1, 8]));
  const row = b.tensor([1, 16]);
  const model = b
    .operator('RELU', [input!], [small!])
    .operator('MUL', [small!, b.tensor([1], { data: [1000] })], [large!])
    .operator('CONCATENATION', [small!, large!], [row], { axis: 1 })
    .operator('TANH', [small!], [bent!])
    .build([input!], [row, bent!]);
  const trial = await RandomTrial.start(
    serializeModel(model),
    randomSamples(model, 20),
    runtime.load,
  );
  for (const method of RANGE_METHODS) {
    for (const { sqnrDb } of await trial.distances(await trial.int8(method))) {
      t.true(sqnrDb! >= 35, `${method} ${sqnrDb}`);
    }
  }
});
