import test from 'ava';
import fc from 'fast-check';
import {
  AXES,
  BPFO_PER_TURN,
  CONDITIONS,
  type Condition,
  Machine,
  SAMPLE_RATE_HZ,
  SENSOR_RANGE_G,
  SENSOR_STEP_G,
  simulateSet,
  simulateWindow,
  WINDOW_VALUES,
} from '../../examples/motor/simulate.ts';
import { Random } from '../../src/core/index.ts';

const SPEED_HZ = 30;
const SAMPLES = 4096;
const MACHINES = 20;

/** One axis of one machine at a fixed speed. */
function record(condition: Condition, seed: number, axis: number): Float64Array {
  const machine = new Machine({ random: new Random(seed), condition, speedHz: SPEED_HZ });
  const sample = new Float32Array(AXES);
  return Float64Array.from({ length: SAMPLES }, () => {
    machine.next(sample);
    return sample[axis]!;
  });
}

/** Amplitude of one frequency under a Hann window. */
function amplitudeAt(signal: Float64Array, frequencyHz: number): number {
  const mean = signal.reduce((sum, value) => sum + value, 0) / signal.length;
  let [re, im] = [0, 0];
  signal.forEach((value, i) => {
    const weighted = (value - mean) * (1 - Math.cos((2 * Math.PI * i) / signal.length));
    const angle = (2 * Math.PI * frequencyHz * i) / SAMPLE_RATE_HZ;
    re += weighted * Math.cos(angle);
    im -= weighted * Math.sin(angle);
  });
  return (2 * Math.hypot(re, im)) / signal.length;
}

/** Squared difference of neighbours: the energy near the resonance, whose rhythm is the impacts'. */
function envelope(signal: Float64Array): Float64Array {
  return signal.map((value, i) => (i === 0 ? 0 : (value - signal[i - 1]!) ** 2));
}

function median(values: number[]): number {
  return values.sort((a, b) => a - b)[Math.floor(values.length / 2)]!;
}

function typical(measure: (seed: number) => number): number {
  return median(Array.from({ length: MACHINES }, (_, seed) => measure(seed)));
}

test('BPFO of the bearing is what its data sheet says', (t) => {
  t.true(Math.abs(BPFO_PER_TURN - 3.5848) < 5e-4);
});

test('an imbalance shakes once a turn, across the shaft', (t) => {
  const once = (condition: Condition, axis: number): number =>
    typical((seed) => amplitudeAt(record(condition, seed, axis), SPEED_HZ));
  const twice = typical((seed) => amplitudeAt(record('imbalance', seed, 0), 2 * SPEED_HZ));
  t.true(once('imbalance', 0) > 5 * once('healthy', 0));
  t.true(once('imbalance', 0) > 5 * twice);
  t.true(once('imbalance', 0) > 3 * once('imbalance', 1));
});

test('the force of an imbalance grows with the speed squared, its grade being e times omega', (t) => {
  const at = (speedHz: number): number => {
    const machine = new Machine({ random: new Random(3), condition: 'imbalance', speedHz });
    const sample = new Float32Array(AXES);
    const signal = Float64Array.from({ length: SAMPLES }, () => {
      machine.next(sample);
      return sample[0]!;
    });
    return amplitudeAt(signal, speedHz);
  };
  // The same grade at twice the speed: e halves, omega squared is four times as large.
  const ratio = at(48) / at(24);
  t.true(ratio > 1.8 && ratio < 2.2, String(ratio));
});

test('a misalignment shakes twice a turn, along the shaft', (t) => {
  const axial = (condition: Condition, frequencyHz: number): number =>
    typical((seed) => amplitudeAt(record(condition, seed, 1), frequencyHz));
  t.true(axial('misalignment', 2 * SPEED_HZ) > 5 * axial('healthy', 2 * SPEED_HZ));
  t.true(axial('misalignment', 2 * SPEED_HZ) > 2 * axial('misalignment', SPEED_HZ));
});

test('a bearing defect shows at BPFO in the envelope, and nowhere near it', (t) => {
  const bpfoHz = BPFO_PER_TURN * SPEED_HZ;
  const peak = (condition: Condition): number =>
    typical((seed) => {
      const signal = envelope(record(condition, seed, 2));
      const beside = [0.8, 0.87, 1.13, 1.2].map((ratio) => amplitudeAt(signal, ratio * bpfoHz));
      return amplitudeAt(signal, bpfoHz) / Math.max(...beside);
    });
  t.true(peak('bearing-fault') > 4, String(peak('bearing-fault')));
  t.true(peak('healthy') < 1.5, String(peak('healthy')));
});

test('gravity is on z, a little of it elsewhere', (t) => {
  const mean = (axis: number): number => {
    const signal = record('healthy', 1, axis);
    return signal.reduce((sum, value) => sum + value, 0) / signal.length;
  };
  t.true(Math.abs(Math.hypot(mean(0), mean(1), mean(2)) - 1) < 0.01);
  t.true(mean(2) > 0.95);
});

test('a seed gives the same windows, another seed others', (t) => {
  t.deepEqual(simulateSet(5, 8), simulateSet(5, 8));
  t.notDeepEqual(simulateSet(5, 8).windows, simulateSet(6, 8).windows);
  const first = simulateSet(5, 4).windows;
  t.deepEqual(simulateSet(5, 8).windows.subarray(0, first.length), first);
});

test('the windows are these on every machine', (t) => {
  // Whole sensor steps: a last bit of sin or exp hardly ever shows.
  const window = simulateWindow(new Random(1, 2), 'bearing-fault');
  const steps = Array.from(window.subarray(0, 9), (value) => value / SENSOR_STEP_G);
  t.deepEqual(steps, [-10, -26, 228, 2, -16, 240, 20, -12, 264]);
});

test('samples are whole steps of the sensor and stay in its range', (t) => {
  t.notThrows(() =>
    fc.assert(
      fc.property(fc.integer(), fc.constantFrom(...CONDITIONS), (seed, condition) => {
        const window = simulateWindow(new Random(seed), condition);
        return (
          window.length === WINDOW_VALUES &&
          window.every(
            (value) =>
              value >= -SENSOR_RANGE_G &&
              value < SENSOR_RANGE_G &&
              Number.isInteger(value / SENSOR_STEP_G),
          )
        );
      }),
      { numRuns: 100 },
    ),
  );
});

test('sets are balanced', (t) => {
  const { labels } = simulateSet(1, 40);
  for (const label of CONDITIONS.keys()) {
    t.is(labels.filter((value) => value === label).length, 10);
  }
});

test('uniform and normal numbers have their moments', (t) => {
  const random = new Random(1);
  const numbers = Array.from({ length: 20_000 }, () => random.uniform());
  const mean = numbers.reduce((sum, value) => sum + value, 0) / numbers.length;
  t.true(Math.abs(mean - 0.5) < 0.01);
  t.true(numbers.every((value) => value >= 0 && value < 1));
  const normal = Array.from({ length: 20_000 }, () => random.gaussian());
  const variance = normal.reduce((sum, value) => sum + value * value, 0) / normal.length;
  t.true(Math.abs(variance - 1) < 0.05);
});
