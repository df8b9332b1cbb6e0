import test from 'ava';
import fc from 'fast-check';
import { errorCode } from '../../src/core/index.ts';
import { findNativeFiles, type LoadModel } from '../../src/inference/index.ts';
import { RANGE_METHODS } from '../../src/optimize/index.ts';
import { int8Scheme } from '../../src/optimize/quantize/int8-schemes.ts';
import {
  Graph,
  OPERATORS,
  parseModel,
  serializeModel,
  type TfliteModel,
  verifyModel,
} from '../../src/tflite/index.ts';
import { randomSamples } from './optimize-request.ts';
import { specificationProblems } from './quantization-spec.ts';
import { randomModel } from './random-model.ts';
import { type Distance, RandomTrial } from './random-trial.ts';
import { SharedRuntime } from './shared-runtime.ts';

/** `make soak` sets it: how many graphs to try instead of those of every day. */
const SOAK_GRAPHS = Number(process.env['DUNLIN_SOAK'] ?? 0);
const GRAPHS = SOAK_GRAPHS > 0 ? SOAK_GRAPHS : 300;
const MAX_STEPS = 12;
const SAMPLES = 10;
const GRAPH_MS = 2_000;

const INT8_DB = 15;
/** A part of a tensor that is small beside the rest has the whole tensor's steps: so many of them it may be off, */
const INT8_STEPS = 1.5;
/** and there are not many such parts. */
const MOST_SMALL_SHARE = 0.02;
/**
 * Percentile ranges leave rare values out, and a random graph may have its signal in those: they
 * are no ranges for that graph, as choosing by measurement finds. Of no activation of the shared
 * models do they clip more than 5e-4 of the energy.
 */
const CLIPPED_SHARE = 1e-3;
const MOST_CLIPPED_GRAPHS = 0.005;
const DYNAMIC_DB = 25;
/** An output that int8 hardly reaches, since the graph takes near equals from each other: at least so much closer. */
const DYNAMIC_GAIN_DB = 6;
const FLOAT16_DB = 45;
/** Below 2^-14 float16 has fixed steps, of 2^-24 (IEEE 754): what sums of some dozens of such weights may be off. */
const FLOAT16_STEP = 2 ** -18;

const runtime = new SharedRuntime();
test.after.always(() => runtime.close());
const load: LoadModel = runtime.load;

/** What all the graphs came to. */
class Tally {
  /** How often each operator computed in int8. */
  readonly operators = new Map<string, number>();
  outputs = 0;
  small = 0;
  /** Graphs whose signal percentile left out. */
  clipped = 0;

  note(model: TfliteModel, distances: readonly Distance[]): void {
    const graph = new Graph(model, 'int8');
    for (const { code, inputs, outputs } of graph.subgraph.operators) {
      const { builtin } = model.operatorCodes[code]!;
      const [index] = builtin === 'ARG_MAX' ? inputs : outputs;
      if (graph.tensor(index!).type !== 'int8') continue;
      this.operators.set(builtin, (this.operators.get(builtin) ?? 0) + 1);
    }
    this.outputs += distances.length;
    this.small += tooFar(distances, INT8_DB, 0).length;
  }
}

/** The coarsest step of what is computed. */
function largestStep(model: TfliteModel): number {
  const { tensors, operators } = model.subgraphs[0]!;
  const steps = operators.flatMap(({ outputs }) =>
    outputs.map((index) => tensors[index]!.quantization?.scale[0] ?? 0),
  );
  return Math.max(...steps);
}

function tooFar(found: readonly Distance[], leastDb: number, step: number): Distance[] {
  return found.filter(({ sqnrDb, rmsError }) => {
    const close = sqnrDb === null || sqnrDb >= leastDb;
    return !close && !(rmsError <= INT8_STEPS * step);
  });
}

function check(holds: boolean, what: string, found: unknown): void {
  if (!holds) throw new Error(`${what}: ${JSON.stringify(found)}`);
}

