import { sha256Hex } from '../core/index.ts';
import { describeModel, printable } from '../tflite/index.ts';
import { type Calibration, calibrate } from './calibrate/calibrate.ts';
import {
  type ChangedModel,
  checkTrainable,
  planChange,
  withoutDeadChannels,
} from './change-model.ts';
import { chooseVariant, paretoFront } from './choose.ts';
import { type Candidate, type Evaluation, evaluateVariant } from './evaluate.ts';
import { finishModel } from './finish-model.ts';
import { type FloatModel, openFloatModel } from './float-model.ts';
import { refuseNotFinite, runOutputs } from './measure/logits.ts';
import { writeDynamicModel } from './quantize/dynamic-model.ts';
import { writeFloat16Model } from './quantize/float16-model.ts';
import { type Int8Variant, quantizeInt8, trialRuns } from './quantize/quantize-int8.ts';
import type { Report, Variant } from './report-document.ts';
import type {
  FinetuneSettings,
  Mode,
  Optimized,
  OptimizeRequest,
  Progress,
  PruneSettings,
} from './request.ts';
import { checkSampleSets, goldenInputsOf, samplesOf } from './sample-inputs.ts';
import { FLOAT_VARIANT, variantFile, variantMode, variantName } from './variant-names.ts';
import {
  changeWarnings,
  clippingWarnings,
  int8Warnings,
  outputWarnings,
  sampleWarnings,
} from './warnings.ts';

/**
 * A float model's smaller variants, what each costs and loses, and which one fits the budget.
 * @throws `model-*` for what cannot be quantized, `input-invalid` for samples that do not fit or give no numbers,
 *   what loading and inference throw
 */
export async function optimize(request: OptimizeRequest): Promise<Optimized> {
  const float = openFloatModel(request.model, request.what);
  checkSampleSets(float, request);
  checkTrainable(float, request);
  const made = await makeCandidates(float, request);
  const samples = samplesOf(request.evaluation ?? request.calibration);
  const wanted = await runOutputs(float.model, float.what, samples, request);
  refuseNotFinite(wanted, float.what);
  const evaluation: Evaluation = { float, samples, labels: request.labels, wanted };
  const judged: Omit<Variant, 'pareto'>[] = [];
  for (const candidate of made.candidates) {
    judged.push(await evaluateVariant(candidate, evaluation, request));
  }
  const front = paretoFront(judged.map((variant) => ({ ...variant, pareto: false })));
  const variants = judged.map((variant) => ({ ...variant, pareto: front.has(variant.name) }));
  const report: Report = {
    ...headOf(float, request, made.int8),
    ...(made.changed?.pruning === undefined ? {} : { pruning: made.changed.pruning }),
    ...(made.changed?.training === undefined ? {} : { training: made.changed.training }),
    variants,
    choice: { ...chooseVariant(variants, request.budget), budget: request.budget },
    warnings: [
      ...outputWarnings(float),
      ...sampleWarnings(request.calibration[0]!.count, request.evaluation !== undefined),
      ...changeWarnings(made.changed),
      ...(made.int8 === undefined
        ? []
        : [
            ...int8Warnings(float, made.calibration!, made.int8),
            ...clippingWarnings(float, made.int8, wanted),
          ]),
    ],
  };
  const goldenInputs = goldenInputsOf(float, samples);
  return {
    report,
    files: new Map(made.candidates.map(({ file, bytes }) => [file, bytes])),
    ...(goldenInputs === undefined ? {} : { goldenInputs }),
  };
}

interface Made {
  /** The float model first. */
  readonly candidates: readonly Candidate[];
  /** The dense int8 one. */
  readonly int8?: Int8Variant;
  readonly calibration?: Calibration;
  readonly changed?: ChangedModel;
}

/** Dense variants of the model as it came, then those of what pruning and training made of it. */
async function makeCandidates(float: FloatModel, request: OptimizeRequest): Promise<Made> {
  const { settings, what } = request;
  const original = plainCandidate(FLOAT_VARIANT, finishModel(float.model, what));
  const source = withoutDeadChannels(float);
  const isFree = settings.prune === undefined && settings.finetune === undefined;
  if (isFree && settings.modes.every((mode) => mode === 'float16')) {
    return { candidates: [original, ...(await variantsOf({ float: source }, request)).candidates] };
  }
  const samples = samplesOf(request.calibration);
  const note = progress(request, 'calibrate', what, samples.count);
  const calibration = await calibrate(source, { ...request, samples, onProgress: note });
  // What cannot be done is said before the work.
  const change = planChange(source, calibration, samples, request);
  const dense = await variantsOf({ float: source, calibration }, request);
  const made = { ...dense, calibration, candidates: [original, ...dense.candidates] };
  const changed = await change?.make();
  if (changed === undefined) return made;
  const others = await variantsOfChanged(changed, request);
  return { ...made, changed, candidates: [...made.candidates, ...others] };
}

/** What variants are made of. */
interface Source {
  readonly float: FloatModel;
  readonly calibration?: Calibration;
  readonly weightSteps?: ReadonlyMap<number, number>;
}

