/** Everything that is checked in, made from seeds. */
import { formatNpy, Random } from '../../src/core/index.ts';
import {
  DEFAULT_FINETUNE,
  type FinetuneSettings,
  type Optimized,
  type PruneSettings,
} from '../../src/optimize/index.ts';
import { describeModel, parseModel, serializeModel } from '../../src/tflite/index.ts';
import { toFloatModel } from './export.ts';
import {
  compareAccuracy,
  type FileMetrics,
  formatMetrics,
  METRICS_FILE,
  type Metrics,
  mustBeIdentical,
  parseMetrics,
  type VersionMetrics,
} from './metrics.ts';
import { createMotorNetwork } from './network.ts';
import { runOptimizer } from './optimizer.ts';
import { AXES, CONDITIONS, simulateSet, WINDOW_SAMPLES } from './simulate.ts';
import { type Progress, type TrainingPlan, train } from './train.ts';

export const SEEDS = {
  weights: 7,
  trainingV1: 1,
  trainingV2: 2,
  calibration: 3,
  heldOut: 4,
  golden: 5,
} as const;

export const HELD_OUT_WINDOWS = 8000;
const CALIBRATION_WINDOWS = 256;
const GOLDEN_WINDOWS = 32;

const PLAN_V1: TrainingPlan = {
  seed: SEEDS.trainingV1,
  steps: 400,
  batch: 32,
  learningRate: 3e-3,
};

/** v2 is v1 with half of the weights that may be pruned gone, and trained on. */
const PRUNE_V2: PruneSettings = { share: 0.5, structured: false, scope: 'layer' };
/** So many labelled windows are better learned from as they are. */
const FINETUNE_V2: FinetuneSettings = { ...DEFAULT_FINETUNE, steps: 2000, augment: false };
const WINDOWS_V2 = 8192;

export type Version = keyof Metrics['versions'];

export interface Artifacts {
  /** By path in examples/motor. */
  readonly files: ReadonlyMap<string, Uint8Array>;
  readonly metrics: Metrics;
}

/** Trains both versions, writes their files in memory and measures them: a few minutes, v2's on two cores. */
export async function makeArtifacts(
  onProgress: (version: Version, progress: Progress) => void,
): Promise<Artifacts> {
  const heldOut = simulateSet(SEEDS.heldOut, HELD_OUT_WINDOWS);
  const network = createMotorNetwork(new Random(SEEDS.weights));
  train(network, PLAN_V1, (progress) => onProgress('v1', progress));
  const float = serializeModel(toFloatModel(network, 'v1'));
  const start = { float, what: 'v1/float.tflite', heldOut };
  const v1 = await runOptimizer({
    ...start,
    windows: simulateSet(SEEDS.calibration, CALIBRATION_WINDOWS),
  });
  const v2 = await runOptimizer({
    ...start,
    windows: simulateSet(SEEDS.trainingV2, WINDOWS_V2),
    change: { prune: PRUNE_V2, finetune: FINETUNE_V2 },
    onTraining: (progress) => onProgress('v2', progress),
  });
  const metrics: Metrics = {
    node: process.version,
    architecture: process.arch,
    heldOutWindows: HELD_OUT_WINDOWS,
    calibrationWindows: CALIBRATION_WINDOWS,
    int8Ranges: v1.report.calibration.ranges,
    seeds: SEEDS,
    versions: { v1: metricsOfV1(v1), v2: metricsOfV2(v2) },
  };
  const files = new Map([
    ['labels.json', Buffer.from(`${JSON.stringify(CONDITIONS, null, 2)}\n`)],
    ['golden-inputs.npy', goldenInputs()],
    ['v1/float.tflite', float],
    ['v1/int8.tflite', v1.files.get('int8.tflite')!],
    ['v2/float.tflite', v2.files.get('pruned-float.tflite')!],
    ['v2/int8.tflite', v2.files.get('pruned-int8.tflite')!],
    [METRICS_FILE, formatMetrics(metrics)],
  ]);
  return { files, metrics };
}

function goldenInputs(): Uint8Array {
  const { windows } = simulateSet(SEEDS.golden, GOLDEN_WINDOWS);
  const shape = [GOLDEN_WINDOWS, WINDOW_SAMPLES, 1, AXES];
  return formatNpy({ type: 'float32', shape, data: windows });
}

function metricsOfV1(optimized: Optimized): VersionMetrics {
  const { steps, batch } = PLAN_V1;
  return {
    trainingSteps: steps,
    batchWindows: batch,
    trainingWindows: steps * batch,
    prunedShare: 0,
    ...measured(optimized, ''),
  };
}

function metricsOfV2(optimized: Optimized): VersionMetrics {
  const { training, pruning } = optimized.report;
  return {
    trainingSteps: training!.steps,
    batchWindows: training!.batch,
    trainingWindows: training!.samples,
    prunedShare: round(pruning!.zeroWeights / pruning!.prunableWeights),
    ...measured(optimized, 'pruned-'),
  };
}

/** @param prefix of the variants' names */
function measured({ report, files }: Optimized, prefix: '' | 'pruned-') {
  const fileMetrics = (name: string): FileMetrics => {
    const variant = report.variants.find((each) => each.name === `${prefix}${name}`)!;
    const { accuracy, sizeBytes, compressedBytes, sparsity } = variant;
    return { accuracy: accuracy!, sizeBytes, compressedBytes, zeroWeights: round(sparsity) };
  };
  const bytes = files.get(`${prefix}float.tflite`)!;
  const { parameterCount, macs } = describeModel(parseModel(bytes, 'float'), bytes);
  return {
    parameters: parameterCount,
    macs,
    float: fileMetrics('float'),
    int8: fileMetrics('int8'),
  };
}

function round(share: number): number {
  return Math.round(1e4 * share) / 1e4;
}

export interface Comparison {
  /** Another Node or processor may round otherwise: then bytes say nothing. */
  readonly compared: 'bytes and accuracy' | 'accuracy';
  /** A line each; empty when all is well. */
  readonly problems: readonly string[];
}

/** @param read gives a checked-in file by its path in examples/motor */
export function compareArtifacts(
  { files, metrics }: Artifacts,
  read: (path: string) => Uint8Array,
): Comparison {
  const recorded = parseMetrics(read(METRICS_FILE));
  const problems = compareAccuracy(recorded, metrics);
  if (!mustBeIdentical(recorded, metrics)) return { compared: 'accuracy', problems };
  for (const [path, bytes] of files) {
    // Float accuracy may move by a window with the vector width of the processor.
    if (path === METRICS_FILE || Buffer.compare(read(path), bytes) === 0) continue;
    problems.push(`${path}: other bytes`);
  }
  return { compared: 'bytes and accuracy', problems };
}
