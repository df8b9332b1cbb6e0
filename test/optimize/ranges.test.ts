import test from 'ava';
import fc from 'fast-check';
import { Histogram } from '../../src/optimize/calibrate/histogram.ts';
import { chooseRange, RANGE_METHODS } from '../../src/optimize/calibrate/ranges.ts';
import {
  type Affine,
  affineOf,
  quantizeValue,
  type Range,
  rangeOf,
} from '../../src/optimize/quantize/affine.ts';
import { RandomValues } from './random-values.ts';

const finite = { noNaN: true, noDefaultInfinity: true } as const;
/** As activations are, of any magnitude, zeros and repetitions among them. */
const values = fc
  .tuple(
    fc.array(
      fc.oneof(fc.float({ ...finite, min: -4, max: 4 }), fc.constantFrom(0, -0, 1, -1, 0.5)),
      { minLength: 1, maxLength: 400 },
    ),
    fc.integer({ min: -40, max: 40 }),
  )
  .map(([list, power]) => Float32Array.from(list, (value) => value * 2 ** power));

function histogramOf(...pieces: readonly Float32Array[]): Histogram {
  const histogram = new Histogram();
  for (const piece of pieces) histogram.add(piece);
  return histogram;
}

function stateOf(histogram: Histogram): unknown {
  const { min, max, count } = histogram;
  const { centers, counts } = histogram.bins();
  // Minus zero is zero.
  return { min: min + 0, max: max + 0, count, centers: [...centers], counts: [...counts] };
}

test('a histogram holds the same whatever the order and the pieces it came in', (t) => {
  fc.assert(
    fc.property(fc.array(values, { minLength: 1, maxLength: 5 }), (pieces) => {
      const all = Float32Array.from(pieces.flatMap((piece) => [...piece]));
      const whole = stateOf(histogramOf(all));
      t.deepEqual(stateOf(histogramOf(...pieces)), whole);
      t.deepEqual(stateOf(histogramOf(...pieces.toReversed())), whole);
      t.deepEqual(stateOf(histogramOf(all.toReversed())), whole);
      const merged = new Histogram();
      for (const piece of pieces) merged.merge(histogramOf(piece));
      t.deepEqual(stateOf(merged), whole);
    }),
  );
});

test('every value of a histogram is in a bin that is close to it', (t) => {
  fc.assert(
    fc.property(values, (list) => {
      const histogram = histogramOf(list);
      const { centers, counts } = histogram.bins();
      t.is(
        counts.reduce((sum, count) => sum + count, 0),
        list.length,
      );
      t.deepEqual(
        [...centers],
        [...centers].sort((a, b) => a - b),
      );
      t.is(histogram.min + 0, Math.min(...list) + 0);
      t.is(histogram.max + 0, Math.max(...list) + 0);
      // A bin is at most a 2047th of the largest value wide.
      const width = Math.max(...list.map(Math.abs)) / 2047;
      for (const value of list) {
        const miss = Math.min(...centers.map((center) => Math.abs(center - value)));
        t.true(miss <= width / 2, `${value} is ${miss} off`);
      }
    }),
    { numRuns: 50 },
  );
});

test('what is not a number stops the count and is kept', (t) => {
  for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
    const histogram = histogramOf(Float32Array.of(1, 2), Float32Array.of(3, bad, 4));
    t.is(histogram.notFinite, bad);
    t.deepEqual([histogram.count, histogram.max], [2, 2]);
    const merged = histogramOf(Float32Array.of(1));
    merged.merge(histogram);
    t.is(merged.notFinite, bad);
  }
});

/** Sum of squared errors over the bins. */
function errorOf(histogram: Histogram, range: Range): number {
  const affine = affineOf(range);
  const { centers, counts } = histogram.bins();
  return centers.reduce((sum, center, bin) => {
    const error = real(quantizeValue(center, affine), affine) - center;
    return sum + counts[bin]! * error * error;
  }, 0);
}

