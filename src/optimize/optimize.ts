import { sha256Hex } from '../core/index.ts';
import { describeModel, printable } from '../tflite/index.ts';
import { type Calibration, calibrate } from './calibrate/calibrate.ts';
import { chooseVariant, paretoFront } from './choose.ts';
import { type Candidate, type Evaluation, evaluateVariant } from './evaluate.ts';
import { finishModel } from './finish-model.ts';
import { type FloatModel, openFloatModel } from './float-model.ts';
import { refuseNotFinite, runOutputs } from './measure/logits.ts';
import { writeDynamicModel } from './quantize/dynamic-model.ts';
import { writeFloat16Model } from './quantize/float16-model.ts';
import { type Int8Variant, quantizeInt8, trialRuns } from './quantize/quantize-int8.ts';
import type { Report, Variant } from './report-document.ts';
import type { Mode, Optimized, OptimizeRequest, Progress } from './request.ts';
import { checkSampleSets, goldenInputsOf, samplesOf } from './sample-inputs.ts';
import { FLOAT_VARIANT, variantFile } from './variant-names.ts';
import { clippingWarnings, int8Warnings, outputWarnings, sampleWarnings } from './warnings.ts';

/**
 * A float model's smaller variants, what each costs and loses, and which one fits the budget.
 * @throws `model-*` for what cannot be quantized, `input-invalid` for samples that do not fit or give no numbers,
 *   what loading and inference throw
 */
export async function optimize(request: OptimizeRequest): Promise<Optimized> {
  const float = openFloatModel(request.model, request.what);
  checkSampleSets(float, request);
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
    variants,
    choice: { ...chooseVariant(variants, request.budget), budget: request.budget },
    warnings: [
      ...outputWarnings(float),
      ...sampleWarnings(request.calibration[0]!.count, request.evaluation !== undefined),
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
  readonly int8?: Int8Variant;
  readonly calibration?: Calibration;
}

async function makeCandidates(float: FloatModel, request: OptimizeRequest): Promise<Made> {
  const { settings, what } = request;
  const plain = (name: string, bytes: Uint8Array): Candidate => ({
    name,
    file: variantFile(name),
    bytes,
    keptFloat: [],
  });
  const wants = (mode: Mode): boolean => settings.modes.includes(mode);
  const candidates = [plain(FLOAT_VARIANT, finishModel(float.model, what))];
  if (wants('float16'))
    candidates.push(plain('float16', finishModel(writeFloat16Model(float), what)));
  if (!wants('dynamic') && !wants('int8')) return { candidates };
  const samples = samplesOf(request.calibration);
  const note = progress(request, 'calibrate', what, samples.count);
  const calibration = await calibrate(float, { ...request, samples, onProgress: note });
  if (wants('dynamic')) {
    candidates.push(plain('dynamic', finishModel(writeDynamicModel(float, calibration), what)));
  }
  if (!wants('int8')) return { candidates, calibration };
  const int8 = await quantizeInt8(float, calibration, samples, settings, {
    ...request,
    onTrial: progress(request, 'quantize', what, trialRuns(samples)),
  });
  candidates.push({ ...plain('int8', int8.bytes), keptFloat: int8.keptFloat });
  return { candidates, int8, calibration };
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
    },
  };
}
