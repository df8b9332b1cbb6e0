import test from 'ava';
import { OPERATIONS } from '../../../src/optimize/train/operations/index.ts';
import { parseModel, type TfliteModel } from '../../../src/tflite/index.ts';
import { sharedModel } from '../../shared-folder.ts';
import { ModelBuilder } from '../../tflite/model-builder.ts';
import { countOf } from '../random-graph.ts';
import { randomModel } from '../random-model.ts';
import { RandomValues } from '../random-values.ts';
import { SharedRuntime } from '../shared-runtime.ts';
import { NetworkTrial } from './network-trial.ts';

const BATCH = 3;
const GRAPHS = 400;
const MAX_STEPS = 12;
/** Many layers of sums in another order, some of near opposites. */
const FORWARD_TOLERANCE = 1e-4;
const STEP = 2 ** -8;
const ELEMENT_TOLERANCE = 1e-3;
const DIRECTIONS = 3;
/** Of a slope along a direction; two steps that say more different things have kinks on their way. */
const SLOPE_TOLERANCE = 0.01;
const DIRECTION_STEP = 2 ** -10;
const SMALLER = 0.25;

const runtime = new SharedRuntime();
test.after.always(() => runtime.close());

function randomTrial(model: TfliteModel, random: RandomValues, batch = BATCH): NetworkTrial {
  const { inputs, tensors } = model.subgraphs[0]!;
  const samples = Array.from({ length: batch }, () =>
    inputs.map((index) => Float32Array.from(random.normals(countOf(tensors[index]!.shape), 1))),
  );
  return new NetworkTrial(model, samples, random);
}

test('random graphs compute what the runtime does, and their gradients are slopes', async (t) => {
  t.timeout(300_000);
  const seen = new Set<string>();
  let [graphs, slopes, kinks] = [0, 0, 0];
  for (let seed = 1; graphs < GRAPHS; seed++) {
    const { model } = randomModel(seed, 1 + (seed % MAX_STEPS));
    const builtins = model.operatorCodes.map(({ builtin }) => builtin);
    if (!builtins.every((builtin) => builtin in OPERATIONS)) continue;
    graphs += 1;
    for (const builtin of builtins) seen.add(builtin);
    const trial = randomTrial(model, new RandomValues(seed));
    const distance = await trial.distance(runtime.load);
    t.true(distance <= FORWARD_TOLERANCE, `seed ${seed}: forward is off by ${distance}`);
    if (trial.network.parameters.length === 0) continue;
    trial.backward();
    for (let turn = 0; turn < DIRECTIONS; turn++) {
      const direction = trial.direction();
      const wanted = direction.wanted;
      const [wide, narrow] = [1, SMALLER].map((by) => direction.slope(DIRECTION_STEP * by));
      if (Math.abs(wide! - narrow!) > SLOPE_TOLERANCE * direction.scale) {
        kinks += 1;
        continue;
      }
      slopes += 1;
      const error = Math.abs(narrow! - wanted) / direction.scale;
      t.true(error <= 2 * SLOPE_TOLERANCE, `seed ${seed}: a slope is off by ${error}`);
    }
  }
  t.log(`${slopes} slopes, ${kinks} left out for kinks`);
  t.true(slopes > kinks);
  t.deepEqual(
    Object.keys(OPERATIONS).filter((name) => !seen.has(name)),
    [],
  );
});

for (const name of ['kws', 'ad01', 'ic']) {
  test(`${name} computes what the runtime does, and its gradients are slopes`, async (t) => {
    const bytes = sharedModel(t, `${name}_float.tflite`);
    if (bytes === undefined) return;
    const trial = randomTrial(parseModel(bytes, name), new RandomValues(2));
    const distance = await trial.distance(runtime.load);
    t.true(distance <= FORWARD_TOLERANCE, `forward is off by ${distance}`);
    trial.backward();
    const { wanted, scale, slope } = trial.direction();
    const error = Math.abs(slope(DIRECTION_STEP) - wanted) / scale;
    t.true(error <= 2 * SLOPE_TOLERANCE, `a slope is off by ${error}`);
  });
}