const real = (q: number, { scale, zeroPoint }: Affine): number => (q - zeroPoint) * scale;

test('ranges hold zero and no more than was seen, and least squares are that', (t) => {
  fc.assert(
    fc.property(values, (list) => {
      const histogram = histogramOf(list);
      const [mse, minmax, percentile] = RANGE_METHODS.map((method) =>
        chooseRange(histogram, method),
      );
      t.is(minmax!.low + 0, Math.min(0, ...list) + 0);
      t.is(minmax!.high + 0, Math.max(0, ...list) + 0);
      for (const range of [mse!, percentile!]) {
        t.true(range.low <= 0 && range.high >= 0);
        t.true(range.low >= minmax!.low && range.high <= minmax!.high);
      }
      if (minmax!.low === minmax!.high) return;
      const [chosen, plain] = [errorOf(histogram, mse!), errorOf(histogram, minmax!)];
      t.true(chosen <= plain * (1 + 1e-9));
    }),
  );
  // Two values far out are worth clipping for the sake of hundreds of thousands.
  const far = [...new RandomValues(1).normals(400_000, 1), 8, -8];
  const histogram = histogramOf(Float32Array.from(far));
  const [mse, minmax] = (['mse', 'minmax'] as const).map((method) =>
    errorOf(histogram, chooseRange(histogram, method)),
  );
  t.true(mse! < 0.7 * minmax!);
});

test('percentile leaves a ten-thousandth out at each end', (t) => {
  const list = Float32Array.from({ length: 30_000 }, (_, index) => (index % 2 ? 1 : -1));
  // A third of all the energy: what a sensor got wrong weighs the most, and must not set the steps.
  list.set([100, 90, -80]);
  const range = chooseRange(histogramOf(list), 'percentile');
  t.true(range.high < 1.1 && range.low > -1.1, JSON.stringify(range));
  list.set([100, 100, 100, 100, 100], 10);
  t.true(chooseRange(histogramOf(list), 'percentile').high > 50);
});

test('nothing but zeros has an empty range', (t) => {
  for (const method of RANGE_METHODS) {
    t.deepEqual(chooseRange(new Histogram(), method), { low: 0, high: 0 });
    t.deepEqual(chooseRange(histogramOf(new Float32Array(8)), method), { low: 0, high: 0 });
  }
});

const range = fc
  .tuple(fc.float({ ...finite, min: -4, max: 4 }), fc.float({ ...finite, min: -4, max: 4 }))
  .chain(([a, b]) =>
    fc.integer({ min: -40, max: 60 }).map((power) => {
      const [low, high] = [Math.min(a, b) * 2 ** power, Math.max(a, b) * 2 ** power];
      return { low, high };
    }),
  );

test('scale and zero point cover a range, and say zero exactly', (t) => {
  fc.assert(
    fc.property(range, fc.double({ ...finite, min: 0, max: 1 }), ({ low, high }, share) => {
      const affine = affineOf({ low, high });
      t.is(affine.scale, Math.fround(affine.scale));
      t.true(affine.scale > 0);
      t.true(Number.isInteger(affine.zeroPoint));
      t.true(affine.zeroPoint >= -128 && affine.zeroPoint <= 127);
      t.is(real(quantizeValue(0, affine), affine), 0);
      const covered = rangeOf(affine);
      // The zero point is rounded: half a step may be missing at an end.
      const slack = affine.scale * 0.501;
      t.true(covered.low <= Math.min(low, 0) + slack);
      t.true(covered.high >= Math.max(high, 0) - slack);
      const value = low + share * (high - low);
      const miss = Math.abs(real(quantizeValue(value, affine), affine) - value);
      t.true(miss <= affine.scale * 1.01, `${value} is ${miss / affine.scale} steps off`);
    }),
  );
});

test('what is beyond a range becomes its end', (t) => {
  const affine = affineOf({ low: -1, high: 1 });
  t.is(quantizeValue(1e9, affine), 127);
  t.is(quantizeValue(-1e9, affine), -128);
});
