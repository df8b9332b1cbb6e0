import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import test from 'ava';
import fc from 'fast-check';
import { DunlinError } from '../../../src/core/index.ts';
import { PLAN_TARGETS } from '../../../src/plan/format/constants.ts';
import { cName } from '../../../src/plan/format/structs.ts';
import {
  constantPlace,
  decodePlan,
  encodePlan,
  PLAN_NARROW_SUMS,
  type Plan,
  type PlanKind,
  type PlanStep,
  planOracle,
  type WindowStep,
} from '../../../src/plan/index.ts';
import { KINDS, PlanMemoryBuilder, planOfEachKind } from '../random-plan.ts';

const PLAN = planOfEachKind(5);
const BYTES = encodePlan(PLAN);
const FIRST_IO = 68;

/** Bytes with other numbers in them and seals that hold. */
function sealed(patch: (view: DataView) => void): Uint8Array {
  const bytes = BYTES.slice();
  const view = new DataView(bytes.buffer);
  patch(view);
  bytes.set(createHash('sha256').update(bytes.subarray(48)).digest(), 16);
  view.setUint32(12, crc32(bytes.subarray(16)), true);
  return bytes;
}

/** The message of the refusal, or undefined. */
function refusal(bytes: Uint8Array): string | undefined {
  try {
    decodePlan(bytes, 'x.plan');
    return undefined;
  } catch (error) {
    if (error instanceof DunlinError && error.code === 'plan-malformed') return error.message;
    throw error;
  }
}

test('any one byte that has changed is refused', (t) => {
  for (let at = 0; at < BYTES.length; at++) {
    for (const flipped of [1, 0x80, 0xff]) {
      const bytes = BYTES.slice();
      bytes[at]! ^= flipped;
      // The target is for people, and stands before what the seals cover.
      if (at === 6 && bytes[at]! < PLAN_TARGETS.length) continue;
      t.not(refusal(bytes), undefined, `byte ${at}`);
    }
  }
});

test('any cut, and anything behind, is refused', (t) => {
  for (let length = 0; length < BYTES.length; length += 7) {
    t.not(refusal(BYTES.subarray(0, length)), undefined, `${length} bytes`);
  }
  t.regex(refusal(Uint8Array.of(...BYTES, 0)) ?? '', /size_bytes: \d+ of a file of \d+ bytes/);
});

test('what has changed is told from what never was a plan', (t) => {
  const changed = BYTES.slice();
  changed[100]! ^= 1;
  t.is(refusal(changed), 'x.plan: crc32: the CRC-32 does not hold; bytes have changed');
  new DataView(changed.buffer).setUint32(12, crc32(changed.subarray(16)), true);
  t.is(refusal(changed), 'x.plan: sha256: the SHA-256 does not hold; bytes have changed');
  t.is(refusal(new Uint8Array(100)), 'x.plan: not an execution plan');
  t.is(refusal(new Uint8Array(67)), 'x.plan: 67 bytes are no plan');
});

const headers: readonly [string, (view: DataView) => void, RegExp][] = [
  ['version', (view) => view.setUint16(4, 2, true), /version: the format 2/],
  ['target', (view) => view.setUint8(6, 4), /target: 4 is unknown/],
  ['reserved', (view) => view.setUint8(7, 1), /x.plan: reserved: not 0/],
  ['reserved2', (view) => view.setUint16(66, 1, true), /x.plan: reserved: not 0/],
  ['size_bytes', (view) => view.setUint32(8, BYTES.length - 4, true), /size_bytes/],
  ['arena_bytes', (view) => view.setUint32(48, 0x10000001, true), /arena_bytes: 268435457/],
  ['arena_bytes too few', (view) => view.setUint32(48, 0, true), /input 0: place/],
  ['input_count', (view) => view.setUint16(52, 0xffff, true), /io_offset: \d+ bytes at 68/],
  ['io_offset', (view) => view.setUint32(56, 0xfffffffc, true), /io_offset: 132 bytes at/],
  ['io_offset odd', (view) => view.setUint32(56, 66, true), /io_offset: 66 is not a multiple/],
  ['steps_offset', (view) => view.setUint32(60, 0xfffffffc, true), /steps_offset: 104 bytes at/],
  ['steps_offset odd', (view) => view.setUint32(60, 202, true), /steps_offset: 202 is not/],
  ['step_count', (view) => view.setUint16(64, 0xffff, true), /steps_offset/],
  ['step_count one more', (view) => view.setUint16(64, KINDS.length + 1, true), /step 13 /],
  ['place', (view) => view.setUint32(FIRST_IO, PLAN.arenaBytes, true), /input 0: place: 12 bytes/],
  ['place constant', (view) => view.setUint32(FIRST_IO, 2 ** 31, true), /input 0: place: a const/],
  ['io size', (view) => view.setUint32(FIRST_IO + 4, 1, true), /size_bytes: 1 of .*1, 2, 3, 2/],
  ['scale', (view) => view.setFloat32(FIRST_IO + 8, 0, true), /input 0: scale: 0 is/],
  ['scale NaN', (view) => view.setFloat32(FIRST_IO + 8, Number.NaN, true), /input 0: scale: NaN/],
  ['zero_point', (view) => view.setInt32(FIRST_IO + 12, 128, true), /input 0: zero_point: 128/],
  ['rank', (view) => view.setUint32(FIRST_IO + 16, 7, true), /input 0: rank: 7/],
  ['rank of fewer', (view) => view.setUint32(FIRST_IO + 16, 3, true), /input 0: shape: .* past/],
  ['a size of 0', (view) => view.setUint32(FIRST_IO + 20, 0, true), /input 0: shape: a size of 0/],
  ['of the second output', (view) => view.setInt32(FIRST_IO + 100, -129, true), /output 1: zero_p/],
];

