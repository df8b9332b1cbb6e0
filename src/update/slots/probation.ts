import type { ActiveRelease } from './state.ts';

/** What a release on probation has to show before it is committed. */
export interface ProbationPolicy {
  /** Good inferences, in one life of the agent. */
  readonly goodInferences: number;
  /** Failed inferences that are forgiven. */
  readonly maxBadInferences: number;
  /** Starts of the agent that are forgiven: a power cut is no fault of the model, a crash loop is. */
  readonly maxStarts: number;
}

export const DEFAULT_PROBATION: ProbationPolicy = {
  goodInferences: 100,
  maxBadInferences: 3,
  maxStarts: 3,
};

export interface ProbationCounts {
  readonly good: number;
  readonly bad: number;
}

/** What follows from what was seen so far. */
export function judgeProbation(
  { starts }: Pick<ActiveRelease, 'starts'>,
  { good, bad }: ProbationCounts,
  policy: ProbationPolicy,
): 'go-on' | 'commit' | 'rollback' {
  if (bad > policy.maxBadInferences || starts > policy.maxStarts) return 'rollback';
  return good >= policy.goodInferences ? 'commit' : 'go-on';
}
