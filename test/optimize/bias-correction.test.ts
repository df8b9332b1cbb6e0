import test from 'ava';
import { serializeModel } from '../../src/tflite/index.ts';
import { layer } from './hostile-models.ts';
import { sampleSet } from './optimize-request.ts';
import { RandomTrial } from './random-trial.ts';
import { RandomValues } from './random-values.ts';
import { SharedRuntime } from './shared-runtime.ts';

const CHANNELS = 8;
const SAMPLES = 100;

/** Mean error of each output channel. */
function channelErrors(wanted: readonly (readonly Float32Array[])[], found: Float32Array[][]) {
  const errors = Array<number>(CHANNELS).fill(0);
  for (const [sample, [row]] of wanted.entries()) {
    for (const [place, value] of row!.entries()) {
      errors[place % CHANNELS]! += (found[sample]![0]![place]! - value) / (16 * SAMPLES);
    }
  }
  return errors;
}

const rms = (values: readonly number[]): number =>
  Math.sqrt(values.reduce((sum, value) => sum + value ** 2, 0) / values.length);

test('corrected biases take the mean error of rounded weights off the outputs', async (t) => {
  const runtime = new SharedRuntime();
  t.teardown(() => runtime.close());
  // Coarse weights over inputs that are all positive: errors that do not cancel.
  const model = layer({ change: (weights) => void weights.fill(20, 0, 1).fill(-20, 36, 37) });
  const random = new RandomValues(5);
  const inputs = Float32Array.from({ length: SAMPLES * 144 }, () => random.between(0.2, 1));
  const bytes = serializeModel(model);
  const trial = await RandomTrial.start(bytes, [sampleSet(inputs, SAMPLES)], runtime.load);
  const errorWith = async (biasCorrection: boolean): Promise<number> => {
    const file = await trial.int8('minmax', { biasCorrection, outputType: 'float32' });
    return rms(channelErrors(trial.wanted, await trial.outputs(file, 'stock')));
  };
  const [corrected, plain] = [await errorWith(true), await errorWith(false)];
  t.log(`mean error ${plain.toFixed(5)} → ${corrected.toFixed(5)}`);
  t.true(corrected < plain / 3);
});
