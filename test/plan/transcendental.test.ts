import test from 'ava';
import fc from 'fast-check';
import {
  expOnNegative,
  logisticFixed,
  oneOverOnePlus,
  reciprocal,
  tanhFixed,
} from '../../src/plan/reference/transcendental.ts';
import { fnv1a, lcg } from './lcg.ts';

const POINTS = 100_000;
const Q0 = 2 ** 31;
const argument = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
const negative = fc.integer({ min: -(2 ** 31) + 1, max: 0 });

/** FNV-1a over the int32 results (little-endian) for 100,000 numbers of the generator from 12345. */
function checksum(f: (random: number) => number): string {
  const next = lcg(12345);
  const results = Int32Array.from({ length: POINTS }, () => f(next()));
  return fnv1a([new Uint8Array(results.buffer)]);
}

/** Checksums of google/gemmlowp at 16e8662c, fixedpoint/fixedpoint.h, compiled by GCC 12. */
for (const [name, f, expected] of [
  ['exp of 4 integer bits', (r: number) => expOnNegative(-(r >>> 1), 4), 'bb21659b'],
  ['exp of 5 integer bits', (r: number) => expOnNegative(-(r >>> 1), 5), '927b2ff5'],
  ['the logistic function', (r: number) => logisticFixed(r | 0, 4), 'ab6a9b50'],
  ['tanh', (r: number) => tanhFixed(r | 0, 4), 'f05a83b7'],
  ['1 / (1 + x)', (r: number) => oneOverOnePlus(r >>> 1), '9b897edd'],
] as const) {
  test(`${name} has gemmlowp's bits`, (t) => t.is(checksum(f), expected));
}

test('the functions are near the real ones', (t) => {
  fc.assert(
    fc.property(negative, (a) => {
      return Math.abs(expOnNegative(a, 5) / Q0 - Math.exp(a / 2 ** 26)) < 1e-6;
    }),
  );
  fc.assert(
    fc.property(argument, (a) => {
      const x = a / 2 ** 27;
      const logistic = Math.abs(logisticFixed(a, 4) / Q0 - 1 / (1 + Math.exp(-x)));
      return logistic < 1e-6 && Math.abs(tanhFixed(a, 4) / Q0 - Math.tanh(x)) < 1e-6;
    }),
  );
  t.pass();
});

test('a reciprocal is near the real one over its whole range', (t) => {
  fc.assert(
    fc.property(fc.integer({ min: 2 ** 19, max: 2 ** 31 - 1 }), (x) => {
      const { value, bitsOverUnit } = reciprocal(x, 12);
      const real = 1 / (x / 2 ** 19);
      return Math.abs(value / Q0 / 2 ** bitsOverUnit / real - 1) < 1e-6;
    }),
  );
  t.pass();
});
