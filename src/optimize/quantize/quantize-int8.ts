import { DunlinError } from '../../core/index.ts';
import { parseModel } from '../../tflite/index.ts';
import type { Calibration } from '../calibrate/calibrate.ts';
import { RANGE_METHODS, type RangeMethod } from '../calibrate/ranges.ts';
import { finishModel } from '../finish-model.ts';
import type { FloatModel } from '../float-model.ts';
import { agreementOf } from '../measure/agreement.ts';
import { runOutputs } from '../measure/logits.ts';
import { type RunOptions, type Samples, spreadSamples } from '../measure/sample-runs.ts';
import { removeDeadChannels } from '../prune/channels/index.ts';
import type { OptimizeSettings } from '../request.ts';
import { type Int8Options, type Int8Result, writeInt8Model } from './int8-model.ts';
import { type Int8Plan, planInt8 } from './int8-plan.ts';

/** The methods are compared over so many calibration samples. */
const TRIAL_SAMPLES = 100;

/** Inferences that choosing the ranges takes. */
export function trialRuns(samples: Samples): number {
  return Math.min(samples.count, TRIAL_SAMPLES) * (1 + RANGE_METHODS.length);
}

export interface Int8Variant extends Omit<Int8Result, 'model'> {
  readonly bytes: Uint8Array;
  readonly plan: Int8Plan;
  /** How the ranges were chosen, for people. */
  readonly ranges: string;
}

/** Of the settings, what decides the int8 variant. */
export type QuantizeSettings = Pick<OptimizeSettings, 'ranges' | 'fullyInt8'> & Int8Options;

interface Trial {
  readonly method: RangeMethod;
  readonly variant: Omit<Int8Variant, 'ranges'>;
}

/**
 * The int8 variant. Which way of choosing ranges is best differs from model to model, and is measured: each makes a
 * model, which runs the calibration samples, and the one whose logits are closest to float's is kept.
 * @throws `model-unsupported` where an operator would stay in float and that is not allowed
 */
export async function quantizeInt8(
  float: FloatModel,
  calibration: Calibration,
  samples: Samples,
  settings: QuantizeSettings,
  run: RunOptions & { readonly onTrial: (done: number) => void },
): Promise<Int8Variant> {
  const methods = settings.ranges === 'auto' ? RANGE_METHODS : [settings.ranges];
  const trials = methods.map((method): Trial => {
    run.signal.throwIfAborted();
    return { method, variant: makeVariant(float, calibration, method, settings) };
  });
  const [first] = trials;
  if (trials.length === 1) return { ...first!.variant, ranges: first!.method };
  const trialSamples = spreadSamples(samples, TRIAL_SAMPLES);
  let done = 0;
  const [wanted, ...found] = await Promise.all(
    [float.model, ...trials.map(({ variant }) => parseModel(variant.bytes, float.what))].map(
      (model) => runOutputs(model, float.what, trialSamples, run, () => run.onTrial(++done)),
    ),
  );
  const scores = trials.map((trial, place) => {
    const { logits, output } = found[place]!;
    const { sqnrDb } = agreementOf(wanted!.logits ?? wanted!.output, logits ?? output);
    return { trial, sqnrDb: sqnrDb ?? Number.POSITIVE_INFINITY };
  });
  const best = scores.reduce((a, b) => (b.sqnrDb > a.sqnrDb ? b : a));
  const tried = scores
    .map(({ trial, sqnrDb }) => `${trial.method} ${sqnrDb.toFixed(2)} dB`)
    .join(', ');
  return { ...best.trial.variant, ranges: `${best.trial.method} (tried: ${tried})` };
}

function makeVariant(
  float: FloatModel,
  calibration: Calibration,
  method: RangeMethod,
  settings: QuantizeSettings,
): Omit<Int8Variant, 'ranges'> {
  const plan = planInt8(float, calibration, method);
  const { model, ...rest } = writeInt8Model(float, calibration, plan, settings);
  const [kept] = rest.keptFloat;
  if (settings.fullyInt8 && kept !== undefined) {
    throw new DunlinError(
      `${float.what}: ${kept.name} would stay in float (${kept.reason}); leave --fully-int8 out, or change the model`,
      { code: 'model-unsupported', context: { kept: rest.keptFloat.map(({ name }) => name) } },
    );
  }
  // Rounding may have left channels without a weight.
  const bytes = finishModel(removeDeadChannels(model, float.what).model, float.what);
  return { ...rest, bytes, plan };
}
