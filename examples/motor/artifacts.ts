/** Everything that is checked in, made from seeds. */
import { brotliCompressSync } from 'node:zlib';
import { formatNpy, Random } from '../../src/core/index.ts';
import { serializeModel } from '../../src/tflite/index.ts';
import { toFloatModel } from './export.ts';
import { toInt8File } from './int8.ts';
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
import { createMotorNetwork, type Network } from './network.ts';
import { measureAccuracy } from './runtime.ts';
import { AXES, CONDITIONS, simulateSet, WINDOW_SAMPLES, type WindowSet } from './simulate.ts';
import { type Progress, type TrainingPlan, train } from './train.ts';

export const SEEDS = {
  weights: 7,
  trainingV1: 1,
  trainingV2: 2,
  calibration: 3,
  heldOut: 4,
  golden: 5,
} as const;

const CALIBRATION_WINDOWS = 256;
const HELD_OUT_WINDOWS = 8000;
const GOLDEN_WINDOWS = 32;
const BATCH_WINDOWS = 32;

export type Version = keyof Metrics['versions'];

/** v2 goes on from v1: more steps, and half of the weights leave (a little more of those that may). */
const PLANS: Record<Version, TrainingPlan> = {
  v1: {
    seed: SEEDS.trainingV1,
    steps: 400,
    batch: BATCH_WINDOWS,
    learningRate: 3e-3,
    sparsity: 0,
  },
  v2: {
    seed: SEEDS.trainingV2,
    steps: 1200,
    batch: BATCH_WINDOWS,
    learningRate: 2e-3,
    sparsity: 0.54,
  },
};

export interface Artifacts {
  /** By path in examples/motor. */
  readonly files: ReadonlyMap<string, Uint8Array>;
  readonly metrics: Metrics;
}

/** Trains both versions, writes their files in memory and measures them. One core, a few minutes. */
export async function makeArtifacts(
  onProgress: (version: Version, progress: Progress) => void,
): Promise<Artifacts> {
  const files = new Map<string, Uint8Array>();
  files.set('labels.json', Buffer.from(`${JSON.stringify(CONDITIONS, null, 2)}\n`));
  files.set('golden-inputs.npy', goldenInputs());
  const heldOut = simulateSet(SEEDS.heldOut, HELD_OUT_WINDOWS);
  const network = createMotorNetwork(new Random(SEEDS.weights));
  const trainAndExport = (version: Version): Promise<VersionMetrics> => {
    train(network, PLANS[version], (progress) => onProgress(version, progress));
    return exportVersion(network, version, heldOut, files);
  };
  // v2 goes on from v1: one after the other.
  const versions = { v1: await trainAndExport('v1'), v2: await trainAndExport('v2') };
  const metrics: Metrics = {
    node: process.version,
    architecture: process.arch,
    heldOutWindows: HELD_OUT_WINDOWS,
    calibrationWindows: CALIBRATION_WINDOWS,
    seeds: SEEDS,
    versions,
  };
  files.set(METRICS_FILE, formatMetrics(metrics));
  return { files, metrics };
}

function goldenInputs(): Uint8Array {
  const { windows } = simulateSet(SEEDS.golden, GOLDEN_WINDOWS);
  const shape = [GOLDEN_WINDOWS, WINDOW_SAMPLES, 1, AXES];
  return formatNpy({ type: 'float32', shape, data: windows });
}

async function exportVersion(
  network: Network,
  version: Version,
  heldOut: WindowSet,
  files: Map<string, Uint8Array>,
): Promise<VersionMetrics> {
  const float = serializeModel(toFloatModel(network, version));
  const calibration = simulateSet(SEEDS.calibration, CALIBRATION_WINDOWS);
  const int8 = await toInt8File(float, `${version}/float.tflite`, calibration);
  files.set(`${version}/float.tflite`, float);
  files.set(`${version}/int8.tflite`, int8.bytes);
  const { parameters } = network;
  const plans = version === 'v1' ? [PLANS.v1] : [PLANS.v1, PLANS.v2];
  return {
    trainingWindows: plans.reduce((sum, plan) => sum + plan.steps * plan.batch, 0),
    parameters: parameters.reduce((sum, { values }) => sum + values.length, 0),
    prunableSparsity: shareOfZeros(parameters.filter((p) => p.isPrunable)),
    weightSparsity: shareOfZeros(network.layers.flatMap((layer) => layer.parameters.slice(0, 1))),
    int8Ranges: int8.ranges,
    float: fileMetrics(float, measureAccuracy(float, heldOut)),
    int8: fileMetrics(int8.bytes, measureAccuracy(int8.bytes, heldOut)),
  };
}

function shareOfZeros(parameters: readonly { readonly values: Float32Array }[]): number {
  const [zeros, all] = parameters.reduce(
    ([z, n], { values }) => [z + values.filter((value) => value === 0).length, n + values.length],
    [0, 0] as [number, number],
  );
  return Math.round((1e4 * zeros) / all) / 1e4;
}

function fileMetrics(bytes: Uint8Array, accuracy: number): FileMetrics {
  return {
    accuracy,
    sizeBytes: bytes.length,
    compressedBytes: brotliCompressSync(bytes).length,
  };
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
