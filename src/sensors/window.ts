/** Windows kept for inference before the oldest is dropped and counted. */
export const MAX_PENDING_WINDOWS = 256;

/** One window of samples: `data` is [windowSamples, channels] in row order. */
export interface SampleWindow {
  /** Counts from 1 in each start of the agent; a gap in what follows is a loss. */
  readonly sequence: number;
  readonly data: Float32Array;
  /** When its last sample arrived, wall clock. */
  readonly endedAtMs: number;
}

export interface WindowerOptions {
  readonly channels: number;
  readonly windowSamples: number;
  readonly strideSamples: number;
  readonly maxPending?: number;
}

/**
 * Cuts a stream of samples into windows and holds them until they are taken.
 * Bounded: when nobody takes them, the oldest go first, counted in `droppedCount`.
 */
export class Windower {
  readonly #options: Required<WindowerOptions>;
  readonly #history: Float32Array;
  readonly #pending: SampleWindow[] = [];
  #filledSamples = 0;
  #sequence = 0;
  #dropped = 0;

  constructor(options: WindowerOptions) {
    this.#options = { maxPending: MAX_PENDING_WINDOWS, ...options };
    this.#history = new Float32Array(options.windowSamples * options.channels);
  }

  /** Windows cut so far. */
  get windowCount(): number {
    return this.#sequence;
  }

  get droppedCount(): number {
    return this.#dropped;
  }

  get pendingCount(): number {
    return this.#pending.length;
  }

  /** @param sample one value a channel */
  push(sample: ArrayLike<number>, nowMs: number): void {
    const { channels, windowSamples, strideSamples, maxPending } = this.#options;
    if (sample.length !== channels) {
      throw new RangeError(`${sample.length} values in a sample of ${channels} channels`);
    }
    this.#history.set(sample, this.#filledSamples * channels);
    this.#filledSamples += 1;
    if (this.#filledSamples < windowSamples) return;
    this.#sequence += 1;
    this.#pending.push({
      sequence: this.#sequence,
      data: this.#history.slice(),
      endedAtMs: nowMs,
    });
    if (this.#pending.length > maxPending) {
      this.#pending.shift();
      this.#dropped += 1;
    }
    this.#history.copyWithin(0, strideSamples * channels);
    this.#filledSamples -= strideSamples;
  }

  /** Takes the oldest window. */
  take(): SampleWindow | undefined {
    return this.#pending.shift();
  }

  /** Forgets a window half full, as after a source's restart: samples of two runs do not mix. */
  restartWindow(): void {
    this.#filledSamples = 0;
  }
}
