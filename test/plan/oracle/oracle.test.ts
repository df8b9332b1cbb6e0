import test from 'ava';
import { DunlinError } from '../../../src/core/index.ts';
import {
  ConstantsBuilder,
  decodePlan,
  encodePlan,
  type LookupStep,
  PLAN_SHARED_MULTIPLIER,
  type PlanStep,
  planOracle,
  type WindowStep,
} from '../../../src/plan/index.ts';
import { ioOf, Random } from '../random-plan.ts';

/** multiplier * 2^shift: 2^30 / 2^31 * 2 is a factor of one. */
const ONE = 2 ** 30;

/** A window step over an image of one channel, 3x3 with padding, whose factor is one. */
const CONV: WindowStep = {
  kind: 'CONV_2D',
  flags: PLAN_SHARED_MULTIPLIER,
  source: 0,
  input: 0,
  output: 0,
  scratch: 0,
  weights: 0,
  weightsBytes: 0,
  bias: 0,
  multipliers: 0,
  shifts: 0,
  batches: 1,
  inH: 3,
  inW: 3,
  inC: 1,
  outH: 3,
  outW: 3,
  outC: 1,
  bandRows: 0,
  kernelH: 3,
  kernelW: 3,
  strideH: 1,
  strideW: 1,
  dilationH: 1,
  dilationW: 1,
  padTop: 1,
  padLeft: 1,
  inputZero: 0,
  outputZero: 0,
  min: -128,
  max: 127,
  layout: 'DENSE',
};

/** A window step with its constants. */
function layer(
  change: Partial<WindowStep>,
  weights: Int8Array,
  bias: readonly number[],
): { readonly step: WindowStep; readonly constants: Uint8Array } {
  const builder = new ConstantsBuilder();
  const step = {
    ...CONV,
    weights: builder.append(weights),
    weightsBytes: weights.length,
    bias: builder.append(Int32Array.from(bias)),
    multipliers: builder.append(Int32Array.of(ONE)),
    shifts: builder.append(Int8Array.of(1)),
    ...change,
  };
  return { step, constants: builder.bytes() };
}

/** Runs steps over an arena with an input and an output of so many bytes. */
function run(
  steps: readonly PlanStep[],
  constants: Uint8Array,
  arenaBytes: number,
  input: Int8Array,
  inputPlace: number,
  outputPlace: number,
  outputBytes: number,
): Int8Array {
  const bytes = encodePlan({
    target: 'NATIVE',
    arenaBytes,
    inputs: [ioOf(inputPlace, input.length)],
    outputs: [ioOf(outputPlace, outputBytes)],
    steps,
    constants,
  });
  return planOracle(decodePlan(bytes, 'hand.plan')).run([input])[0]!;
}

test('a small convolution is what it is by hand', (t) => {
  // Outside the image it is 10. The kernel takes the left neighbour and twice the one above.
  const weights = Int8Array.of(0, 2, 0, 1, 0, 0, 0, 0, 0);
  const change = { input: 0, output: 9, scratch: 20, inputZero: 10, outputZero: 3, max: 60 };
  const { step, constants } = layer(change, weights, [100 - 3 * 10 - 95]);
  const input = Int8Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9);
  // bias -25 + 3: left + 2 * above - 22, at most 60.
  t.deepEqual(
    [...run([step], constants, 20 + 12 * 8, input, 0, 9, 9)],
    [8, -1, 0, -10, -14, -11, -4, -5, -2],
  );
});

/** Ten pixels of four channels through a 1x1 kernel that turns channels around. */
function turned(input: number, output: number): Int8Array {
  const weights = Int8Array.of(0, 0, 0, 1, 0, 0, 1, 0, 0, 1, 0, 0, 1, 0, 0, 0);
  const shape = { inH: 1, inW: 10, inC: 4, outH: 1, outW: 10, outC: 4, padTop: 0, padLeft: 0 };
  const change = { ...shape, kernelH: 1, kernelW: 1, input, output, scratch: 80 };
  const { step, constants } = layer(change, weights, [0, 0, 0, 0]);
  const values = Int8Array.from({ length: 40 }, (_, index) => index);
  return run([step], constants, 80 + 4 * 4 * 2, values, input, output, 40);
}

test('a convolution reads four pixels before it writes them', (t) => {
  const right = Int8Array.from({ length: 40 }, (_, index) => index - (index % 4) + 3 - (index % 4));
  t.deepEqual(turned(0, 40), right);
  t.deepEqual(turned(20, 20), right);
  t.deepEqual(turned(20, 4), right, 'behind what is read');
  // The pixels 0 to 3 are written over the pixels 1 to 4, of which 4 is still to be read.
  const over = turned(20, 24);
  t.deepEqual(over.subarray(0, 16), right.subarray(0, 16));
  t.deepEqual(over.subarray(16, 20), right.subarray(12, 16).slice().reverse());
  t.notDeepEqual(over, right);
});

test('a scratch over the output comes out wrong', (t) => {
  const weights = Int8Array.of(1, 1, 1, 1, 1, 1, 1, 1, 1);
  const at = (output: number): Int8Array => {
    const change = {
      input: 96,
      output,
      scratch: 0,
      outC: 2,
      padTop: 0,
      padLeft: 0,
      outH: 1,
      outW: 1,
    };
    const { step, constants } = layer(change, Int8Array.of(...weights, ...weights), [0, 0]);
    return run([step], constants, 120, new Int8Array(9).fill(3), 96, output, 2);
  };
  t.deepEqual([...at(108)], [27, 27]);
  t.notDeepEqual([...at(0)], [27, 27]);
});

