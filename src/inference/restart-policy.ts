/** What went wrong with a child in a row: reset by every inference that works. */
export interface FailureHistory {
  readonly failures: number;
  /** Monotonic time of the last failure. */
  readonly lastFailureMs: number;
}

export type StartPlan =
  | { readonly kind: 'now' }
  | { readonly kind: 'wait'; readonly waitMs: number }
  | { readonly kind: 'refuse'; readonly retryInMs: number };

/** The first restart comes at once, the next after this, doubled each time. */
export const BACKOFF_START_MS = 100;
export const BACKOFF_MAX_MS = 5_000;
/** So many failures in a row open the circuit: callers are refused instead of kept waiting. */
export const CIRCUIT_FAILURES = 6;
/** An open circuit lets one attempt through after this. */
export const CIRCUIT_OPEN_MS = 30_000;

export const NO_FAILURES: FailureHistory = { failures: 0, lastFailureMs: 0 };

/** Decides when a child may be started again. */
export function planStart(history: FailureHistory, nowMs: number): StartPlan {
  const { failures, lastFailureMs } = history;
  if (failures <= 1) return { kind: 'now' };
  const open = failures >= CIRCUIT_FAILURES;
  const backoffMs = open
    ? CIRCUIT_OPEN_MS
    : Math.min(BACKOFF_START_MS * 2 ** (failures - 2), BACKOFF_MAX_MS);
  // Rounding of large times must not exceed the limit.
  const remainingMs = Math.min(backoffMs, Math.ceil(lastFailureMs + backoffMs - nowMs));
  if (remainingMs <= 0) return { kind: 'now' };
  return open ? { kind: 'refuse', retryInMs: remainingMs } : { kind: 'wait', waitMs: remainingMs };
}
