import test from 'ava';
import fc from 'fast-check';
import {
  doublingHighMultiply,
  INT32_MAX,
  INT32_MIN,
  inputRadius,
  multiplyByMultiplier,
  quantizeMultiplier,
  roundHalfAway,
  roundingDivideByPowerOfTwo,
} from '../../src/plan/reference/fixed-point.ts';
import { exactDivide, exactHighMultiply, exactMultiplier, exactMultiply } from './exact.ts';

const RUNS = { numRuns: 5000 };
/** Any int32, its ends and the halves at which rounding turns more often than chance has them. */
const int32 = fc.oneof(
  fc.integer({ min: INT32_MIN, max: INT32_MAX }),
  fc.constantFrom(INT32_MIN, INT32_MIN + 1, -1, 0, 1, INT32_MAX - 1, INT32_MAX),
  fc
    .tuple(fc.integer({ min: 0, max: 30 }), fc.integer({ min: -3, max: 3 }), fc.boolean())
    .map(([bit, near, negative]) => ((negative ? -(2 ** bit) : 2 ** bit) + near) | 0),
);
const multiplierValue = fc.integer({ min: 2 ** 30, max: INT32_MAX });

test('products of two int32 keep their upper half exactly', (t) => {
  fc.assert(
    fc.property(int32, int32, (a, b) => {
      return doublingHighMultiply(a, b) === Number(exactHighMultiply(BigInt(a), BigInt(b)));
    }),
    RUNS,
  );
  t.is(doublingHighMultiply(INT32_MIN, INT32_MIN), INT32_MAX);
  t.is(doublingHighMultiply(1, 2 ** 30), 1);
  t.is(doublingHighMultiply(-1, 2 ** 30), 0);
});

test('division by a power of two rounds halves away from zero', (t) => {
  fc.assert(
    fc.property(int32, fc.integer({ min: 0, max: 31 }), (x, exponent) => {
      return roundingDivideByPowerOfTwo(x, exponent) === Number(exactDivide(BigInt(x), exponent));
    }),
    RUNS,
  );
  t.is(roundingDivideByPowerOfTwo(-3, 1), -2);
  t.is(roundingDivideByPowerOfTwo(3, 1), 2);
});

test('scaling by a multiplier is the exact one, left shifts that wrap included', (t) => {
  fc.assert(
    fc.property(
      int32,
      multiplierValue,
      fc.integer({ min: -31, max: 30 }),
      (x, value, shift) =>
        multiplyByMultiplier(x, value, shift) ===
        Number(exactMultiply(BigInt(x), { value: BigInt(value), shift })),
    ),
    RUNS,
  );
  t.pass();
});

test('a real factor becomes the nearest multiplier of 31 bits', (t) => {
  const factor = fc.oneof(
    fc.double({ min: 2 ** -60, max: 2 ** 20, noNaN: true }),
    fc
      .tuple(fc.integer({ min: -40, max: 16 }), fc.integer({ min: -4, max: 4 }))
      .map(([exponent, near]) => 2 ** exponent * (1 + near * 2 ** -33)),
  );
  fc.assert(
    fc.property(factor, (real) => {
      const { value, shift } = quantizeMultiplier(real);
      const exact = exactMultiplier(real);
      return BigInt(value) === exact.value && shift === exact.shift;
    }),
    RUNS,
  );
  t.deepEqual(quantizeMultiplier(0), { value: 0, shift: 0 });
  t.deepEqual(quantizeMultiplier(1), { value: 2 ** 30, shift: 1 });
  t.deepEqual(quantizeMultiplier(1 - 2 ** -40), { value: 2 ** 30, shift: 1 });
  t.deepEqual(quantizeMultiplier(2 ** -33), { value: 0, shift: 0 });
});

test('halves round away from zero, and what lies just below a half does not', (t) => {
  t.deepEqual([0.5, -0.5, 1.5, -2.5, 2.4999, -0.4999].map(roundHalfAway), [1, -1, 2, -3, 2, -0]);
  t.is(roundHalfAway(0.49999999999999994), 0);
});

test('the radius of an input is the largest that fits', (t) => {
  t.is(inputRadius(5, 23), 248);
  t.is(inputRadius(4, 24), 120);
  t.is(inputRadius(5, 31), 0);
});