for (const [name, patch, message] of headers) {
  test(`refused: ${name}`, (t) => {
    t.regex(refusal(sealed(patch)) ?? 'nothing', message);
  });
}

/** A plan with other values in its step of a kind. */
function changed(kind: PlanKind, change: object): Uint8Array {
  const steps = PLAN.steps.map((step) => (step.kind === kind ? { ...step, ...change } : step));
  return encodePlan({ ...PLAN, steps: steps as PlanStep[] });
}

/** Values that do not go together, and the field that the refusal names. */
type Case = readonly [change: Readonly<Record<string, unknown>>, field: string];

/** Each value alone is refused by its own name. */
const each = (values: object): Case[] =>
  Object.entries(values).map(([field, value]) => [{ [field]: value }, field] as const);

const FAR = [2 ** 31, 2 ** 31, 2 ** 31, 2 ** 31];
const END = PLAN.arenaBytes;
/** Past every constant, a multiple of 4. */
const LAST = Math.ceil(PLAN.constants.length / 4) * 4;
const EMPTY_RANGE: Case = [{ min: 127, max: 126 }, 'max'];
const WINDOW: readonly Case[] = [
  ...each({ batches: 0, inH: 0, inW: 0, inC: 0, outH: 0, outW: 0, outC: 0 }),
  ...each({ kernelH: 0, kernelW: 0, strideH: 0, strideW: 0, dilationH: 0, dilationW: 0 }),
  ...each({ input: END, output: END, scratch: 2 }),
  ...each({ input: constantPlace(LAST + 4) }),
  ...each({ output: constantPlace(0), scratch: constantPlace(0) }),
  [{ batches: 0xffff }, 'input'],
  EMPTY_RANGE,
];
const WEIGHTED: readonly Case[] = [
  ...WINDOW,
  ...each({ weights: 2, bias: 2, multipliers: 2 }),
  ...each({ weights: LAST, bias: LAST, multipliers: LAST, shifts: LAST, flags: 8 }),
  [{ weightsBytes: 2 ** 28 }, 'weights'],
  [{ weightsBytes: 1 }, 'weights'],
];
const SCRATCH: Case = [{ scratch: Math.ceil(END / 4) * 4 }, 'scratch'];
const ONE_CHANNEL = { batches: 1, inC: 1, outC: 1, output: 0 };
const POOL: readonly Case[] = [
  ...WINDOW,
  ...each({ bandRows: 1 }),
  ...each({ weights: 4, weightsBytes: 4, bias: 4, multipliers: 4, shifts: 4 }),
  ...each({ flags: 1, layout: 'PAIRS', dilationH: 2, dilationW: 2, padTop: 3, padLeft: 3 }),
  ...each({ outC: 9 }),
  [{ ...ONE_CHANNEL, outH: 9, outW: 1, strideH: 9 }, 'outH'],
  [{ ...ONE_CHANNEL, outH: 1, outW: 9, strideW: 9 }, 'outW'],
];
const BINARY: readonly Case[] = [
  ...each({ a: END, b: constantPlace(LAST + 4), output: END, flags: 1 }),
  ...each({ output: constantPlace(0), outputMultiplier: -1 }),
  ...each({ aShift: 31, bShift: -32, outputShift: 31 }),
  ...each({ aMultiplier: -1, bMultiplier: -1, shape: [1, 0, 1, 1] }),
  ...each({ shape: [2 ** 32 - 1, 2 ** 32 - 1, 1, 1] }),
  [{ shape: [2, 2, 2, 2], aSteps: FAR }, 'a'],
  [{ shape: [2, 2, 2, 2], aSteps: [0, 0, 0, 0], bSteps: FAR }, 'b'],
  EMPTY_RANGE,
];

