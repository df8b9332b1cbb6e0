import test from 'ava';
import { int8Operators } from '../../../src/optimize/quantize/int8-schemes.ts';
import { OPERATIONS } from '../../../src/optimize/train/operations/index.ts';
import { ModelBuilder } from '../../tflite/model-builder.ts';
import { RandomValues } from '../random-values.ts';
import { SharedRuntime } from '../shared-runtime.ts';
import { allCases } from './cases.ts';
import { NetworkTrial } from './network-trial.ts';
import { unitSamples, withTrainedInputs } from './trained-inputs.ts';

const BATCH = 3;
/** Sums in another order. */
const FORWARD_TOLERANCE = 1e-5;
/** Half the room that inputs keep from kinks; float32 rounds the difference to 2e-5 of an output. */
const STEP = 2 ** -8;
const GRADIENT_TOLERANCE = 1e-3;
/** Differences that cross a fused activation's limit say nothing. */
const MOST_SKIPPED = 0.1;
const MOST_ELEMENTS = 400;
/** Places are no function that has a derivative. */
const WITHOUT_GRADIENT = ['ARG_MAX'];

const runtime = new SharedRuntime();
test.after.always(() => runtime.close());

const trains = (builtin: string): boolean => builtin in OPERATIONS;

test('every operator that int8 knows can be trained, but for those that have no gradient', (t) => {
  const known = int8Operators().filter((name) => !WITHOUT_GRADIENT.includes(name));
  t.deepEqual(Object.keys(OPERATIONS).sort(), known.sort());
  const tried = new Set(allCases(trains).flatMap(({ builtins }) => builtins));
  t.deepEqual(
    known.filter((name) => !tried.has(name)),
    [],
  );
});

test('forward is what the runtime computes; backward is what finite differences say', async (t) => {
  t.timeout(300_000);
  let [compared, skipped] = [0, 0];
  for (const { name, model, range } of allCases(trains)) {
    const random = new RandomValues(5);
    const trained = withTrainedInputs(model, BATCH, range, random);
    const samples = unitSamples(BATCH).map((unit) => [unit]);
    const trial = new NetworkTrial(trained, samples, random);
    const distance = await trial.distance(runtime.load);
    t.true(distance <= FORWARD_TOLERANCE, `${name}: forward is off by ${distance}`);
    trial.backward();
    for (const parameter of trial.network.parameters) {
      const error = trial.elementErrors(parameter, STEP, MOST_ELEMENTS);
      const what = `${name}: the gradient of ${parameter.role} ${parameter.shape} of ${parameter.label}`;
      t.true(error.worst <= GRADIENT_TOLERANCE, `${what} is off by ${error.worst}`);
      t.true(error.compared > 0, what);
      compared += error.compared;
      skipped += error.skipped;
    }
  }
  t.true(skipped <= MOST_SKIPPED * compared, `${skipped} of ${compared}`);
  t.is(runtime.openCount, 0);
});

test('resizing picks and mixes pixels as the runtime does, from any size to any size', async (t) => {
  t.timeout(300_000);
  const MOST = 12;
  const random = new RandomValues(6);
  for (const builtin of ['RESIZE_BILINEAR', 'RESIZE_NEAREST_NEIGHBOR']) {
    for (const flags of [{}, { alignCorners: true }, { halfPixelCenters: true }]) {
      for (let from = 1; from <= MOST; from++) {
        for (let to = 1; to <= MOST; to++) {
          const b = new ModelBuilder();
          const [input, output] = [b.tensor([1, from, to, 1]), b.tensor([1, to, from, 1])];
          const inputs = [input, b.control([2], [to, from])];
          const model = b.operator(builtin, inputs, [output], flags).build([input], [output]);
          const values = Float32Array.from(random.normals(from * to, 1));
          const distance = await new NetworkTrial(model, [[values]], random).distance(runtime.load);
          const what = `${builtin} ${from} to ${to} ${JSON.stringify(flags)}`;
          t.true(distance <= FORWARD_TOLERANCE, `${what}: ${distance}`);
        }
      }
    }
  }
});
