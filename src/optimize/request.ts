import type { LoadModel } from '../inference/index.ts';
import type { RangeMethod } from './calibrate/ranges.ts';
import type { PruneScope } from './prune/weights.ts';
import type { Budget, MicrocontrollerFacts, Report } from './report-document.ts';
import type { SampleSet } from './samples/index.ts';
import type { CheckpointStore } from './train/checkpoint.ts';

/** Which variants are made; the float model, repacked, is always one of them. */
export const MODES = ['int8', 'dynamic', 'float16'] as const;
export type Mode = (typeof MODES)[number];

export interface PruneSettings {
  /** Of the prunable weights that become zero; where it is structured, of the MACs that go with whole channels. */
  readonly share: number;
  readonly structured: boolean;
  readonly scope: PruneScope;
}

export interface FinetuneSettings {
  readonly steps: number;
  /** The largest, as a share of the size of what it changes. */
  readonly learningRate: number;
  readonly seed: number;
  /** Learns from variations of the samples too; thousands with their labels are better learned from as they are. */
  readonly augment: boolean;
  /** Of pruned weights: fewer than 8 make the file travel lighter. */
  readonly weightBits: number;
}

/** Days of training on a small machine; the curve of more steps would be longer than a report's lists may be. */
export const MAX_TRAINING_STEPS = 500_000;

export const DEFAULT_FINETUNE: FinetuneSettings = {
  steps: 4000,
  learningRate: 0.03,
  seed: 1,
  augment: true,
  weightBits: 6,
};

export interface OptimizeSettings {
  readonly modes: readonly Mode[];
  /** `auto` tries every method and keeps the one whose results on the calibration samples are closest to float's. */
  readonly ranges: 'auto' | RangeMethod;
  /** What the int8 variant takes and gives. */
  readonly inputType: 'int8' | 'float32';
  readonly outputType: 'int8' | 'float32';
  /** Refuses a model of which an operator would stay in float. */
  readonly fullyInt8: boolean;
  readonly biasCorrection: boolean;
  /** Makes variants of a pruned model too. */
  readonly prune?: PruneSettings;
  /** Trains what was pruned, or the model as it is, with int8 simulated. */
  readonly finetune?: FinetuneSettings;
}

export const DEFAULT_SETTINGS: OptimizeSettings = {
  modes: ['int8'],
  ranges: 'auto',
  inputType: 'int8',
  outputType: 'int8',
  fullyInt8: false,
  biasCorrection: true,
};

/** What is being done, and how far it is. */
export interface Progress {
  readonly step: 'calibrate' | 'quantize' | 'prune' | 'train' | 'evaluate' | 'microcontroller';
  /** The model or the variant that is being worked on. */
  readonly subject: string;
  readonly done: number;
  readonly total: number;
  /** Of training, lately. */
  readonly loss?: number;
}

export interface OptimizeRequest {
  /** The float model's file, and what to call it. */
  readonly model: Uint8Array;
  readonly what: string;
  /** Samples for each input of the model, in its order, of equal counts. */
  readonly calibration: readonly SampleSet[];
  /** What the variants are judged by; the calibration samples where it is absent. */
  readonly evaluation?: readonly SampleSet[];
  /** The right class of each evaluation sample. */
  readonly labels?: Int32Array;
  /** The right class of each calibration sample, to learn from beside the float model's own answers. */
  readonly calibrationLabels?: Int32Array;
  /** Where training leaves what it has, to go on from after an interruption. */
  readonly checkpoint?: CheckpointStore;
  /** For training; 1 unless given. The result does not depend on it. */
  readonly threads?: number;
  readonly settings: OptimizeSettings;
  readonly budget: Budget;
  readonly machine: Report['machine'];
  readonly nowMs: number;
  readonly load: LoadModel;
  /**
   * What a fully int8 model takes of a microcontroller; rooms below cannot compile plans, so the caller brings it.
   * The report has no such facts without.
   */
  readonly microcontroller?: (model: Uint8Array, what: string) => Promise<MicrocontrollerFacts>;
  readonly signal: AbortSignal;
  readonly onProgress: (progress: Progress) => void;
}

export interface Optimized {
  readonly report: Report;
  /** The variants' files by name, as the report names them. */
  readonly files: ReadonlyMap<string, Uint8Array>;
  /** A few evaluation samples, for a release's golden outputs: [count, …input]. Absent for several inputs. */
  readonly goldenInputs?: { readonly shape: readonly number[]; readonly values: Float32Array };
}
