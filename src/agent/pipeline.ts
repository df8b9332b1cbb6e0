import { schedule as cronSchedule } from 'node-cron';
import { type Clock, errorCode, errorMessage, type Logger } from '../core/index.ts';
import { openSource, type SampleSource, type SampleWindow, Windower } from '../sensors/index.ts';
import {
  CONFIDENCE_BOUNDS,
  Histogram,
  type InferenceSample,
  LATENCY_BOUNDS_US,
  type Reporting,
} from '../telemetry/index.ts';
import type { ReleaseDocument } from '../update/index.ts';
import type { PipelineConfig } from './config.ts';

/** Samples that go into one telemetry message. */
const MAX_SAMPLES_PER_MESSAGE = 256;

export type Prediction = { readonly latencyUs: number } & (
  | { readonly label: string; readonly confidence: number }
  | { readonly values: number[] }
);

export interface ServedRelease {
  readonly document: ReleaseDocument;
  readonly releaseSha256: string;
}

/** A model in service, here or on a microcontroller. */
export interface WindowHost {
  readonly release: ServedRelease;
  readonly path: string;
  /** False while windows have to wait: a device that is flashed, or away. */
  readonly isReady: boolean;
  /** Of the process that infers, where there is one. */
  readonly pid: number | undefined;
  /** @param window float32, as many values as the model's input has */
  infer(window: Float32Array): Promise<Prediction>;
  close(): Promise<void>;
}

export interface PipelineDependencies {
  readonly name: string;
  readonly config: PipelineConfig;
  readonly reporter: Reporting;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Told of every inference of the model in service; what probation counts. */
  readonly onOutcome: (host: WindowHost, error: unknown) => void;
}

export interface InferenceCounts {
  readonly windows: number;
  readonly done: number;
  readonly dropped: number;
  readonly failed: number;
}

/**
 * source → windows → (on the cron schedule) model → results.
 * Invariants: the source runs only while a model is in service; windows are inferred in order, each once, by the
 * model that serves at that moment; a model is exchanged between two windows, so that none is lost; while the model
 * is not ready windows wait, and the oldest are dropped and counted when there are too many.
 */
export class Pipeline {
  readonly latencyUs = new Histogram(LATENCY_BOUNDS_US);
  readonly confidence = new Histogram(CONFIDENCE_BOUNDS);
  readonly #deps: PipelineDependencies;
  readonly #windower: Windower;
  #host: WindowHost | undefined;
  #source: SampleSource | undefined;
  #cron: ReturnType<typeof cronSchedule> | undefined;
  #draining: Promise<void> | undefined;
  #done = 0;
  #failed = 0;

  constructor(deps: PipelineDependencies) {
    this.#deps = deps;
    const { window, source } = deps.config;
    this.#windower = new Windower({
      channels: source.channels,
      windowSamples: window.samples,
      strideSamples: window.stride,
    });
  }

  get name(): string {
    return this.#deps.name;
  }

  get host(): WindowHost | undefined {
    return this.#host;
  }

  get sourceFaults(): number {
    return this.#source?.faultCount ?? 0;
  }

  get counts(): InferenceCounts {
    return {
      windows: this.#windower.windowCount,
      done: this.#done,
      dropped: this.#windower.droppedCount,
      failed: this.#failed,
    };
  }

  /** Puts a model into service; the one before is closed when no window is in it any more. */
  async serve(host: WindowHost): Promise<void> {
    const before = this.#host;
    this.#host = host;
    if (this.#source === undefined) await this.#start();
    await this.#draining;
    await before?.close();
  }

  /** Takes the model out of service, after the windows that came in; the source rests until the next one. */
  async rest(): Promise<void> {
    await this.#cron?.stop();
    await this.#source?.close();
    this.#source = undefined;
    await this.#drain();
    await this.#host?.close();
    this.#host = undefined;
  }

  async #start(): Promise<void> {
    const { config, clock, logger } = this.#deps;
    const sink = {
      sample: (values: ArrayLike<number>) => this.#windower.push(values, clock.nowMs()),
      gap: () => this.#windower.restartWindow(),
    };
    this.#source = await openSource(config.source, sink, { clock, logger });
    this.#cron = cronSchedule(config.schedule, () => this.#drain());
  }

  /** Infers what has come in; a tick that finds the one before at work leaves it to that one. */
  #drain(): Promise<void> {
    this.#draining ??= this.#inferPending().finally(() => {
      this.#draining = undefined;
    });
    return this.#draining;
  }

  async #inferPending(): Promise<void> {
    let samples: InferenceSample[] = [];
    for (let window = this.#take(); window !== undefined; window = this.#take()) {
      const sample = await this.#inferOne(window);
      if (sample !== undefined) samples.push(sample);
      if (samples.length >= MAX_SAMPLES_PER_MESSAGE || this.#windower.pendingCount === 0) {
        await this.#store(samples);
        samples = [];
      }
    }
    await this.#store(samples);
  }

  #take(): SampleWindow | undefined {
    return this.#host?.isReady === false ? undefined : this.#windower.take();
  }

  async #store(samples: readonly InferenceSample[]): Promise<void> {
    const { reporter, logger } = this.#deps;
    await reporter
      .samples(samples)
      .catch((error) => logger.error(`telemetry could not be stored: ${errorMessage(error)}`));
  }

  async #inferOne(window: SampleWindow): Promise<InferenceSample | undefined> {
    const { onOutcome, logger } = this.#deps;
    const host = this.#host;
    if (host === undefined) return undefined;
    try {
      const prediction = await host.infer(window.data);
      this.#done += 1;
      this.latencyUs.add(prediction.latencyUs);
      if ('confidence' in prediction) this.confidence.add(prediction.confidence);
      onOutcome(host, undefined);
      return this.#sample(host, window, prediction);
    } catch (error) {
      this.#failed += 1;
      logger.warn(`inference failed: ${errorMessage(error)}`, { code: errorCode(error) });
      onOutcome(host, error);
      return undefined;
    }
  }

  #sample(host: WindowHost, window: SampleWindow, prediction: Prediction): InferenceSample {
    const { model, version } = host.release.document;
    return {
      kind: 'inference',
      pipeline: this.#deps.name,
      at: new Date(window.endedAtMs).toISOString(),
      model: { model, version },
      path: host.path,
      window: window.sequence,
      ...prediction,
    };
  }
}
