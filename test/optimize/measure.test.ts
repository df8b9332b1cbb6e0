import test from 'ava';
import fc from 'fast-check';
import {
  accuracyOf,
  agreementOf,
  argmax,
  ErrorSum,
  type Rows,
} from '../../src/optimize/measure/agreement.ts';
import { alignLayers } from '../../src/optimize/measure/align-layers.ts';
import { peakActivationBytes } from '../../src/optimize/measure/model-facts.ts';
import { spreadSamples } from '../../src/optimize/measure/sample-runs.ts';
import type { TensorType, TfliteModel } from '../../src/tflite/index.ts';
import { ModelBuilder } from '../tflite/model-builder.ts';

const rows = (width: number, ...values: number[]): Rows => ({
  width,
  perInput: 1,
  count: values.length / width,
  values: Float32Array.from(values),
});

test('agreement of known cases', (t) => {
  const reference = rows(3, 1, 0, 0, 0, 2, 0, 0, 2, 0, 0, 0, 2);
  t.deepEqual(agreementOf(reference, reference), {
    sqnrDb: null,
    maxAbsError: 0,
    top1: 1,
    top1ByClass: 1,
    constantPredictor: 1 / 3,
  });
  // One of the two of class 1 is taken for class 0: half of it, and all of the others.
  const found = rows(3, 1, 0, 0, 3, 2, 0, 0, 2, 0, 0, 0, 2);
  const { sqnrDb, maxAbsError, top1, top1ByClass } = agreementOf(reference, found);
  t.is(sqnrDb, Math.round(1000 * Math.log10(13 / 9)) / 100);
  t.is(maxAbsError, 3);
  t.is(top1, 0.75);
  t.true(Math.abs(top1ByClass - 2.5 / 3) < 1e-12);
});

test('silence, an error on silence, and what is no number', (t) => {
  const silence = rows(2, 0, 0);
  t.is(agreementOf(silence, silence).sqnrDb, null);
  t.is(agreementOf(silence, rows(2, 0, 1e-9)).sqnrDb, -99);
  t.is(agreementOf(rows(2, 1, 0), rows(2, 1e9, 0)).sqnrDb, -99);
  for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
    const agreement = agreementOf(rows(2, 1, 0, 0, 1), rows(2, 1, 0, bad, 1));
    t.is(agreement.sqnrDb, -99);
    t.true(Number.isFinite(agreement.maxAbsError));
  }
});

test('errors add up piece by piece', (t) => {
  const finite = fc.array(fc.float({ noNaN: true, min: -9, max: 9 }), { minLength: 1 });
  fc.assert(
    fc.property(finite, fc.nat(), (values, seed) => {
      const found = values.map((value, index) => value + ((index * 7 + seed) % 5) / 4);
      const [whole, pieces] = [new ErrorSum(), new ErrorSum()];
      whole.add(values, found);
      const cut = seed % (values.length + 1);
      pieces.add(values.slice(0, cut), found.slice(0, cut));
      pieces.add(values.slice(cut), found.slice(cut));
      t.is(pieces.sqnrDb, whole.sqnrDb);
      t.is(pieces.maxAbsError, whole.maxAbsError);
    }),
  );
});

test('the largest value is the first of equals, and accuracy counts it', (t) => {
  t.is(argmax([1, 3, 3, 2]), 1);
  t.is(argmax([-5]), 0);
  t.is(accuracyOf(rows(2, 1, 0, 0, 1, 1, 1, 0, 3), Int32Array.of(0, 0, 0, 1)), 0.75);
});

test('samples are spread evenly, the first among them', (t) => {
  const samples = { count: 10, at: (index: number) => [Float32Array.of(index)] };
  const taken = (most: number): number[] => {
    const few = spreadSamples(samples, most);
    return Array.from({ length: few.count }, (_, index) => few.at(index)[0]![0]!);
  };
  t.deepEqual(taken(4), [0, 2, 5, 7]);
  t.deepEqual(taken(1), [0]);
  t.is(spreadSamples(samples, 10), samples);
});

/** A row of operators over vectors; lower case and digits name kind and size. */
function chain(...steps: readonly (readonly [builtin: string, size: number])[]): TfliteModel {
  const b = new ModelBuilder();
  const input = b.tensor([1, 4]);
  let last = input;
  for (const [builtin, size] of steps) {
    const next = b.tensor([1, size]);
    b.operator(builtin, [last], [next]);
    last = next;
  }
  return b.build([input], [last]);
}

const STEP = fc.tuple(fc.constantFrom('RELU', 'TANH', 'EXP'), fc.integer({ min: 1, max: 3 }));

test('layers are paired in order, and as many as can be', (t) => {
  const longest = (a: readonly string[], b: readonly string[]): number => {
    const [first, ...rest] = a;
    if (first === undefined || b.length === 0) return 0;
    const at = b.indexOf(first);
    const without = longest(rest, b);
    return at < 0 ? without : Math.max(without, 1 + longest(rest, b.slice(at + 1)));
  };
  const few = fc.array(STEP, { minLength: 1, maxLength: 7 });
  fc.assert(
    fc.property(few, few, (left, right) => {
      const pairs = alignLayers(chain(...left), chain(...right));
      for (const [index, { reference, other }] of pairs.entries()) {
        t.deepEqual(left[reference], right[other]);
        const before = pairs[index - 1];
        if (before === undefined) continue;
        t.true(reference > before.reference && other > before.other);
      }
      t.is(pairs.length, longest(left.map(String), right.map(String)));
    }),
  );
});

test('conversions are passed over when layers are paired', (t) => {
  const plain = chain(['RELU', 4], ['TANH', 4], ['EXP', 4]);
  const converted = chain(
    ['QUANTIZE', 4],
    ['RELU', 4],
    ['TANH', 4],
    ['DEQUANTIZE', 4],
    ['EXP', 4],
    ['QUANTIZE', 4],
  );
  t.deepEqual(alignLayers(plain, converted), [
    { reference: 0, other: 1 },
    { reference: 1, other: 2 },
    { reference: 2, other: 4 },
  ]);
});

test('working memory is the most that is alive at once', (t) => {
  const b = new ModelBuilder();
  const of = (size: number, type: TensorType = 'float32'): number => b.tensor([size], { type });
  const [input, wide, narrow, sum, output] = [of(10), of(100), of(20), of(10), of(5, 'int8')];
  b.operator('EXP', [input], [wide])
    .operator('EXP', [wide], [narrow])
    .operator('ADD', [narrow, input], [sum])
    .operator('QUANTIZE', [sum, b.control([1000], Array(1000).fill(0))], [output]);
  // The input is needed until the sum: 10 + 100 + 20 numbers of four bytes. Constants do not count.
  t.is(peakActivationBytes(b.build([input], [output])), 520);
  // As an output the widest stays until the end.
  t.is(peakActivationBytes(b.build([input], [output, wide])), 4 * (10 + 100 + 20 + 10));
});

test('a result that nobody reads is alive while it is computed', (t) => {
  const b = new ModelBuilder();
  const [input, kept, lost] = [b.tensor([4]), b.tensor([2]), b.tensor([2])];
  const axis = b.control([], [0]);
  b.operator('SPLIT', [axis, input], [kept, lost], { numSplits: 2 });
  t.is(peakActivationBytes(b.build([input], [kept])), 32);
});
