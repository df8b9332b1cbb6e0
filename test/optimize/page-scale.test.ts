import test from 'ava';
import fc from 'fast-check';
import {
  linearScale,
  logScale,
  magnitudeScale,
  niceStep,
  type Scale,
} from '../../src/optimize/page/scale.ts';

const RANGE = [0, 100] as const;
const value = fc.double({ min: -1e15, max: 1e15, noNaN: true });
const positive = fc.double({ min: 1e-9, max: 1e15, noNaN: true });
const tickCount = fc.integer({ min: 2, max: 12 });
const sorted = (a: number, b: number): [number, number] => [Math.min(a, b), Math.max(a, b)];

/** 1, 2 or 5 times a power of ten. */
function isNice(step: number): boolean {
  const digits = step.toExponential(9).split('e')[0]!;
  return [1, 2, 5].includes(Number(digits));
}

function isAscending(values: readonly number[]): boolean {
  return values.every((tick, index) => index === 0 || tick > values[index - 1]!);
}

function coversAndOrders(scale: Scale, low: number, high: number): boolean {
  const slack = (scale.high - scale.low) * 1e-9;
  return (
    scale.low <= low + slack &&
    scale.high >= high - slack &&
    scale.ticks.length >= 2 &&
    isAscending(scale.ticks) &&
    scale.ticks.every((tick) => tick >= scale.low - slack && tick <= scale.high + slack)
  );
}

test('a nice step is 1, 2 or 5 times a power of ten, about as many as asked for', (t) => {
  fc.assert(
    fc.property(positive, tickCount, (span, wanted) => {
      const step = niceStep(span, wanted);
      const steps = span / step;
      return isNice(step) && steps > wanted / 2 && steps < wanted * 2;
    }),
  );
  t.is(niceStep(10, 5), 2);
});

test('a linear scale covers its values with round ticks in order', (t) => {
  fc.assert(
    fc.property(value, value, tickCount, (a, b, wanted) => {
      const [low, high] = sorted(a, b);
      const scale = linearScale({ low, high, range: RANGE, tickCount: wanted });
      return coversAndOrders(scale, low, high) && scale.ticks.length <= wanted * 2 + 3;
    }),
  );
  const scale = linearScale({ low: 0.3, high: 9.2, range: RANGE, tickCount: 5 });
  t.deepEqual([scale.low, ...scale.ticks, scale.high], [0, 0, 2, 4, 6, 8, 10, 10]);
});

test('a linear scale is linear, both ways round', (t) => {
  const share = fc.double({ min: 0, max: 1, noNaN: true });
  fc.assert(
    fc.property(value, value, share, fc.boolean(), (a, b, part, isReversed) => {
      const [low, high] = sorted(a, b);
      const range: readonly [number, number] = isReversed ? [280, 0] : RANGE;
      const scale = linearScale({ low, high, range, tickCount: 5 });
      const at = scale.low + part * (scale.high - scale.low);
      const expected = range[0] + part * (range[1] - range[0]);
      return Math.abs(scale.position(at) - expected) < 1e-6 * Math.abs(range[1] - range[0]);
    }),
  );
  t.pass();
});

test('exact ends stay, and whole numbers get whole ticks', (t) => {
  fc.assert(
    fc.property(fc.nat(5000), fc.nat(5000), (a, b) => {
      const [first, last] = sorted(a, b);
      const scale = linearScale({
        low: first - 0.5,
        high: last + 0.5,
        range: RANGE,
        tickCount: 6,
        exactEnds: true,
        minStep: 1,
      });
      return (
        scale.low === first - 0.5 &&
        scale.high === last + 0.5 &&
        scale.ticks.length >= 1 &&
        scale.ticks.every((tick) => Number.isInteger(tick) && tick >= first && tick <= last)
      );
    }),
  );
  t.pass();
});

test('a log scale covers its values; equal ratios are equally far apart', (t) => {
  fc.assert(
    fc.property(positive, positive, tickCount, (a, b, wanted) => {
      const [low, high] = sorted(a, b);
      const scale = logScale({ low, high, range: RANGE, tickCount: wanted });
      const middle = Math.sqrt(scale.low) * Math.sqrt(scale.high);
      return (
        coversAndOrders(scale, low, high) &&
        scale.ticks.every(isNice) &&
        scale.ticks.length <= wanted + 3 &&
        Math.abs(scale.position(middle) - 50) < 1e-6
      );
    }),
  );
  const scale = logScale({ low: 3, high: 700, range: RANGE, tickCount: 4 });
  t.deepEqual([scale.low, ...scale.ticks, scale.high], [2, 10, 100, 1000, 1000]);
});

test('positions never leave the range, whatever comes', (t) => {
  const any = fc.double({ noNaN: true });
  fc.assert(
    fc.property(any, any, any, (a, b, at) => {
      const [low, high] = sorted(a, b);
      const scales = [
        linearScale({ low, high, range: RANGE, tickCount: 5 }),
        magnitudeScale([a, b], RANGE, 5),
      ];
      return scales.every((scale) => {
        const position = scale.position(at);
        return position >= 0 && position <= 100 && scale.ticks.length < 60;
      });
    }),
  );
  t.pass();
});

test('sizes start at zero until they are far apart', (t) => {
  const near = magnitudeScale([25, 100], RANGE, 4);
  t.deepEqual([near.kind, near.low, near.high], ['linear', 0, 100]);
  t.is(near.position(25), 25);
  const far = magnitudeScale([10, 1000], RANGE, 4);
  t.deepEqual([far.kind, far.position(10)], ['log', 0]);
  t.true(Math.abs(far.position(100) - 50) < 1e-9);
  t.is(magnitudeScale([], RANGE, 4).high, 1);
  t.is(magnitudeScale([0], RANGE, 4).position(0), 0);
});
