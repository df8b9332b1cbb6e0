import test from 'ava';
import fc from 'fast-check';
import { fromFloat16Bits, toFloat16Bits } from '../../src/optimize/quantize/float16.ts';

const PATTERNS = 65_536;
const SIGN = 0x8000;
const INFINITY = 0x7c00;

test('every bit pattern is the number that IEEE 754 says', (t) => {
  t.is(fromFloat16Bits(0x3c00), 1);
  t.is(fromFloat16Bits(0xc000), -2);
  t.is(fromFloat16Bits(0x7bff), 65_504);
  t.is(fromFloat16Bits(0x0400), 2 ** -14);
  t.is(fromFloat16Bits(0x0001), 2 ** -24);
  t.is(fromFloat16Bits(0x03ff), 1023 * 2 ** -24);
  t.is(fromFloat16Bits(0x3555), 1365 / 4096);
  t.is(fromFloat16Bits(INFINITY), Number.POSITIVE_INFINITY);
  t.is(fromFloat16Bits(SIGN | INFINITY), Number.NEGATIVE_INFINITY);
  t.true(Object.is(fromFloat16Bits(SIGN), -0));
});

test('every bit pattern comes back as it was', (t) => {
  const wrong: number[] = [];
  for (let bits = 0; bits < PATTERNS; bits++) {
    const value = fromFloat16Bits(bits);
    const back = toFloat16Bits(value);
    const holds = Number.isNaN(value) ? Number.isNaN(fromFloat16Bits(back)) : back === bits;
    if (!holds) wrong.push(bits);
  }
  t.deepEqual(wrong, []);
});

/** The nearest of the finite numbers, by looking at all of them; between two, the one whose last bit is 0. */
function nearest(value: number): number {
  const magnitude = Math.abs(value);
  let [low, high] = [0, INFINITY - 1];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (fromFloat16Bits(middle) <= magnitude) low = middle;
    else high = middle - 1;
  }
  // What would follow the largest finite number decides where infinity begins.
  const above = low === INFINITY - 1 ? 65_536 : fromFloat16Bits(low + 1);
  const [down, up] = [magnitude - fromFloat16Bits(low), above - magnitude];
  const bits = down < up || (down === up && low % 2 === 0) ? low : low + 1;
  return value < 0 || Object.is(value, -0) ? SIGN | bits : bits;
}

test('any number becomes the nearest, halves the even one', (t) => {
  const float = fc.float({ noNaN: true, noDefaultInfinity: true });
  const near = fc
    .tuple(fc.integer({ min: 0, max: INFINITY - 1 }), fc.constantFrom(0.25, 0.5, 0.75))
    .map(([bits, share]) => {
      const [low, high] = [fromFloat16Bits(bits), fromFloat16Bits(bits + 1)];
      return bits === INFINITY - 1 ? 65_504 + 32 * share : low + (high - low) * share;
    });
  const moderate = fc.double({ noNaN: true, min: -70_000, max: 70_000 });
  fc.assert(
    fc.property(fc.oneof(float, near, moderate), fc.boolean(), (magnitude, negative) => {
      const value = negative ? -magnitude : magnitude;
      t.is(toFloat16Bits(value), nearest(value), String(value));
    }),
    { numRuns: 5000 },
  );
});

test('halves between neighbours go to the even one at every exponent', (t) => {
  for (let bits = 0; bits < INFINITY - 1; bits++) {
    const half = (fromFloat16Bits(bits) + fromFloat16Bits(bits + 1)) / 2;
    if (toFloat16Bits(half) !== bits + (bits % 2)) t.fail(`half past ${bits}`);
  }
  t.is(toFloat16Bits(65_519.99), INFINITY - 1);
  t.is(toFloat16Bits(65_520), INFINITY);
  t.is(toFloat16Bits(-1e30), SIGN | INFINITY);
});
