import { setTimeout as delay } from 'node:timers/promises';

/** Time enters every room through this, so that tests can own it. */
export interface Clock {
  /** Wall-clock time, milliseconds since 1970. May jump. */
  nowMs(): number;
  /** Never jumps, starts anywhere. */
  monotonicMs(): number;
  /** Resolves after `durationMs`; rejects with the signal's reason when aborted. */
  sleep(durationMs: number, signal?: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  sleep: async (durationMs, signal) => {
    signal?.throwIfAborted();
    await delay(durationMs, undefined, signal === undefined ? {} : { signal });
  },
};