/** A depthwise convolution of two channels that adds up the three rows around each pixel. */
function summedRows(bandRows: number, input: number, output: number): Int8Array {
  const weights = Int8Array.of(1, 1, 1, 1, 1, 1);
  const shape = { inH: 6, inW: 2, inC: 2, outH: 6, outW: 2, outC: 2, padLeft: 0 };
  const change = { ...shape, kernelW: 1, bandRows, input, output, scratch: 80 };
  const { step, constants } = layer({ ...change, kind: 'DEPTHWISE_CONV_2D' }, weights, [0, 0]);
  const values = Int8Array.from({ length: 24 }, (_, index) => index - 12);
  return run([step], constants, 80 + 8 * 2 * 2 + 4, values, input, output, 24);
}

test('a depthwise convolution reads the rows of a band before it writes them', (t) => {
  const right = summedRows(1, 0, 40);
  t.is(right[0], -12 + -8);
  t.deepEqual(summedRows(6, 10, 10), right, 'one band, in place');
  t.deepEqual(summedRows(4, 0, 40), right, 'a last band of fewer rows');
  t.notDeepEqual(summedRows(3, 10, 10), right, 'the second band needs a row of the first');
  t.deepEqual(summedRows(3, 10, 6), right, 'a row earlier it may');
  t.deepEqual(summedRows(1, 10, 6), right);
});

test('a fully connected layer over its own input comes out wrong', (t) => {
  const one = { inH: 1, inW: 1, outH: 1, outW: 1, kernelH: 1, kernelW: 1, padTop: 0, padLeft: 0 };
  const change = { ...one, kind: 'FULLY_CONNECTED', batches: 2, inC: 3, outC: 3 } as const;
  const weights = Int8Array.of(0, 0, 1, 1, 0, 0, 0, 1, 0);
  const at = (output: number): number[] => {
    const { step, constants } = layer({ ...change, output }, weights, [0, 0, 0]);
    return [...run([step], constants, 20, Int8Array.of(1, 2, 3, 4, 5, 6), 0, output, 6)];
  };
  t.deepEqual(at(8), [3, 1, 2, 6, 4, 5]);
  t.deepEqual(at(0), [3, 3, 3, 6, 6, 6]);
});

const table = (f: (value: number) => number): Int8Array =>
  Int8Array.from({ length: 256 }, (_, index) => f(index - 128));

test('elementwise steps work in place', (t) => {
  const constants = new ConstantsBuilder();
  const common = { flags: 0, source: 0 };
  const doubled: LookupStep = {
    kind: 'LOOKUP',
    ...common,
    input: 3,
    output: 3,
    sizeBytes: 4,
    table: constants.append(table((value) => 2 * value)),
  };
  const squared: PlanStep = {
    kind: 'MUL',
    ...common,
    a: 3,
    b: 3,
    output: 3,
    shape: [1, 1, 1, 4],
    aSteps: [0, 0, 0, 1],
    bSteps: [0, 0, 0, 1],
    aMultiplier: 0,
    bMultiplier: 0,
    outputMultiplier: ONE,
    aShift: 0,
    bShift: 0,
    outputShift: 1,
    aZero: 0,
    bZero: 0,
    outputZero: -1,
    min: -128,
    max: 100,
  };
  const input = Int8Array.of(1, -2, 3, 50);
  t.deepEqual([...run([doubled, squared], constants.bytes(), 8, input, 3, 3, 4)], [3, 15, 35, 100]);
});

test('runs do not disturb each other; what nothing wrote is never what it should be', (t) => {
  const random = new Random(1);
  const weights = random.int8s(9);
  const { step, constants } = layer({ output: 9, scratch: 20 }, weights, [0]);
  const plan = decodePlan(
    encodePlan({
      target: 'NATIVE',
      arenaBytes: 200,
      inputs: [ioOf(0, 9)],
      outputs: [ioOf(9, 9), ioOf(190, 2)],
      steps: [step],
      constants,
    }),
    'two.plan',
  );
  const oracle = planOracle(plan);
  const [first, second] = [random.int8s(9), random.int8s(9)];
  const before = oracle.run([first]);
  const kept = before.map((output) => output.slice());
  t.notDeepEqual(oracle.run([second]), before);
  t.deepEqual(before, kept);
  t.deepEqual(oracle.run([first]), before);
  t.true(before[1]!.every((value) => value !== 0));
});

test('inputs of another number or length are refused', (t) => {
  const { step, constants } = layer({ output: 9, scratch: 20 }, new Int8Array(9), [0]);
  const plan = {
    target: 'NATIVE',
    arenaBytes: 200,
    outputs: [],
    steps: [step],
    constants,
  } as const;
  const oracle = planOracle(decodePlan(encodePlan({ ...plan, inputs: [ioOf(0, 9)] }), 'a.plan'));
  for (const inputs of [[], [new Int8Array(8)], [new Int8Array(9), new Int8Array(9)]]) {
    const error = t.throws(() => oracle.run(inputs), { instanceOf: DunlinError });
    t.is(error.code, 'input-invalid');
  }
});
