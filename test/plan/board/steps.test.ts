import test from 'ava';
import { decodePlan, encodePlan, type PlanStep, planOracle } from '../../../src/plan/index.ts';
import { ioOf, KINDS, PlanMemoryBuilder, Random, randomStep } from '../random-plan.ts';
import { buildFirmware, inQemu, onHost } from './firmware.ts';

/** Steps of each kind, all in one plan, each with places of its own. */
const STEPS = 120;

const product = (sizes: readonly number[]): number => sizes.reduce((all, size) => all * size, 1);

/** Bytes from a step's output on that it may write. */
function outputBytes(step: PlanStep): number {
  switch (step.kind) {
    case 'ADD':
    case 'SUB':
    case 'MUL':
      return product(step.shape);
    case 'LOOKUP':
    case 'FILL':
      return step.sizeBytes;
    case 'SOFTMAX':
      return step.rows * step.depth;
    case 'MEAN':
      return step.outer * step.inner;
    case 'COPY':
      return step.shape.reduce((end, size, axis) => end + (size - 1) * step.outputSteps[axis]!, 1);
    default:
      return step.batches * step.outH * step.outW * step.outC;
  }
}

/** Steps over an arena that is all input. */
function planOf(kind: PlanStep['kind']): Uint8Array {
  const random = new Random(1);
  const memory = new PlanMemoryBuilder();
  const steps = Array.from({ length: STEPS }, () => randomStep(kind, random, memory));
  const plan = memory.plan(steps, [], []);
  const outputs = steps.map((step) => ioOf(step.output, outputBytes(step)));
  return encodePlan({ ...plan, inputs: [ioOf(0, plan.arenaBytes)], outputs });
}

test.before(async () => {
  await buildFirmware();
});

for (const kind of KINDS) {
  test(`${kind}: the engine on this machine and in QEMU gives what the oracle gives`, async (t) => {
    const bytes = planOf(kind);
    const plan = decodePlan(bytes, kind);
    const values = new Random(2).int8s(plan.arenaBytes);
    const expected = Buffer.concat(
      planOracle(plan)
        .run([values])
        .map((own) => Buffer.from(own.buffer)),
    );
    const inputs = new Uint8Array(values.buffer, values.byteOffset, values.length);
    for (const [place, run] of Object.entries({ onHost, inQemu })) {
      const { outputs } = await run(bytes, inputs);
      t.is(Buffer.compare(outputs, expected), 0, place);
    }
  });
}
