import test, { type ExecutionContext } from 'ava';
import fc from 'fast-check';
import { seed } from '../arbitraries.ts';
import {
  buildModel,
  compileCase,
  flat,
  PLAN_TARGETS,
  type RandomModel,
  randomModel,
} from '../compile/random-model.ts';
import { buildFirmware, inQemu, onHost, type RunPlan } from './firmware.ts';

test.before(async () => {
  await buildFirmware();
});

const SAMPLES = 2;
const HOST_GRAPHS = 50;
const QEMU_GRAPHS = 6;

/** Many small graphs in one model, so that a machine starts for all of them once. */
const manyGraphs: fc.Arbitrary<RandomModel> = fc.record({
  seed,
  steps: fc.integer({ min: 5, max: 9 }),
  inputs: fc.constant(5),
});

async function isExact(
  t: ExecutionContext,
  models: fc.Arbitrary<RandomModel>,
  count: number,
  run: RunPlan,
): Promise<void> {
  await fc.assert(
    fc.asyncProperty(models, async (description) => {
      const found = compileCase(buildModel(description), SAMPLES, description.seed);
      const expected = flat(found.expected);
      for (const plan of found.plans) {
        const { outputs } = await run(plan.bytes, flat(found.inputs));
        const at = expected.findIndex((value, index) => value !== outputs[index]);
        if (at < 0 && outputs.length === expected.length) continue;
        throw new Error(
          `${plan.target}: byte ${at} of ${outputs.length} is ${outputs[at]}, not ${expected[at]}`,
        );
      }
    }),
    { numRuns: count, endOnFailure: true },
  );
  t.log(`${count} models for ${PLAN_TARGETS.join(' and ')}`);
  t.pass();
}

test('the engine on this machine computes what the reference kernels do', (t) =>
  isExact(t, randomModel, HOST_GRAPHS, onHost));

test('the engine on a Cortex-M4 computes what the reference kernels do', (t) =>
  isExact(t, manyGraphs, QEMU_GRAPHS, inQemu));