/** Quantizes one graph every way and holds it against its float model and the specification. */
async function tryGraph(seed: number, steps: number, tally: Tally): Promise<void> {
  const random = randomModel(seed, steps);
  const bytes = serializeModel(random.model);
  const trial = await RandomTrial.start(bytes, randomSamples(random.model, SAMPLES, seed), load);
  const floatEnds = { inputType: 'float32', outputType: 'float32' } as const;
  const int8Db = new Map<number, number>();
  for (const [place, method] of RANGE_METHODS.entries()) {
    // One method is given float ends, and another goes without the correction of biases.
    const ends = (seed + place) % 3 === 0 ? floatEnds : {};
    const settings = { ...ends, biasCorrection: (seed + place) % 3 !== 1 };
    const file = await trial.int8(method, settings);
    const model = parseModel(file, method);
    verifyModel(model, method);
    const problems = specificationProblems(model);
    check(problems.length === 0, `${method} is against the specification`, problems);
    const { tensors, inputs } = model.subgraphs[0]!;
    const wantedType = 'inputType' in ends ? 'float32' : 'int8';
    check(
      inputs.every((index) => tensors[index]!.type === wantedType),
      `${method} takes not what was asked for`,
      wantedType,
    );
    const step = largestStep(model);
    const distances = await trial.distances(file);
    const far = tooFar(distances, INT8_DB, step);
    if (far.length > 0 && method === 'percentile' && trial.clippedShare(method) > CLIPPED_SHARE) {
      tally.clipped += 1;
      continue;
    }
    check(far.length === 0, `int8 by ${method} is far from float`, far);
    tally.note(model, distances);
    for (const { output, sqnrDb } of distances) int8Db.set(output, sqnrDb ?? Infinity);
    if (place === seed % 3) await tryDelegate(trial, file, step);
  }
  const hybrid = trial.dynamic();
  const problems = specificationProblems(parseModel(hybrid, 'dynamic'));
  check(problems.length === 0, 'dynamic range is against the specification', problems);
  const dynamic = tooFar(await trial.distances(hybrid), DYNAMIC_DB, 0).filter(
    ({ output, sqnrDb }) => !(sqnrDb! >= (int8Db.get(output) ?? Infinity) + DYNAMIC_GAIN_DB),
  );
  check(dynamic.length === 0, 'dynamic range is far from float', dynamic);
  const float16 = tooFar(await trial.distances(trial.float16()), FLOAT16_DB, FLOAT16_STEP);
  check(float16.length === 0, 'float16 is far from float', float16);
}

/** XNNPACK refuses an output that nothing but zero comes out of, and takes and computes all else. */
async function tryDelegate(trial: RandomTrial, file: Uint8Array, step: number): Promise<void> {
  if (findNativeFiles().xnnPath === undefined) return;
  try {
    const far = tooFar(await trial.distances(file, 'xnn'), INT8_DB, step);
    check(far.length === 0, 'int8 on XNNPACK is far from float', far);
  } catch (error) {
    if (errorCode(error) !== 'inference-refused') throw error;
  }
}

test('a graph that a soak found: x beside x * x, whose signal is in few values', async (t) => {
  const [seed, steps] = [655593226, 12];
  const { model } = randomModel(seed, steps);
  const samples = randomSamples(model, SAMPLES, seed);
  const trial = await RandomTrial.start(serializeModel(model), samples, load);
  for (const method of ['mse', 'minmax'] as const) {
    const [zeros, row] = await trial.distances(await trial.int8(method));
    t.is(zeros!.sqnrDb, null);
    // It was 13 at most, with x in the steps of x * x before it was squared.
    t.true(row!.sqnrDb! >= 30, `${method} ${row!.sqnrDb}`);
    t.true(trial.clippedShare(method) <= CLIPPED_SHARE);
  }
  t.true(trial.clippedShare('percentile') > 0.3);
  const tally = new Tally();
  await tryGraph(seed, steps, tally);
  t.is(tally.clipped, 1);
});

test('random graphs, quantized every way, stay close to float and to the specification', async (t) => {
  t.timeout(60_000 + GRAPHS * GRAPH_MS);
  const tally = new Tally();
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 0, max: 2 ** 30 }),
      fc.integer({ min: 1, max: MAX_STEPS }),
      (seed, steps) => tryGraph(seed, steps, tally),
    ),
    { numRuns: GRAPHS, includeErrorInReport: true, ...(SOAK_GRAPHS > 0 ? {} : { seed: 1 }) },
  );
  const known = OPERATORS.map(({ name }) => name).filter((name) => int8Scheme(name) !== undefined);
  t.deepEqual(
    known.filter((name) => !tally.operators.has(name)),
    [],
  );
  // Made for scales that meet, and around islands of float.
  t.true(tally.operators.get('QUANTIZE')! > 0);
  t.log(`${tally.outputs} outputs, ${tally.small} of them below ${INT8_DB} dB`);
  t.log(`${tally.clipped} of ${GRAPHS} graphs have their signal where percentile clips`);
  t.true(tally.small <= MOST_SMALL_SHARE * tally.outputs);
  t.true(tally.clipped <= MOST_CLIPPED_GRAPHS * GRAPHS);
  t.is(runtime.openCount, 0);
});
