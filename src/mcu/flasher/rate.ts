import type { Clock } from '../../core/index.ts';
import type { FlashProgress } from './flasher.ts';

/** How fast an upload goes, from the first offset that the device told. */
export class UploadRate {
  readonly #clock: Clock;
  readonly #step: string;
  readonly #totalBytes: number;
  #first: { readonly doneBytes: number; readonly atMs: number } | undefined;

  constructor(clock: Clock, step: string, totalBytes: number) {
    this.#clock = clock;
    this.#step = step;
    this.#totalBytes = totalBytes;
  }

  at(doneBytes: number): FlashProgress {
    const nowMs = this.#clock.monotonicMs();
    this.#first ??= { doneBytes, atMs: nowMs };
    const elapsedMs = nowMs - this.#first.atMs;
    const sentBytes = Math.max(0, doneBytes - this.#first.doneBytes);
    const bytesPerSecond = elapsedMs > 0 ? (1000 * sentBytes) / elapsedMs : 0;
    const leftBytes = this.#totalBytes - doneBytes;
    return {
      step: this.#step,
      doneBytes,
      totalBytes: this.#totalBytes,
      bytesPerSecond,
      remainingMs: bytesPerSecond > 0 ? (1000 * leftBytes) / bytesPerSecond : undefined,
    };
  }
}
