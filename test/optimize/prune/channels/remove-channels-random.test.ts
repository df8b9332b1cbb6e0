import test from 'ava';
import fc from 'fast-check';
import { channelClasses, removeChannels } from '../../../../src/optimize/prune/channels/index.ts';
import { parseModel, serializeModel, type TfliteModel } from '../../../../src/tflite/index.ts';
import { randomSamples } from '../../optimize-request.ts';
import { RandomTrial } from '../../random-trial.ts';
import { RandomValues } from '../../random-values.ts';
import { SharedRuntime } from '../../shared-runtime.ts';
import { channelModel } from './channel-model.ts';
import { zeroReads } from './edit-weights.ts';
import { distance, randomInputs, runModel } from './run-model.ts';

/** `make soak` sets it: how many graphs to try instead of those of every day. */
const SOAK_GRAPHS = Number(process.env['DUNLIN_SOAK'] ?? 0);
const GRAPHS = SOAK_GRAPHS > 0 ? SOAK_GRAPHS : 100;
const GRAPH_MS = 1_000;
const MAX_STEPS = 10;
const INPUTS = 3;
/** As in dead-channels-random.test.ts. */
const FLOAT_TOLERANCE = 1e-4;

const runtime = new SharedRuntime();
test.after.always(() => runtime.close());
const { load } = runtime;

async function asInt8(float: TfliteModel): Promise<TfliteModel> {
  const trial = await RandomTrial.start(serializeModel(float), randomSamples(float, 4), load);
  return parseModel(await trial.int8('minmax'), 'int8');
}

/** Takes classes out at random; false where there are none. */
async function tryModel(model: TfliteModel, seed: number): Promise<boolean> {
  const random = new RandomValues(seed);
  const { classes } = channelClasses(model, 'model');
  // The first of each tensor stays, so that no other has to stay in its place.
  const taken = classes.filter(
    ({ frozen, members }) =>
      frozen === undefined && random.chance(0.4) && members.every(({ channel }) => channel > 0),
  );
  if (taken.length === 0) return false;
  const less = removeChannels(model, 'model', taken);
  for (const { members } of taken) {
    for (const { tensor } of members) {
      const [before, after] = [model, less].map(
        ({ subgraphs }) => subgraphs[0]!.tensors[tensor]!.shape,
      ) as [number[], number[]];
      const lost = taken.flatMap((found) =>
        found.members.filter((member) => member.tensor === tensor),
      );
      if (after.at(-1) !== before.at(-1)! - lost.length) throw new Error(`${before} to ${after}`);
    }
  }
  const reads = taken.flatMap(({ consumers }) => consumers);
  const inputs = randomInputs(model, INPUTS, seed);
  const wanted = await runModel(load, zeroReads(model, reads), inputs);
  const off = distance(model, wanted, await runModel(load, less, inputs));
  if (!(off <= FLOAT_TOLERANCE)) throw new Error(`outputs are ${off} apart`);
  return true;
}

for (const type of ['float32', 'int8'] as const) {
  test(`random graphs, ${type}: without channels is as if nobody read them`, async (t) => {
    t.timeout(60_000 + GRAPHS * GRAPH_MS);
    let tried = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: 2 ** 30 }),
        fc.integer({ min: 1, max: MAX_STEPS }),
        async (seed, steps) => {
          const float = channelModel(seed, steps);
          const model = type === 'float32' ? float : await asInt8(float);
          if (await tryModel(model, seed)) tried += 1;
        },
      ),
      { numRuns: GRAPHS, includeErrorInReport: true, ...(SOAK_GRAPHS > 0 ? {} : { seed: 1 }) },
    );
    t.log(`${tried} of ${GRAPHS} had channels that may go`);
    t.true(tried > GRAPHS / 3);
  });
}
