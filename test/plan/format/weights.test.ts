import test from 'ava';
import fc from 'fast-check';
import { weightsProblem } from '../../../src/plan/format/weights.ts';
import {
  type PlanLayout,
  packDense,
  packPairs,
  packRuns,
  unpackWeights,
} from '../../../src/plan/index.ts';

const RUNS = { numRuns: 500 };

interface Rows {
  readonly outC: number;
  readonly taps: number;
  readonly values: Int8Array;
}

/** Weights of which more or fewer are zero, extremes among them. */
const rows: fc.Arbitrary<Rows> = fc
  .record({
    outC: fc.integer({ min: 1, max: 7 }),
    taps: fc.integer({ min: 1, max: 70 }),
    zeros: fc.integer({ min: 0, max: 40 }),
  })
  .chain(({ outC, taps, zeros }) =>
    fc
      .array(
        fc.oneof(
          { weight: 1, arbitrary: fc.constantFrom(-128, -127, -1, 127) },
          { weight: 3, arbitrary: fc.integer({ min: -128, max: 127 }) },
          { weight: zeros, arbitrary: fc.constant(0) },
        ),
        { minLength: outC * taps, maxLength: outC * taps, size: 'max' },
      )
      .map((values) => ({ outC, taps, values: Int8Array.from(values) })),
  );

const bytesOf = (...values: readonly number[]): number[] => values.map((value) => value & 0xff);

for (const [layout, pack] of [
  ['DENSE', packDense],
  ['PAIRS', packPairs],
  ['RUNS', packRuns],
] as const) {
  test(`${layout}: what is packed comes out again`, (t) => {
    fc.assert(
      fc.property(rows, ({ outC, taps, values }) => {
        const packed = pack(values, outC, taps);
        if (packed === undefined) return;
        t.is(weightsProblem(layout, packed, outC, taps), undefined);
        t.deepEqual(unpackWeights(layout, packed, outC, taps), values);
        // Wherever the bytes lie.
        const moved = new Uint8Array(packed.length + 1);
        moved.set(packed, 1);
        t.deepEqual(unpackWeights(layout, moved.subarray(1), outC, taps), values);
      }),
      RUNS,
    );
  });
}

test('PAIRS is 256 H + L in lanes of the taps 0, 2, 1, 3', (t) => {
  const low = [1, 2, 3, 4, 5];
  const high = [-1, 10, 0, 127, -128];
  const packed = packPairs(Int8Array.from([...low, ...high, ...low]), 3, 5);
  const lanes = [-256 + 1, 3, 2560 + 2, 32512 + 4, -32768 + 5, 0, 0, 0, 1, 3, 2, 4, 5, 0, 0, 0];
  t.deepEqual([...new Int16Array(packed!.buffer)], lanes);
});

test('PAIRS is refused exactly where a lane does not fit', (t) => {
  fc.assert(
    fc.property(rows, ({ outC, taps, values }) => {
      const isTooLow = (value: number, index: number): boolean =>
        value < 0 &&
        Math.floor(index / taps) % 2 === 0 &&
        index + taps < values.length &&
        values[index + taps] === -128;
      t.is(packPairs(values, outC, taps) === undefined, values.some(isTooLow));
    }),
    RUNS,
  );
});

test('RUNS: gaps and weights in groups, fillers in long gaps, none for a row of zeros', (t) => {
  const row = new Int8Array(40);
  for (const [tap, weight] of [
    [0, 5],
    [16, -6],
    [17, 7],
    [39, -128],
  ] as const) {
    row[tap] = weight;
  }
  const rowsOfThree = Int8Array.from([...row, ...new Int8Array(40), ...new Int8Array(39), 9]);
  t.deepEqual(
    [...packRuns(rowsOfThree, 3, 40)!],
    bytesOf(
      ...[2, 0, 0, 0, 1, 0, 0, 0],
      // 0:5, 15:0, 1:-6, 1:7 | 15:0, 7:-128 and two fillers | 15:0, 15:0, 9:9 and a filler.
      ...[0xf0, 0x11, 0x7f, 0x00, 0xff, 0x09, 0, 0],
      ...[5, 0, -6, 7, 0, -128, 0, 0, 0, 0, 9, 0],
    ),
  );
});

test('an all-zero layer is nothing but counts', (t) => {
  t.deepEqual([...packRuns(new Int8Array(30), 3, 10)!], [0, 0, 0, 0, 0, 0, 0, 0]);
});

test('a row of more groups than 16 bits count is refused', (t) => {
  t.is(packRuns(new Int8Array(4 * 65_536).fill(1), 1, 4 * 65_536), undefined);
  t.not(packRuns(new Int8Array(4 * 65_535).fill(1), 1, 4 * 65_535), undefined);
});

const problems: readonly [string, PlanLayout, number[], number, number, RegExp][] = [
  ['DENSE of another size', 'DENSE', [1, 2, 3], 2, 2, /3 bytes; they take 4/],
  ['PAIRS of another size', 'PAIRS', [1, 2], 1, 1, /2 bytes; they take 8/],
  ['a tap past the last', 'PAIRS', [1, 0, 0, 0, 0, 0, 1, 0], 1, 1, /lane 3 is past/],
  ['a row past the last', 'PAIRS', [1, 1, 0, 0, 0, 0, 0, 0], 1, 1, /lane 0 is past/],
  ['a weight of 128', 'PAIRS', [0xff, 0x7f, 0, 0, 0, 0, 0, 0], 2, 1, /weight of 128/],
  ['no room for counts', 'RUNS', [0, 0], 2, 1, /2 bytes for 2 rows/],
  ['fewer groups than counted', 'RUNS', [1, 0, 0, 0], 1, 9, /4 bytes; they take 12/],
  ['counts without padding', 'RUNS', [0, 0, 1, 0], 1, 9, /padding/],
  ['gaps without padding', 'RUNS', [1, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0], 1, 9, /padding/],
  ['a run past the row', 'RUNS', [1, 0, 0, 0, 9, 0, 0, 0, 1, 0, 0, 0], 1, 9, /tap 9 of 9/],
  ['a tap twice', 'RUNS', [1, 0, 0, 0, 1, 0, 0, 0, 1, 1, 0, 0], 1, 9, /two weights on tap 1/],
];

for (const [name, layout, bytes, outC, taps, message] of problems) {
  test(`refused: ${name}`, (t) => {
    t.regex(weightsProblem(layout, Uint8Array.from(bytes), outC, taps) ?? 'nothing', message);
  });
}