async function checkGradients(
  t: { true(value: boolean, message?: string): void },
  model: TfliteModel,
): Promise<NetworkTrial> {
  const trial = randomTrial(model, new RandomValues(4));
  const distance = await trial.distance(runtime.load);
  t.true(distance <= FORWARD_TOLERANCE, `forward is off by ${distance}`);
  trial.backward();
  for (const parameter of trial.network.parameters) {
    const { worst, compared } = trial.elementErrors(parameter, STEP, 100);
    t.true(worst <= ELEMENT_TOLERANCE && compared > 0, `${parameter.label}: ${worst}`);
  }
  return trial;
}

const random = new RandomValues(3);
const constant = (b: ModelBuilder, ...shape: number[]): number =>
  b.tensor(shape, { data: random.normals(countOf(shape), 0.6) });

test('a tensor that several operators read, itself an output, sums up what comes back', async (t) => {
  const b = new ModelBuilder();
  const [input, hidden, bent, sum] = [
    b.tensor([1, 4]),
    b.tensor([1, 5]),
    b.tensor([1, 5]),
    b.tensor([1, 5]),
  ];
  const [left, right] = [b.tensor([1, 2]), b.tensor([1, 3])];
  b.operator('FULLY_CONNECTED', [input, constant(b, 5, 4), constant(b, 5)], [hidden])
    .operator('TANH', [hidden], [bent])
    .operator('MUL', [hidden, bent], [sum])
    .operator('FULLY_CONNECTED', [sum, constant(b, 2, 5), -1], [left])
    .operator('FULLY_CONNECTED', [hidden, constant(b, 3, 5), -1], [right]);
  await checkGradients(t, b.build([input], [hidden, left, right]));
});

test('weights that two layers share learn from both', async (t) => {
  const b = new ModelBuilder();
  const [input, once, twice] = [b.tensor([2, 4]), b.tensor([2, 4]), b.tensor([2, 4])];
  const [weights, bias] = [constant(b, 4, 4), constant(b, 4)];
  b.operator('FULLY_CONNECTED', [input, weights, bias], [once]).operator(
    'FULLY_CONNECTED',
    [once, weights, bias],
    [twice],
  );
  const { network } = await checkGradients(t, b.build([input], [twice]));
  t.is(network.parameters.length, 2);
});

test('an output that no parameter is behind stands beside one that has some', async (t) => {
  const b = new ModelBuilder();
  const [input, plain, trained] = [b.tensor([1, 4]), b.tensor([1, 4]), b.tensor([1, 3])];
  b.operator('TANH', [input], [plain]).operator(
    'FULLY_CONNECTED',
    [input, constant(b, 3, 4), -1],
    [trained],
  );
  await checkGradients(t, b.build([input], [plain, trained]));
});

test('what is computed of constants alone is the same for every sample', async (t) => {
  const b = new ModelBuilder();
  const [input, dense, output] = [b.tensor([2, 3]), b.tensor([2, 3]), b.tensor([2, 3])];
  const [row, tiled, bent] = [constant(b, 1, 3), b.tensor([2, 3]), b.tensor([2, 3])];
  const product = b.tensor([2, 3]);
  b.operator('TILE', [row, b.control([2], [2, 1])], [tiled])
    .operator('LOGISTIC', [tiled], [bent])
    .operator('BATCH_MATMUL', [bent, constant(b, 3, 3)], [product])
    .operator('FULLY_CONNECTED', [input, constant(b, 3, 3), -1], [dense])
    .operator('MUL', [dense, product], [output]);
  await checkGradients(t, b.build([input], [output]));
});

test('batches give what their samples give alone', (t) => {
  const { model } = randomModel(71, 12);
  const all = randomTrial(model, new RandomValues(9), 4).forward();
  const alone = randomTrial(model, new RandomValues(9), 1).forward();
  for (const [place, values] of alone.entries()) {
    t.deepEqual(all[place]!.subarray(0, values.length), values);
  }
});
