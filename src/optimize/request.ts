import type { LoadModel } from '../inference/index.ts';
import type { RangeMethod } from './calibrate/ranges.ts';
import type { Budget, MicrocontrollerFacts, Report } from './report-document.ts';
import type { SampleSet } from './samples/index.ts';

/** Which variants are made; the float model, repacked, is always one of them. */
export const MODES = ['int8', 'dynamic', 'float16'] as const;
export type Mode = (typeof MODES)[number];

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
  readonly step: 'calibrate' | 'quantize' | 'evaluate' | 'microcontroller';
  /** The model or the variant that is being worked on. */
  readonly subject: string;
  readonly done: number;
  readonly total: number;
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