/** Of each kind what is refused in a plan that is right but for it. */
const CASES: Readonly<Record<PlanKind, readonly Case[]>> = {
  CONV_2D: [...WEIGHTED, SCRATCH, ...each({ bandRows: 1 })],
  DEPTHWISE_CONV_2D: [
    ...WEIGHTED,
    SCRATCH,
    ...each({ bandRows: 0, layout: 'RUNS' }),
    [{ bandRows: 9 }, 'bandRows'],
    [{ inC: 3, outC: 4 }, 'outC'],
  ],
  FULLY_CONNECTED: [
    ...WEIGHTED,
    ...each({ inH: 2, inW: 2, outH: 2, outW: 2, kernelH: 2, kernelW: 2, strideH: 2, strideW: 2 }),
    ...each({ dilationH: 2, dilationW: 2, padTop: 1, padLeft: 1, bandRows: 1 }),
  ],
  AVERAGE_POOL_2D: POOL,
  MAX_POOL_2D: POOL,
  ADD: BINARY,
  SUB: BINARY,
  MUL: [...BINARY, ...each({ aMultiplier: 1, bMultiplier: 1 })],
  LOOKUP: [
    ...each({ input: END, output: END, table: LAST, flags: 1, sizeBytes: 0 }),
    ...each({ input: constantPlace(LAST + 4), output: constantPlace(0) }),
    [{ sizeBytes: END + 1 }, 'input'],
  ],
  SOFTMAX: [
    ...each({ input: END, output: END, rows: 0, depth: 0, multiplier: -1, least: 1, flags: 1 }),
    ...each({ shift: 31 }),
    ...each({ shift: -32 }),
    [{ rows: 2 ** 32 - 1, depth: 2 ** 32 - 1 }, 'input'],
  ],
  MEAN: [
    ...each({ input: END, output: END, outer: 0, reduced: 0, inner: 0, multiplier: -1, flags: 1 }),
    ...each({ shift: 31 }),
    ...each({ shift: -32 }),
    [{ outer: 2 ** 32 - 1, reduced: 2 ** 32 - 1, inner: 2 ** 32 - 1 }, 'input'],
  ],
  COPY: [
    ...each({ input: END, output: END, shape: [1, 0, 1, 1], flags: 1 }),
    ...each({ input: constantPlace(LAST + 4), output: constantPlace(0) }),
    [{ shape: [2, 2, 2, 2], inputSteps: FAR }, 'input'],
    [{ shape: [2, 2, 2, 2], inputSteps: [0, 0, 0, 0], outputSteps: FAR }, 'output'],
    // Steps of 0 would make it end, but not soon.
    [{ shape: [2 ** 28, 2, 1, 1], inputSteps: [0, 0, 0, 0], outputSteps: [0, 0, 0, 0] }, 'shape'],
  ],
  FILL: [
    ...each({ output: END, sizeBytes: 0, value: 128, flags: 1 }),
    ...each({ output: constantPlace(0), value: -129 }),
    [{ sizeBytes: 2 ** 32 - 1 }, 'output'],
  ],
};

for (const [kind, cases] of Object.entries(CASES)) {
  test(`refused: each bad value of ${kind}, by its field's name`, (t) => {
    const label = `x.plan: step ${KINDS.indexOf(kind as PlanKind)} (${kind})`;
    for (const [change, field] of cases) {
      const message = refusal(changed(kind as PlanKind, change)) ?? 'nothing';
      const expected = `${label}: ${cName(field)}: `;
      t.is(message.slice(0, expected.length), expected, `${JSON.stringify(change)}: ${message}`);
    }
  });
}

/** A fully connected layer of two channels, which is right. */
function layer(constants: {
  readonly multipliers?: Int32Array;
  readonly shifts?: Int8Array;
  readonly bias?: Int32Array;
}): Uint8Array {
  const memory = new PlanMemoryBuilder();
  const weights = Int8Array.of(1, -2, 3, 127, 127, -128);
  const append = (values: ArrayBufferView): number => memory.constants.append(values);
  const step: PlanStep = {
    ...(PLAN.steps.find(({ kind }) => kind === 'FULLY_CONNECTED') as WindowStep),
    flags: PLAN_NARROW_SUMS,
    layout: 'DENSE',
    batches: 1,
    inC: 3,
    outC: 2,
    input: memory.arena(3),
    output: memory.arena(2),
    scratch: 0,
    weights: append(weights),
    weightsBytes: weights.length,
    bias: append(constants.bias ?? Int32Array.of(0, 0)),
    multipliers: append(constants.multipliers ?? Int32Array.of(2 ** 30, 2 ** 31 - 1)),
    shifts: append(constants.shifts ?? Int8Array.of(-22, -1)),
  };
  return encodePlan(memory.plan([step], [], []));
}

