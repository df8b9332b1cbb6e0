import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import test, { type ExecutionContext } from 'ava';
import { microcontrollerFacts } from '../../../src/cli/microcontroller-facts.ts';
import { parseJson, silentLogger, systemClock } from '../../../src/core/index.ts';
import { sandboxLoader } from '../../../src/inference/index.ts';
import {
  DEFAULT_FINETUNE,
  gains,
  optimize,
  type PruneSettings,
  planFacts,
  Report,
  readLabels,
  readSamples,
  type Variant,
} from '../../../src/optimize/index.ts';
import { parseModel } from '../../../src/tflite/index.ts';
import { buildFirmware } from '../../plan/board/firmware.ts';
import { sharedFile } from '../../shared-folder.ts';
import { requestFor } from '../optimize-request.ts';

/**
 * What pruning and training must reach on the keyword spotter of the shared folder, with their defaults. It takes most
 * of an hour: `make soak` runs it. DUNLIN_SOAK_STEPS says of how many steps training is, to try the test itself.
 */
const IS_SOAK = process.env['DUNLIN_SOAK'] !== undefined;
const STEPS = Number(process.env['DUNLIN_SOAK_STEPS'] ?? DEFAULT_FINETUNE.steps);
const MOST_MINUTES = 20;
const TEST_MS = 3 * 60 * 60 * 1000;

const load = sandboxLoader({
  clock: systemClock,
  logger: silentLogger,
  limits: { memoryBytes: 3 * 1024 ** 3, inferTimeoutMs: 60_000, loadTimeoutMs: 60_000 },
});
const { signal } = new AbortController();

interface Outcome {
  readonly float: Variant;
  readonly dense: Variant;
  readonly pruned: Variant;
  readonly minutes: number;
}

/** Undefined where this is no soak or there is nothing to soak; a word says which. */
async function outcomeOf(t: ExecutionContext, prune: PruneSettings): Promise<Outcome | undefined> {
  t.timeout(TEST_MS);
  if (!IS_SOAK) {
    t.log('skipped: training takes minutes; make soak runs it (DUNLIN_SOAK=1)');
    return undefined;
  }
  const [modelFile, calibrationFile, evaluationFile, labelsFile] = [
    'models/kws_float.tflite',
    'data/kws_cal.npy',
    'data/kws_eval.npy',
    'data/kws_eval_labels.npy',
  ].map((name) => sharedFile(name, t));
  if (!modelFile || !calibrationFile || !evaluationFile || !labelsFile) return undefined;
  await buildFirmware();
  const model = readFileSync(modelFile);
  const graph = parseModel(model, 'kws').subgraphs[0]!;
  const input = graph.tensors[graph.inputs[0]!]!;
  const calibration = [await readSamples(calibrationFile, input, { use: 'calibration' })];
  const evaluation = [await readSamples(evaluationFile, input, { use: 'evaluation' })];
  const startMs = performance.now();
  const { report } = await optimize(
    requestFor(model, load, {
      calibration,
      settings: { prune, finetune: { ...DEFAULT_FINETUNE, steps: STEPS } },
      more: {
        evaluation,
        labels: await readLabels(labelsFile, evaluation[0]!),
        threads: availableParallelism(),
        microcontroller: (bytes, what) => microcontrollerFacts(bytes, what, signal),
      },
    }),
  );
  const minutes = (performance.now() - startMs) / 60_000;
  parseJson(Report, JSON.stringify(report), 'report');
  const [float, dense, pruned] = ['float', 'int8', 'pruned-int8'].map(
    (name) => report.variants.find((variant) => variant.name === name)!,
  );
  print(t, report, minutes);
  return { float: float!, dense: dense!, pruned: pruned!, minutes };
}

function print(t: ExecutionContext, report: Report, minutes: number): void {
  const { training, pruning, variants } = report;
  const last = training!.curve.at(-1);
  t.log(
    `${training!.steps} steps (${training!.stopped}), validation loss ${last?.validationLoss}, ` +
      `${minutes.toFixed(1)} minutes; ${pruning!.zeroWeights} of ${pruning!.prunableWeights} weights gone`,
  );
  for (const { name, logits, accuracy, sparsity, compressedBytes, macs } of variants) {
    t.log(
      `${name}: agreement ${logits!.top1ByClass.toFixed(4)} (constant answer ` +
        `${logits!.constantPredictor.toFixed(4)}), ${logits!.sqnrDb} dB, accuracy ${accuracy!.toFixed(4)}, ` +
        `sparsity ${sparsity.toFixed(3)}, ${compressedBytes} bytes in brotli, ${macs} MACs`,
    );
  }
  for (const { variant, label, before, after, ratio } of gains(report)) {
    if (variant === 'pruned-int8')
      t.log(`${label}: ${before} to ${after}, ${ratio?.toFixed(3)} of it`);
  }
}

function shareOf({ pruned, dense }: Outcome, of: (variant: Variant) => number | undefined): number {
  const [after, before] = [of(pruned), of(dense)];
  if (after === undefined || before === undefined) throw new Error('it was not measured');
  return after / before;
}

const instructionsOf = (variant: Variant): number | undefined => planFacts(variant)?.instructions;

for (const [share, wanted] of [
  [0.5, { agreement: 0.94, accuracyLoss: 0.02, wire: 0.73 }],
  [0.75, { agreement: 0.88, accuracyLoss: 0.05, wire: 0.55 }],
] as const) {
  test.serial(`kws with ${100 * share} % of its weights zero`, async (t) => {
    const outcome = await outcomeOf(t, { share, structured: false, scope: 'layer' });
    if (outcome === undefined) return t.pass();
    const { float, pruned, minutes } = outcome;
    t.true(pruned.fullyInt8);
    t.true(pruned.logits!.top1ByClass >= wanted.agreement, 'agreement');
    t.true(float.accuracy! - pruned.accuracy! <= wanted.accuracyLoss, 'accuracy');
    t.true(shareOf(outcome, (variant) => variant.compressedBytes) <= wanted.wire, 'on the wire');
    t.true(minutes <= MOST_MINUTES, 'minutes');
    if (share < 0.75) return;
    t.true(shareOf(outcome, (variant) => planFacts(variant)?.weightBytes) <= 0.5, 'flash');
    t.true(shareOf(outcome, instructionsOf) <= 0.9, 'instructions');
  });
}

test.serial('kws with 40 % of its MACs gone, whole channels at a time', async (t) => {
  const outcome = await outcomeOf(t, { share: 0.4, structured: true, scope: 'layer' });
  if (outcome === undefined) return t.pass();
  const { pruned, minutes } = outcome;
  const macs = shareOf(outcome, (variant) => variant.macs);
  t.true(macs <= 0.6, 'MACs');
  t.true(pruned.logits!.top1ByClass >= 0.88, 'agreement');
  t.true(Math.abs(shareOf(outcome, instructionsOf) - macs) <= 0.15, 'instructions');
  t.true(minutes <= MOST_MINUTES, 'minutes');
});
