import test from 'ava';
import fc from 'fast-check';
import { decodePlan, encodePlan, type PlanContents, planOracle } from '../../../src/plan/index.ts';
import { seed } from '../arbitraries.ts';
import { KINDS, PlanMemoryBuilder, Random, randomStep } from '../random-plan.ts';
import { exactStep, exposed, outputPlaces, realSoftmax, valuesAt } from './exact-steps.ts';

const RUNS = { numRuns: 300 };
/** Rounding of a softmax's steps, and of its exps. */
const SOFTMAX_STEP = 0.6;

const run = (plan: PlanContents, arena: Int8Array): Int8Array =>
  planOracle(decodePlan(encodePlan(exposed(plan)), 'random.plan')).run([arena])[0]!;

for (const kind of KINDS) {
  test(`${kind} writes what it has to, and nothing else but its scratch`, (t) => {
    fc.assert(
      fc.property(seed, (start) => {
        const random = new Random(start);
        const memory = new PlanMemoryBuilder();
        const step = randomStep(kind, random, memory);
        const plan = memory.plan([step], [], []);
        const before = random.int8s(plan.arenaBytes);
        const after = run(plan, before);
        if (step.kind === 'SOFTMAX') {
          const { input, output, rows, depth } = step;
          const all = valuesAt({ arena: before, constants: plan.constants }, input);
          for (let row = 0; row < rows; row++) {
            const values = [...all.subarray(row * depth, (row + 1) * depth)];
            const real = realSoftmax(values, step.multiplier, step.shift);
            for (const [index, value] of real.entries()) {
              const found = after[output + row * depth + index]!;
              t.true(Math.abs(found - value) <= SOFTMAX_STEP, `${found} is not ${value}`);
            }
          }
          return;
        }
        const expected = before.slice();
        const written = exactStep(step, { arena: before, constants: plan.constants })!;
        for (const [index, place] of outputPlaces(step, written.length).entries()) {
          expected[place] = written[index]!;
        }
        // The scratch is the last place of a window step.
        const end = 'scratch' in step ? step.scratch : before.length;
        t.deepEqual(after.subarray(0, end), expected.subarray(0, end));
      }),
      RUNS,
    );
  });
}
