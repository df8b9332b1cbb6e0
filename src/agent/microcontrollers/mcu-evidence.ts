import type { ModelStatistics } from '../../mcu/index.ts';

/** Causes of a reset that say nothing about what the device runs: somebody took its power, or asked for it. */
const BLAMELESS_CAUSES: ReadonlySet<string> = new Set(['power', 'pin', 'software']);

/** What happened on a device between two looks at its statistics. */
export interface McuEvidence {
  readonly good: number;
  readonly bad: number;
  readonly resets: number;
}

export const NOTHING: McuEvidence = { good: 0, bad: 0, resets: 0 };

/**
 * Pure. Inferences that went well count for what runs, failed ones against it, and resets too unless they have a
 * cause that is not the device's own. Counters start at each reset, and wrap at 32 bits.
 */
export function evidenceBetween(before: ModelStatistics, now: ModelStatistics): McuEvidence {
  // Another device, or one whose flash was erased: nothing is known of the time between.
  if (now.resets < before.resets) return NOTHING;
  const resets = now.resets - before.resets;
  const since = (key: 'runs' | 'failures'): number =>
    resets > 0 ? now[key] : (now[key] - before[key]) >>> 0;
  const isBlameless = now.cause !== undefined && BLAMELESS_CAUSES.has(now.cause);
  return { good: since('runs'), bad: since('failures') + (isBlameless ? 0 : resets), resets };
}
