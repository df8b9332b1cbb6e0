/** How long to wait for an answer that may never come. */
export interface AnswerTimeouts {
  /** Before anything is known about the link. */
  readonly initialMs: number;
  readonly minMs: number;
  readonly maxMs: number;
}

/** RFC 6298 begins at 1 s; a broker on a factory's network answers in milliseconds, one behind a modem in seconds. */
export const DEFAULT_ANSWER_TIMEOUTS: AnswerTimeouts = {
  initialMs: 3000,
  minMs: 500,
  maxMs: 30_000,
};

/** RFC 6298, 2: alpha, beta and K. */
const MEAN_GAIN = 1 / 8;
const DEVIATION_GAIN = 1 / 4;
const DEVIATIONS = 4;

/** Smoothed answer times and the timeout that follows from them. RFC 6298, 2 and 5.5 */
export class AnswerTimer {
  readonly #limits: AnswerTimeouts;
  #timeoutMs: number;
  #meanMs: number | undefined;
  #deviationMs = 0;

  constructor(limits: AnswerTimeouts) {
    this.#limits = limits;
    this.#timeoutMs = limits.initialMs;
  }

  get timeoutMs(): number {
    return this.#timeoutMs;
  }

  /** An answer to something that was asked once only (Karn's rule: others say nothing about the link). */
  sample(tookMs: number): void {
    if (this.#meanMs === undefined) {
      this.#meanMs = tookMs;
      this.#deviationMs = tookMs / 2;
    } else {
      const error = Math.abs(this.#meanMs - tookMs);
      this.#deviationMs += (error - this.#deviationMs) * DEVIATION_GAIN;
      this.#meanMs += (tookMs - this.#meanMs) * MEAN_GAIN;
    }
    this.#set(this.#meanMs + DEVIATIONS * this.#deviationMs);
  }

  /** Nothing came in time: twice as long from now on, until the next sample. */
  expired(): void {
    this.#set(this.#timeoutMs * 2);
  }

  #set(timeoutMs: number): void {
    this.#timeoutMs = Math.min(this.#limits.maxMs, Math.max(this.#limits.minMs, timeoutMs));
  }
}
