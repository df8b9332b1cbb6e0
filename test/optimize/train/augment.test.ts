import test from 'ava';
import { Random } from '../../../src/core/index.ts';
import type { Samples } from '../../../src/optimize/measure/sample-runs.ts';
import { Augmenter } from '../../../src/optimize/train/augment.ts';
import { RandomValues } from '../random-values.ts';

function samplesOf(sets: readonly (readonly Float32Array[])[]): Samples {
  return { count: sets.length, at: (index) => sets[index]! };
}

const DRAWS = 400;

test('the same seed draws the same, another one another; what is drawn are numbers', (t) => {
  const random = new RandomValues(1);
  const samples = samplesOf(
    Array.from({ length: 20 }, () => [
      Float32Array.from(random.normals(24, 1)),
      Float32Array.from(random.normals(5, 3)),
    ]),
  );
  const shapes = [
    [1, 4, 3, 2],
    [1, 5],
  ];
  const draw = (seed: number, augmenter = new Augmenter(samples, shapes, true)) => {
    const targets = [new Float32Array(24).fill(9), new Float32Array(5).fill(9)];
    const { index, keepsLabel } = augmenter.draw(new Random(seed, 2, 3), targets);
    return { index, keepsLabel, values: targets.map((target) => [...target]) };
  };
  const used = new Augmenter(samples, shapes, true);
  const before = structuredClone(Array.from({ length: 20 }, (_, at) => samples.at(at)));
  for (let seed = 0; seed < 50; seed++) {
    // What an augmenter drew before leaves nothing behind in it.
    t.deepEqual(draw(seed), draw(seed, used));
    t.true(draw(seed).values.flat().every(Number.isFinite));
  }
  t.notDeepEqual(draw(1), draw(2));
  t.deepEqual(
    Array.from({ length: 20 }, (_, at) => samples.at(at)),
    before,
    'samples stay as they are',
  );
});

/** Samples of which each is one number everywhere: there is no noise then, and shifts do not show. */
const LEVELS = [1, 10, 100];
const levels = (size: number): Samples =>
  samplesOf(LEVELS.map((level) => [new Float32Array(size).fill(level)]));

test('a sample that is mixed with another loses its label; at least half of it is its own', (t) => {
  const augmenter = new Augmenter(levels(1), [[1, 1]], true);
  const target = new Float32Array(1);
  // No place is alike over samples, so there is noise: a seventh of what levels differ by at the most.
  let kept = 0;
  const counts = [0, 0, 0];
  for (let seed = 0; seed < DRAWS; seed++) {
    const { index, keepsLabel } = augmenter.draw(new Random(seed), [target]);
    counts[index]! += 1;
    if (keepsLabel) kept += 1;
  }
  t.true(kept > 0.4 * DRAWS && kept < 0.6 * DRAWS, `${kept}`);
  t.true(counts.every((count) => count > DRAWS / 5));
});

test('mixing is with another sample, by less than half, and gains are small', (t) => {
  // The same number at the same place of every sample but for a mark: deviations are zero there.
  const size = 4;
  const sets = [0, 1].map((sample) => {
    const values = new Float32Array(size).fill(8);
    values[size - 1] = sample;
    return [values];
  });
  const augmenter = new Augmenter(samplesOf(sets), [[1, size]], true);
  const target = new Float32Array(size);
  for (let seed = 0; seed < DRAWS; seed++) {
    augmenter.draw(new Random(seed), [target]);
    // 8 mixed with 8 is 8: what differs is the gain.
    const gain = target[0]! / 8;
    t.true(gain >= 0.85 && gain <= 1.15, `${gain}`);
    t.is(target[1], target[0]);
  }
});

test('images and series move by whole rows, what is at the edge coming again; vectors never do', (t) => {
  const [rows, width] = [20, 3];
  const image = Float32Array.from({ length: rows * width }, (_, at) => Math.floor(at / width) + 1);
  const still = samplesOf([[image, Float32Array.from({ length: 20 }, (_, at) => at + 1)]]);
  const augmenter = new Augmenter(
    still,
    [
      [1, rows, width, 1],
      [1, 20],
    ],
    true,
  );
  const targets = [new Float32Array(rows * width), new Float32Array(20)];
  const shifts = new Set<number>();
  for (let seed = 0; seed < DRAWS; seed++) {
    augmenter.draw(new Random(seed), targets);
    const [series, vector] = targets as [Float32Array, Float32Array];
    // A vector of one sample has no deviation: only its gain is another.
    const gain = vector[9]! / 10;
    t.true(vector.every((value, at) => Math.abs(value - gain * (at + 1)) < 1e-4));
    if (seed > 0) continue;
    t.is(series.length, rows * width);
  }
  // Rows of one value, so that noise is the only thing beside shift and gain; noise is taken off by averaging.
  for (let seed = 0; seed < 40; seed++) {
    const quiet = new Augmenter(
      samplesOf([[Float32Array.from({ length: 20 }, (_, at) => (at < 10 ? 0 : 1e6)), image]]),
      [
        [1, 20, 1],
        [1, rows, width, 1],
      ],
      true,
    );
    const series = new Float32Array(20);
    quiet.draw(new Random(seed), [series, new Float32Array(rows * width)]);
    // Noise is at most 0.3 deviations of 0.5e6 a place, four deviations of it less than half a step mostly.
    const high = series.filter((value) => value > 0.5e6).length;
    shifts.add(10 - high);
  }
  t.true(
    [...shifts].every((shift) => Math.abs(shift) <= 6),
    [...shifts].join(),
  );
  t.true(shifts.size >= 4, [...shifts].join());
});
