/** When to try again after a connection was lost or refused. */
export interface Backoff {
  readonly minMs: number;
  readonly maxMs: number;
}

/** A broker that restarts is found again within the second; one that is away is asked twice a minute. */
export const DEFAULT_BACKOFF: Backoff = { minMs: 200, maxMs: 30_000 };
/** 2^20 times the smallest wait is above any cap that makes sense. */
const MAX_DOUBLINGS = 20;

/**
 * Capped exponential backoff with half of it drawn, so that a fleet does not come back in step.
 * @param attempt failures in a row, from 0
 * @param draw in [0, 1)
 */
export function backoffMs({ minMs, maxMs }: Backoff, attempt: number, draw: number): number {
  const ceilingMs = Math.min(maxMs, minMs * 2 ** Math.min(attempt, MAX_DOUBLINGS));
  return ceilingMs / 2 + (ceilingMs / 2) * draw;
}
