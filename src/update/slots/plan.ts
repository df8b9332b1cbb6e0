import type { ErrorCode } from '../../core/index.ts';
import { type RefusedRelease, referenced, type SlotsState } from './state.ts';

/** What the device is told to run. */
export type SlotTarget = RefusedRelease;

/** What is known beyond the state. */
export interface SlotFacts {
  /** Digests of the releases that have a directory on disk, complete or not. */
  readonly stored: readonly string[];
  /** What the gate said, and about which release. */
  readonly gate?: { readonly releaseSha256: string; readonly verdict: 'passed' | ErrorCode };
}

/** What to do next. `install` and `gate` are the agent's; `Slots` carries out the others. */
export type SlotStep =
  /** Fetch the release's files and hand them to `Slots.install`. */
  | { readonly kind: 'install'; readonly target: SlotTarget }
  /** Run the candidate against its golden vectors and come back with the verdict. */
  | { readonly kind: 'gate'; readonly releaseSha256: string }
  | { readonly kind: 'stage-previous' }
  | { readonly kind: 'drop-candidate' }
  | { readonly kind: 'activate' }
  | { readonly kind: 'withdraw' }
  | { readonly kind: 'refuse'; readonly target: SlotTarget; readonly reason: ErrorCode }
  | { readonly kind: 'forget-refusal' }
  | { readonly kind: 'prune' };

/** Every plan ends after fewer rounds than this, whatever the gate says. */
export const MAX_PLAN_ROUNDS = 8;

/**
 * The steps that bring one model nearer to its target; none when nothing is to be done. Plan again after they are
 * carried out. Without a target (no assignment, or one that expired) what runs goes on running.
 */
export function planSlots(
  state: SlotsState,
  target: SlotTarget | undefined,
  facts: SlotFacts,
): SlotStep[] {
  const steps = target === undefined ? [] : towards(state, target, facts);
  if (steps.length > 0) return steps;
  const keep = referenced(state);
  return facts.stored.every((sha256) => keep.has(sha256)) ? [] : [{ kind: 'prune' }];
}

function towards(state: SlotsState, target: SlotTarget, { gate }: SlotFacts): SlotStep[] {
  const { active, previous, candidate, refused } = state;
  const wanted = target.releaseSha256;
  if (refused !== null && refused.releaseSha256 !== wanted) return [{ kind: 'forget-refusal' }];
  if (candidate !== null && candidate.releaseSha256 !== wanted) return [{ kind: 'drop-candidate' }];
  if (active?.releaseSha256 === wanted || refused !== null) {
    return candidate === null ? [] : [{ kind: 'drop-candidate' }];
  }
  if (candidate === null) {
    if (previous?.releaseSha256 !== wanted) return [{ kind: 'install', target }];
    return [{ kind: active?.phase === 'probation' ? 'withdraw' : 'stage-previous' }];
  }
  if (gate?.releaseSha256 !== wanted) return [{ kind: 'gate', releaseSha256: wanted }];
  if (gate.verdict === 'passed') return [{ kind: 'activate' }];
  return [{ kind: 'refuse', target, reason: gate.verdict }];
}
