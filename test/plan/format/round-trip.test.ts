import test from 'ava';
import fc from 'fast-check';
import {
  ConstantsBuilder,
  constantPlace,
  decodePlan,
  encodePlan,
  encodeSteps,
  isConstantPlace,
  type PlanStep,
  placeOffset,
  planContents,
} from '../../../src/plan/index.ts';
import { seed } from '../arbitraries.ts';
import { KINDS, PlanMemoryBuilder, planOfEachKind, Random, randomStep } from '../random-plan.ts';

const RUNS = { numRuns: 200 };

test('random steps of every kind come out as they went in', (t) => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...KINDS), { maxLength: 12 }), seed, (kinds, start) => {
      const random = new Random(start);
      const memory = new PlanMemoryBuilder();
      const steps = kinds.map((kind) => randomStep(kind, random, memory));
      const plan = memory.plan(steps, [], []);
      const bytes = encodePlan(plan);
      t.is(bytes.length % 4, 0);
      const decoded = planContents(decodePlan(bytes, 'random.plan'));
      t.deepEqual(decoded.steps, steps);
      t.deepEqual(encodePlan(decoded), bytes);
    }),
    RUNS,
  );
});

test('header, inputs and outputs come out as they went in', (t) => {
  const plan = planOfEachKind(1);
  const decoded = planContents(decodePlan(encodePlan(plan), 'a.plan'));
  t.deepEqual({ ...decoded, constants: [] }, { ...plan, constants: [] });
  const padding = decoded.constants.subarray(plan.constants.length);
  t.deepEqual(decoded.constants.subarray(0, plan.constants.length), plan.constants);
  t.true(padding.length < 4 && padding.every((byte) => byte === 0));
});

test('bytes are read wherever they lie in memory', (t) => {
  const bytes = encodePlan(planOfEachKind(2));
  const moved = new Uint8Array(bytes.length + 1);
  moved.set(bytes, 1);
  const { steps } = decodePlan(moved.subarray(1), 'a.plan');
  t.deepEqual(steps, decodePlan(bytes, 'a.plan').steps);
});

test('offsets of constants are moved, places in the arena are not', (t) => {
  const common = { flags: 0, source: 7 };
  const steps: PlanStep[] = [
    { kind: 'LOOKUP', ...common, input: 1, output: 2, sizeBytes: 3, table: 5 },
    {
      kind: 'COPY',
      ...common,
      input: constantPlace(6),
      output: 8,
      shape: [1, 1, 1, 2],
      inputSteps: [0, 0, 0, 1],
      outputSteps: [0, 0, 0, -0],
    },
  ];
  const view = new DataView(encodeSteps(steps, 1000).buffer);
  const words = (at: number, count: number): number[] =>
    Array.from({ length: count }, (_, index) => view.getUint32(at + 4 * index, true));
  t.deepEqual(words(0, 6), [9 | (24 << 16), 7, 1, 2, 3, 1005]);
  t.deepEqual(words(24, 4), [12 | (64 << 16), 7, 0x80000000 + 1006, 8]);
  t.true(isConstantPlace(0x80000000 + 1006));
  t.is(placeOffset(0x80000000 + 1006), 1006);
});

test('constants are aligned, and copied when they are given', (t) => {
  const builder = new ConstantsBuilder();
  const values = Int8Array.of(1, 2, 3);
  t.is(builder.append(values), 0);
  values.fill(9);
  t.is(builder.append(Int8Array.of(4), 1), 3);
  t.is(builder.append(Int8Array.of(5), 1), 4);
  t.is(builder.append(Int32Array.of(-2)), 8);
  t.is(builder.append(Int8Array.of(6), 16), 16);
  t.deepEqual([...builder.bytes()], [1, 2, 3, 4, 5, 0, 0, 0, 254, 255, 255, 255, 0, 0, 0, 0, 6]);
});

test('a number that does not fit its field is refused with the name of both', (t) => {
  const fill: PlanStep = { kind: 'FILL', flags: 0, source: 0, output: 0, sizeBytes: 1, value: 0 };
  for (const [change, message] of [
    [
      { source: 65_536 },
      /step 1 \(FILL\): source is 65536; it takes whole numbers from 0 to 65535/,
    ],
    [{ output: -1 }, /step 1 \(FILL\): output is -1/],
    [{ sizeBytes: 0.5 }, /step 1 \(FILL\): size_bytes is 0.5/],
    [{ value: 2 ** 31 }, /step 1 \(FILL\): value is 2147483648/],
  ] as const) {
    t.throws(() => encodeSteps([fill, { ...fill, ...change }], 0), { message });
  }
  const plan = planOfEachKind(3);
  const io = plan.inputs[0]!;
  t.throws(() => encodePlan({ ...plan, inputs: [{ ...io, shape: [1, 1, 1, 1, 1, 1, 12] }] }), {
    message: /input 0: rank is 7/,
  });
});
