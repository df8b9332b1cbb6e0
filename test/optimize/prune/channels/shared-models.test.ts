import test from 'ava';
import { silentLogger, systemClock } from '../../../../src/core/index.ts';
import { sandboxLoader } from '../../../../src/inference/index.ts';
import { finishModel } from '../../../../src/optimize/finish-model.ts';
import {
  chooseChannels,
  removeChannels,
  removeDeadChannels,
  weightImportance,
} from '../../../../src/optimize/prune/channels/index.ts';
import { describeModel, parseModel, type TfliteModel } from '../../../../src/tflite/index.ts';
import { sharedModel } from '../../../shared-folder.ts';
import { RandomValues } from '../../random-values.ts';
import { editLayers, zeroReads } from './edit-weights.ts';
import { distance, randomInputs, runModel } from './run-model.ts';

const MACS_SHARE = 0.6;
const FLOAT_TOLERANCE = 1e-5;
const MODELS = [
  'kws_float',
  'ic_float',
  'ad01_float',
  'mobilenet_v1_0.25_128_quant',
  'kws_int8',
  'ic_int8',
  'ad01_int8',
];

const load = sandboxLoader({ clock: systemClock, logger: silentLogger });

async function difference(before: TfliteModel, after: TfliteModel): Promise<number> {
  const inputs = randomInputs(before, 3, 1);
  const wanted = await runModel(load, before, inputs);
  return distance(before, wanted, await runModel(load, after, inputs));
}

for (const name of MODELS) {
  test.serial(`${name} loses ${100 * (1 - MACS_SHARE)}% of its MACs`, async (t) => {
    t.timeout(120_000);
    const bytes = sharedModel(t, `${name}.tflite`);
    if (bytes === undefined) return;
    const model = parseModel(bytes, name);
    const importanceOf = weightImportance(model, name);
    const { classes } = chooseChannels(model, name, { macsShare: MACS_SHARE, importanceOf });
    const less = removeChannels(model, name, classes);
    const file = finishModel(less, name);
    const { macs } = describeModel(parseModel(file, name), file);
    const share = macs / describeModel(model, bytes).macs;
    t.log(
      `${(100 * share).toFixed(1)}% of its MACs, ${file.byteLength} of ${bytes.byteLength} bytes`,
    );
    t.true(share <= MACS_SHARE);
    t.true(file.byteLength < bytes.byteLength);
    const reads = classes.flatMap(({ consumers }) => consumers);
    const off = await difference(zeroReads(model, reads), less);
    const isFloat = name.endsWith('float');
    t.true(off <= (isFloat ? FLOAT_TOLERANCE : 0), `${off}`);
    t.true((await difference(model, less)) > 1e-3, 'all those channels had nothing to say');
  });

  test.serial(`${name} computes the same without channels that are dead`, async (t) => {
    t.timeout(120_000);
    const bytes = sharedModel(t, `${name}.tflite`);
    if (bytes === undefined) return;
    const random = new RandomValues(1);
    const model = editLayers(
      parseModel(bytes, name),
      ({ weights, bias, outputs, outputOf, zero }) => {
        const rows = Array.from({ length: outputs }, () => random.chance(0.2));
        for (const index of weights.keys()) if (rows[outputOf(index)]) weights[index] = zero;
        for (const [row, silent] of rows.entries())
          if (silent) bias![row] = Math.min(bias![row]!, 0);
      },
    );
    const { model: less, removed } = removeDeadChannels(model, name);
    t.log(removed.map(({ layer, channels }) => `${layer} ${channels}`).join(', '));
    t.true(removed.length > 0);
    const off = await difference(model, less);
    t.log(`${off}`);
    t.true(off <= (name.endsWith('float') ? FLOAT_TOLERANCE : 0), `${off}`);
  });
}

test.serial(
  'MobileNet as it was published has dead channels; without them it is the same to the byte',
  async (t) => {
    const bytes = sharedModel(t, 'mobilenet_v1_0.25_128_quant.tflite');
    if (bytes === undefined) return;
    const model = parseModel(bytes, 'mobilenet');
    const { model: less, removed } = removeDeadChannels(model, 'mobilenet');
    t.deepEqual(
      removed.map(({ layer, channels }) => [layer.split('/').at(-2), channels]),
      [
        ['Conv2d_0', 3],
        ['Conv2d_1_pointwise', 1],
      ],
    );
    t.is(await difference(model, less), 0);
    const [before, after] = [model, less].map((of) => describeModel(of, bytes).macs);
    t.log(`${before} to ${after} MACs`);
    t.true(after! < 0.95 * before!);
  },
);
