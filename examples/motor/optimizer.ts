/** The optimizer that users have, `dunlin optimize`, on simulated windows. */
import { availableParallelism } from 'node:os';
import { silentLogger, systemClock } from '../../src/core/index.ts';
import { sandboxLoader } from '../../src/inference/index.ts';
import {
  DEFAULT_SETTINGS,
  machineFacts,
  modelInputs,
  type Optimized,
  type OptimizeSettings,
  optimize,
  type SampleSet,
  toSampleSet,
} from '../../src/optimize/index.ts';
import type { WindowSet } from './simulate.ts';
import type { Progress } from './train.ts';

export interface OptimizerRun {
  readonly float: Uint8Array;
  /** What to call it. */
  readonly what: string;
  /** Sets the ranges, and is what training learns from, with its labels. */
  readonly windows: WindowSet;
  /** What the variants are judged by. */
  readonly heldOut: WindowSet;
  /** Without them the model is quantized, and no more. */
  readonly change?: Pick<OptimizeSettings, 'prune' | 'finetune'>;
  readonly onTraining?: (progress: Progress) => void;
}

const MOST_THREADS = 2;

/** Equal files from equal bytes, on any number of threads: time and latencies are in the report alone. */
export function runOptimizer(run: OptimizerRun): Promise<Optimized> {
  const { float, what, windows, heldOut, change, onTraining } = run;
  return optimize({
    model: float,
    what,
    calibration: [samplesOf(run, windows, 'calibration')],
    evaluation: [samplesOf(run, heldOut, 'evaluation')],
    labels: Int32Array.from(heldOut.labels),
    ...(change?.finetune && { calibrationLabels: Int32Array.from(windows.labels) }),
    threads: Math.min(MOST_THREADS, availableParallelism()),
    settings: { ...DEFAULT_SETTINGS, ...change },
    budget: {},
    machine: machineFacts(),
    nowMs: systemClock.nowMs(),
    load: sandboxLoader({ clock: systemClock, logger: silentLogger }),
    signal: new AbortController().signal,
    onProgress: ({ step, done, total, loss }) => {
      if (step === 'train') onTraining?.({ step: done, steps: total, loss: loss ?? 0 });
    },
  });
}

function samplesOf(
  { float, what }: OptimizerRun,
  { windows, count }: WindowSet,
  use: 'calibration' | 'evaluation',
): SampleSet {
  const [input] = modelInputs(float, what);
  const raw = { values: windows, sourceCount: count };
  return toSampleSet(raw, input!, { source: 'simulated windows', use });
}
