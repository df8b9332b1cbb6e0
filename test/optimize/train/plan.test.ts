import test from 'ava';
import fc from 'fast-check';
import { MAX_TRAINING_STEPS } from '../../../src/optimize/index.ts';
import {
  BATCH_SAMPLES,
  learningRateAt,
  prunedFrom,
  quantizedFrom,
  SHARD_SAMPLES,
  SHARDS,
  settledFrom,
  sparsityAt,
  type TrainingPlan,
} from '../../../src/optimize/train/plan.ts';

const plans: fc.Arbitrary<TrainingPlan> = fc.record({
  sparsity: fc.oneof(fc.constant(0), fc.double({ min: 0.01, max: 0.98, noNaN: true })),
  quantized: fc.boolean(),
  steps: fc.oneof(
    fc.integer({ min: 1, max: 12 }),
    fc.integer({ min: 1, max: 5000 }),
    fc.constant(MAX_TRAINING_STEPS),
  ),
  learningRate: fc.double({ min: 1e-6, max: 1, noNaN: true }),
});

/** A few steps of a plan, both ends among them. */
const stepsOf = ({ steps }: TrainingPlan): number[] => {
  const some = Array.from({ length: 60 }, (_, at) => Math.floor((at * (steps - 1)) / 59));
  return [...new Set(some)];
};

test('sparsity rises to the very share that was asked for, while weights may still be chosen', (t) => {
  fc.assert(
    fc.property(plans, (plan) => {
      const found = stepsOf(plan).map((step) => sparsityAt(plan, step));
      t.true(found.every((share, at) => share >= (found[at - 1] ?? 0) && share <= plan.sparsity));
      // `prunedFrom` is the last step that chooses, or there is none after the last.
      const last = Math.min(plan.steps - 1, prunedFrom(plan));
      t.is(sparsityAt(plan, last), plan.sparsity);
      // The second half of the choosing is with all of it gone already.
      if (plan.steps >= 8) t.is(sparsityAt(plan, Math.ceil(0.5 * plan.steps)), plan.sparsity);
    }),
  );
});

test('int8 is simulated for the last steps of every plan that asks for it, and of no other', (t) => {
  fc.assert(
    fc.property(plans, (plan) => {
      const from = quantizedFrom(plan);
      t.true(Number.isInteger(from) && Number.isInteger(prunedFrom(plan)));
      t.is(from < plan.steps, plan.quantized);
      if (plan.quantized && plan.sparsity === 0) t.is(from, 0);
      // Weights are pruned before they are rounded.
      if (plan.quantized) t.is(sparsityAt(plan, from), plan.sparsity);
    }),
  );
});

test('the rate rises shortly, falls to nothing, and is never more than was asked for', (t) => {
  fc.assert(
    fc.property(plans, (plan) => {
      const rates = stepsOf(plan).map((step) => learningRateAt(plan, step));
      t.true(rates.every((rate) => rate > 0 && rate <= plan.learningRate));
      if (plan.steps < 1000) return;
      t.true(learningRateAt(plan, 0) < 0.05 * plan.learningRate);
      t.true(Math.max(...rates) > 0.9 * plan.learningRate);
      t.true(learningRateAt(plan, plan.steps - 1) < 1e-3 * plan.learningRate);
      const late = stepsOf(plan).filter((step) => step > 60);
      t.true(
        late.every((step, at) => {
          const before = late[at - 1];
          return before === undefined || learningRateAt(plan, step) < learningRateAt(plan, before);
        }),
      );
    }),
  );
});

test('a batch is its shards', (t) => {
  t.is(BATCH_SAMPLES, SHARDS * SHARD_SAMPLES);
});

const PRUNED: TrainingPlan = { sparsity: 0.5, quantized: true, steps: 1000, learningRate: 0.03 };
const DENSE: TrainingPlan = { ...PRUNED, sparsity: 0 };

test('no run is over before its steps have become small', (t) => {
  for (const plan of [PRUNED, DENSE, { ...DENSE, quantized: false }]) {
    t.true(settledFrom(plan) >= prunedFrom(plan));
    t.true(learningRateAt(plan, settledFrom(plan)) < plan.learningRate / 5);
  }
});