test('refused: multipliers and shifts that the arithmetic does not take', (t) => {
  t.is(refusal(layer({})), undefined);
  for (const [constants, message] of [
    [{ multipliers: Int32Array.of(0, -1) }, /multipliers: -1 of channel 1 is negative/],
    [{ shifts: Int8Array.of(-23, -1) }, /shifts: -23 of channel 0 is not from -22 to -1/],
    [{ shifts: Int8Array.of(-22, 0) }, /shifts: 0 of channel 1 is not from -22 to -1/],
  ] as const) {
    t.regex(refusal(layer(constants)) ?? 'nothing', message);
  }
});

test('refused: sums that are not as narrow as the step says', (t) => {
  // The weights' own sums reach 127 * 127 * 2 + 128 * 128 and -(128 * 127 * 2 + 128 * 127).
  const [most, least] = [2 ** 30 - 48_642, -(2 ** 30) + 48_768];
  for (const [bias, isRefused] of [
    [most, false],
    [most + 1, true],
    [least, false],
    [least - 1, true],
  ] as const) {
    const message = refusal(layer({ bias: Int32Array.of(0, bias) }));
    t.is(message !== undefined, isRefused, `${bias}: ${message}`);
    if (isRefused) t.regex(message!, /flags: narrow sums, but channel 1 may reach/);
  }
});

test('refused: PAIRS whose last word of input lies past the arena', (t) => {
  const memory = new PlanMemoryBuilder();
  const output = memory.arena(1);
  const constants = memory.constants.append(new Int8Array(16));
  const common = PLAN.steps.find(({ kind }) => kind === 'FULLY_CONNECTED') as WindowStep;
  const step: WindowStep = {
    ...{ ...common, flags: 0, layout: 'PAIRS', batches: 1, inC: 6, outC: 1, scratch: 0 },
    ...{ input: memory.arena(6), output, weights: constants, weightsBytes: 16 },
    ...{ bias: constants, multipliers: constants, shifts: constants },
  };
  const refused = refusal(encodePlan(memory.plan([step], [], [])));
  t.regex(refused ?? 'nothing', /input: 8 bytes at 1 of the arena, which has 7/);
  memory.arena(2);
  t.is(refusal(encodePlan(memory.plan([step], [], []))), undefined);
});

test('refused: sizes, reserved bytes and kinds that no step has', (t) => {
  const steps = new DataView(BYTES.buffer).getUint32(60, true);
  for (const [at, value, message] of [
    [0, 0, /step 0: kind: 0 is unknown/],
    [0, 14, /step 0: kind: 14 is unknown/],
    [2, 76, /step 0 \(CONV_2D\): size_bytes: 76; it has 72/],
    [6, 1, /step 0 \(CONV_2D\): reserved: not 0/],
    [68, 3, /step 0 \(CONV_2D\): layout: 3 is unknown/],
    [71, 1, /step 0 \(CONV_2D\): reserved: not 0/],
  ] as const) {
    t.regex(refusal(sealed((view) => view.setUint8(steps + at, value))) ?? 'nothing', message);
  }
});

test('refused: more weights than a tensor may have, in however few bytes', (t) => {
  const change = { layout: 'RUNS', inC: 0xffff, outC: 0xffff, batches: 1 };
  const memory = { arenaBytes: 2 ** 28 };
  const steps = PLAN.steps.map((step) =>
    step.kind === 'FULLY_CONNECTED' ? { ...step, ...change } : step,
  );
  const bytes = encodePlan({ ...PLAN, ...memory, steps: steps as PlanStep[] });
  t.regex(refusal(bytes) ?? 'nothing', /weights: \[65535\]\[65535\]; a tensor may have/);
});

test('a plan that passes after random changes runs', (t) => {
  const steps = BYTES.length - PLAN.constants.length;
  let passed = 0;
  fc.assert(
    fc.property(
      fc.integer({ min: 200, max: steps - 1 }),
      fc.integer({ min: 0, max: 255 }),
      (at, value) => {
        const bytes = sealed((view) => view.setUint8(at, value));
        const message = refusal(bytes);
        if (message !== undefined) {
          t.regex(message, /^x\.plan: step \d+/);
          return;
        }
        passed++;
        const plan: Plan = decodePlan(bytes, 'x.plan');
        const inputs = plan.inputs.map(({ sizeBytes }) => new Int8Array(sizeBytes));
        t.is(planOracle(plan).run(inputs).length, plan.outputs.length);
      },
    ),
    { numRuns: 400 },
  );
  t.true(passed > 10);
});
