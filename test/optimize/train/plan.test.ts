import test from 'ava';
import {
  learningRateAt,
  prunedFrom,
  quantizedFrom,
  settledFrom,
  sparsityAt,
  type TrainingPlan,
} from '../../../src/optimize/train/plan.ts';

const PRUNED: TrainingPlan = { sparsity: 0.5, quantized: true, steps: 1000, learningRate: 0.03 };
const DENSE: TrainingPlan = { ...PRUNED, sparsity: 0 };
const steps = Array.from({ length: PRUNED.steps }, (_, step) => step);

test('sparsity rises to its target and stays there', (t) => {
  const course = steps.map((step) => sparsityAt(PRUNED, step));
  t.true(course.every((value, step) => step === 0 || value >= course[step - 1]!));
  t.is(course[500], 0.5);
  t.is(course.at(-1), 0.5);
  t.is(sparsityAt(DENSE, 999), 0);
});

test('int8 is simulated from the start where nothing is pruned, and never where it is not wanted', (t) => {
  t.is(quantizedFrom(DENSE), 0);
  t.true(quantizedFrom(PRUNED) >= prunedFrom(PRUNED));
  t.is(quantizedFrom({ ...DENSE, quantized: false }), DENSE.steps);
});

test('no run is over before its steps have become small', (t) => {
  for (const plan of [PRUNED, DENSE, { ...DENSE, quantized: false }]) {
    t.true(settledFrom(plan) >= prunedFrom(plan));
    t.true(learningRateAt(plan, settledFrom(plan)) < plan.learningRate / 5);
  }
});
