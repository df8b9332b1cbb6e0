import test from 'ava';
import fc from 'fast-check';

import { removeDeadChannels } from '../../../../src/optimize/prune/channels/index.ts';
import {
  describeModel,
  parseModel,
  serializeModel,
  type TfliteModel,
} from '../../../../src/tflite/index.ts';
import { randomSamples } from '../../optimize-request.ts';
import { RandomTrial } from '../../random-trial.ts';
import { RandomValues } from '../../random-values.ts';
import { SharedRuntime } from '../../shared-runtime.ts';
import { channelModel } from './channel-model.ts';
import { silence } from './edit-weights.ts';
import { distance, randomInputs, runModel } from './run-model.ts';

/** `make soak` sets it: how many graphs to try instead of those of every day. */
const SOAK_GRAPHS = Number(process.env['DUNLIN_SOAK'] ?? 0);
const GRAPHS = SOAK_GRAPHS > 0 ? SOAK_GRAPHS : 150;
const GRAPH_MS = 1_000;
const RUNS = {
  numRuns: GRAPHS,
  includeErrorInReport: true,
  ...(SOAK_GRAPHS > 0 ? {} : { seed: 1 }),
};
const MAX_STEPS = 10;
const INPUTS = 4;
const SHARE = 0.3;
/** Of the largest value of an output: sums in another order, and kernels whose last few values go another way. */
const FLOAT_TOLERANCE = 1e-6;
/** Where a graph takes near equals from each other, what they are apart is large beside what is left. */
const CANCELLED_TOLERANCE = 1e-4;
const MOST_CANCELLED_SHARE = 0.02;

const runtime = new SharedRuntime();
test.after.always(() => runtime.close());
const { load } = runtime;

interface Tally {
  graphs: number;
  channels: number;
  exact: number;
  largest: number;
  cancelled: number;
}

const macsOf = (model: TfliteModel): number => describeModel(model, new Uint8Array(0)).macs;

/** Takes dead channels out of a model and holds what is left against it. */
async function tryModel(model: TfliteModel, seed: number, tally: Tally): Promise<void> {
  const { model: less, removed } = removeDeadChannels(model, 'model');
  if (removed.length === 0) return;
  tally.graphs += 1;
  tally.channels += removed.reduce((sum, { channels }) => sum + channels, 0);
  if (!(macsOf(less) < macsOf(model))) throw new Error('nothing is saved');
  const again = removeDeadChannels(less, 'model');
  if (again.removed.length > 0) throw new Error(`dead ones are left: ${JSON.stringify(again)}`);
  const inputs = randomInputs(model, INPUTS, seed);
  const wanted = await runModel(load, model, inputs);
  const found = await runModel(load, less, inputs);
  const off = distance(model, wanted, found);
  tally.largest = Math.max(tally.largest, off);
  if (off === 0) tally.exact += 1;
  if (off > FLOAT_TOLERANCE) tally.cancelled += 1;
  if (!(off <= CANCELLED_TOLERANCE)) throw new Error(`outputs are ${off} apart`);
}

test('random float graphs compute the same without their dead channels', async (t) => {
  t.timeout(60_000 + GRAPHS * GRAPH_MS);
  const tally = { graphs: 0, channels: 0, exact: 0, largest: 0, cancelled: 0 };
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 0, max: 2 ** 30 }),
      fc.integer({ min: 1, max: MAX_STEPS }),
      (seed, steps) =>
        tryModel(silence(channelModel(seed, steps), new RandomValues(seed), SHARE), seed, tally),
    ),
    RUNS,
  );
  t.log(tally);
  t.true(tally.graphs > GRAPHS / 3);
  t.true(tally.cancelled <= MOST_CANCELLED_SHARE * tally.graphs);
});

test('random int8 graphs give the same bytes without their dead channels', async (t) => {
  t.timeout(60_000 + GRAPHS * GRAPH_MS);
  const tally = { graphs: 0, channels: 0, exact: 0, largest: 0, cancelled: 0 };
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 0, max: 2 ** 30 }),
      fc.integer({ min: 1, max: MAX_STEPS }),
      async (seed, steps) => {
        const float = channelModel(seed, steps);
        const trial = await RandomTrial.start(serializeModel(float), randomSamples(float, 4), load);
        const model = parseModel(await trial.int8('minmax'), 'int8');
        await tryModel(silence(model, new RandomValues(seed), SHARE), seed, tally);
      },
    ),
    RUNS,
  );
  t.log(tally);
  t.true(tally.graphs > GRAPHS / 3);
  t.is(tally.exact, tally.graphs);
});
