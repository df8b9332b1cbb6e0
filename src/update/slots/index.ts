export {
  MAX_PLAN_ROUNDS,
  planSlots,
  type SlotFacts,
  type SlotStep,
  type SlotTarget,
} from './plan.ts';
export {
  DEFAULT_PROBATION,
  judgeProbation,
  type ProbationCounts,
  type ProbationPolicy,
} from './probation.ts';
export type { Candidate, StoredRelease } from './release-files.ts';
export { type OwnStep, Slots, type SlotsOptions } from './slots.ts';
export {
  type ActiveRelease,
  type Change,
  changed,
  EMPTY_STATE,
  type Failure,
  type SlotRelease,
  type SlotsState,
} from './state.ts';