async function variantsOf(
  { float, calibration, weightSteps }: Source,
  request: OptimizeRequest,
): Promise<{ readonly candidates: readonly Candidate[]; readonly int8?: Int8Variant }> {
  const { settings, what } = request;
  const candidates: Candidate[] = [];
  const wants = (mode: Mode): boolean => settings.modes.includes(mode);
  if (wants('float16')) {
    candidates.push(plainCandidate('float16', finishModel(writeFloat16Model(float), what)));
  }
  if (calibration === undefined) return { candidates };
  if (wants('dynamic')) {
    const model = writeDynamicModel(float, calibration, weightSteps);
    candidates.push(plainCandidate('dynamic', finishModel(model, what)));
  }
  if (!wants('int8')) return { candidates };
  const samples = samplesOf(request.calibration);
  const options = { ...settings, ...(weightSteps === undefined ? {} : { weightSteps }) };
  const int8 = await quantizeInt8(float, calibration, samples, options, {
    ...request,
    onTrial: progress(request, 'quantize', what, trialRuns(samples)),
  });
  candidates.push({ ...plainCandidate('int8', int8.bytes), keptFloat: int8.keptFloat });
  return { candidates, int8 };
}

async function variantsOfChanged(
  { change, float, rounded, weightSteps }: ChangedModel,
  request: OptimizeRequest,
): Promise<Candidate[]> {
  const { settings, what } = request;
  const samples = samplesOf(request.calibration);
  const note = progress(request, 'calibrate', what, samples.count);
  const calibration = await calibrate(rounded, { ...request, samples, onProgress: note });
  const halves = settings.modes.filter((mode) => mode === 'float16');
  const inFloat = await variantsOf(
    { float },
    { ...request, settings: { ...settings, modes: halves } },
  );
  const modes = settings.modes.filter((mode) => mode !== 'float16');
  const inSteps = await variantsOf(
    { float: rounded, calibration, weightSteps },
    { ...request, settings: { ...settings, modes } },
  );
  return [
    plainCandidate(FLOAT_VARIANT, finishModel(float.model, what)),
    ...inFloat.candidates,
    ...inSteps.candidates,
  ].map((candidate) => {
    const name = variantName(variantMode(candidate.name)!, change);
    return { ...candidate, name, file: variantFile(name), dense: candidate.name };
  });
}

function plainCandidate(name: string, bytes: Uint8Array): Candidate {
  return { name, file: variantFile(name), bytes, keptFloat: [] };
}

function progress(
  { onProgress }: OptimizeRequest,
  step: Progress['step'],
  subject: string,
  total: number,
): (done: number) => void {
  return (done) => onProgress({ step, subject, done, total });
}

/** What a report says of the run itself. */
function headOf(
  float: FloatModel,
  request: OptimizeRequest,
  int8: Int8Variant | undefined,
): Omit<Report, 'variants' | 'choice' | 'warnings'> {
  const { settings, calibration, evaluation } = request;
  const { inputs, outputs, operators, parameterCount, macs } = describeModel(
    float.model,
    request.model,
  );
  const judgedBy = evaluation ?? calibration;
  const digest = (sets: OptimizeRequest['calibration']): string =>
    sets.length === 1 ? sets[0]!.sha256 : sha256Hex(sets.map(({ sha256 }) => sha256).join());
  return {
    type: 'dunlin-optimize-report',
    formatVersion: 1,
    createdAt: new Date(request.nowMs).toISOString(),
    machine: request.machine,
    source: {
      file: printable(request.what),
      sha256: sha256Hex(request.model),
      sizeBytes: request.model.byteLength,
      inputShape: [...inputs[0]!.shape],
      outputShape: [...outputs[0]!.shape],
      operatorCount: operators.reduce((sum, { count }) => sum + count, 0),
      parameterCount,
      macs,
    },
    calibration: {
      source: printable(calibration[0]!.source),
      sha256: digest(calibration),
      count: calibration[0]!.count,
      ranges: int8?.ranges ?? 'none',
    },
    evaluation: {
      source: printable(judgedBy[0]!.source),
      sha256: digest(judgedBy),
      count: judgedBy[0]!.count,
      separate: evaluation !== undefined,
      labelled: request.labels !== undefined,
    },
    options: {
      modes: settings.modes.join(),
      ranges: settings.ranges,
      inputType: settings.inputType,
      outputType: settings.outputType,
      fullyInt8: settings.fullyInt8,
      biasCorrection: settings.biasCorrection,
      ...optionsOf('prune', settings.prune),
      ...optionsOf('finetune', settings.finetune),
    },
  };
}

/** `finetune.seed` of `{ seed }`. */
function optionsOf(
  prefix: string,
  settings: PruneSettings | FinetuneSettings | undefined,
): Report['options'] {
  const entries: [string, string | number | boolean][] = Object.entries(settings ?? {});
  return Object.fromEntries(entries.map(([name, value]) => [`${prefix}.${name}`, value]));
}
