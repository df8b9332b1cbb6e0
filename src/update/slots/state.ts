import { type ErrorCode, type Static, Type } from '../../core/index.ts';

/**
 * What a device knows about one model's releases, and how that may change. Pure; `Slots` keeps it on disk.
 *
 *   absent → candidate → (gate) → active on probation → active, committed
 *                 └→ refused            └→ rolled back and refused
 *
 * Invariants:
 *  1. Exactly one release is active, or none.
 *  2. A release is named here only after all its files are durable, and its files are removed only after it is
 *     durably named no more.
 *  3. While the active release is on probation, `previous` is the last committed one, if there was any.
 *  4. Once a release was active, only a rollback without a previous one, or damage to both, leaves none.
 *  5. The refused release is never candidate, and becomes active only after the assignment named another one.
 */

const Sha256 = Type.String({ pattern: '^[0-9a-f]{64}$' });

const SlotRelease = Type.Object({
  /** Of release.json; names the directory. */
  releaseSha256: Sha256,
  version: Type.String({ maxLength: 64 }),
  /** File names of the artifacts that were installed; a device leaves out what it has no use for. */
  artifacts: Type.Array(Type.String({ pattern: '^[a-z0-9][a-z0-9._-]{0,62}$' }), { maxItems: 32 }),
});
export type SlotRelease = Static<typeof SlotRelease>;

const ActiveRelease = Type.Interface([SlotRelease], {
  phase: Type.Union([Type.Literal('probation'), Type.Literal('committed')]),
  /** When it went into service, by this device's clock. */
  since: Type.String({ maxLength: 32 }),
  /** How often the agent started with this release on probation. */
  starts: Type.Integer({ minimum: 0 }),
});
export type ActiveRelease = Static<typeof ActiveRelease>;

/** A release that did not make it, and the error code that says why. */
const Failure = Type.Object({
  releaseSha256: Sha256,
  version: Type.String({ maxLength: 64 }),
  reason: Type.String({ maxLength: 64 }),
});
export type Failure = Static<typeof Failure>;

/** Unknown keys are allowed: after a downgrade of the agent, a file of a newer one must not cost the model. */
export const SlotsState = Type.Object({
  type: Type.Literal('dunlin-slots'),
  formatVersion: Type.Literal(1),
  active: Type.Union([ActiveRelease, Type.Null()]),
  previous: Type.Union([SlotRelease, Type.Null()]),
  candidate: Type.Union([SlotRelease, Type.Null()]),
  /** Not tried again until the assignment names another release. */
  refused: Type.Union([Failure, Type.Null()]),
  /** The last release whose files went bad; it may be installed again. */
  damaged: Type.Union([Failure, Type.Null()]),
});
export type SlotsState = Static<typeof SlotsState>;

export const EMPTY_STATE: SlotsState = {
  type: 'dunlin-slots',
  formatVersion: 1,
  active: null,
  previous: null,
  candidate: null,
  refused: null,
  damaged: null,
};

/** One change of the state. */
export type Change =
  /** A release whose files are complete and durable awaits the gate. */
  | { readonly kind: 'stage'; readonly release: SlotRelease }
  | { readonly kind: 'drop-candidate' }
  /** The candidate goes into service on probation. */
  | { readonly kind: 'activate' }
  | { readonly kind: 'count-start' }
  | { readonly kind: 'commit' }
  /** The active release goes out of service and is refused from now on; the previous one is back. */
  | { readonly kind: 'rollback'; readonly reason: ErrorCode }
  /** The release on probation is not wanted any more, though nothing is wrong with it. */
  | { readonly kind: 'withdraw' }
  | { readonly kind: 'refuse'; readonly release: RefusedRelease; readonly reason: ErrorCode }
  | { readonly kind: 'forget-refusal' }
  /** These releases' files are not what they were. */
  | { readonly kind: 'damage'; readonly releases: readonly string[] };

export type RefusedRelease = Pick<SlotRelease, 'releaseSha256' | 'version'>;

/**
 * The state after a change; the same object when the change does not apply.
 * @param at the device's time, ISO 8601
 */
export function changed(state: SlotsState, change: Change, at: string): SlotsState {
  const { active, previous, candidate } = state;
  switch (change.kind) {
    case 'stage':
      return { ...state, candidate: change.release };
    case 'drop-candidate':
      return candidate === null ? state : { ...state, candidate: null };
    case 'activate':
      return candidate === null ? state : activated(state, candidate, at);
    case 'count-start':
      if (active?.phase !== 'probation') return state;
      return { ...state, active: { ...active, starts: active.starts + 1 } };
    case 'commit':
      if (active?.phase !== 'probation') return state;
      return { ...state, active: { ...active, phase: 'committed' } };
    case 'rollback':
      if (active === null) return state;
      return { ...backToPrevious(state, at), refused: failure(active, change.reason) };
    case 'withdraw':
      return active?.phase === 'probation' && previous !== null ? backToPrevious(state, at) : state;
    case 'refuse': {
      const refused = failure(change.release, change.reason);
      const isCandidate = candidate?.releaseSha256 === refused.releaseSha256;
      return { ...state, refused, candidate: isCandidate ? null : candidate };
    }
    case 'forget-refusal':
      return state.refused === null ? state : { ...state, refused: null };
    case 'damage':
      return withoutDamaged(state, new Set(change.releases), at);
  }
}

function activated(state: SlotsState, candidate: SlotRelease, since: string): SlotsState {
  const { active } = state;
  const kept = active?.phase === 'committed' ? plain(active) : state.previous;
  return {
    ...state,
    active: { ...candidate, phase: 'probation', since, starts: 0 },
    previous: kept?.releaseSha256 === candidate.releaseSha256 ? null : kept,
    candidate: null,
    damaged: null,
  };
}

function backToPrevious(state: SlotsState, since: string): SlotsState {
  const { previous, active, candidate } = state;
  const back: ActiveRelease | null =
    previous === null ? null : { ...previous, phase: 'committed', since, starts: 0 };
  const same = candidate?.releaseSha256 === active?.releaseSha256;
  return { ...state, active: back, previous: null, candidate: same ? null : candidate };
}

function withoutDamaged(state: SlotsState, bad: ReadonlySet<string>, at: string): SlotsState {
  const isBad = (release: SlotRelease | null): boolean =>
    release !== null && bad.has(release.releaseSha256);
  const reported = [state.active, state.previous, state.candidate].find(isBad);
  if (reported === undefined || reported === null) return state;
  const rest: SlotsState = {
    ...state,
    previous: isBad(state.previous) ? null : state.previous,
    candidate: isBad(state.candidate) ? null : state.candidate,
    damaged: failure(reported, 'digest-mismatch'),
  };
  return isBad(state.active) ? backToPrevious(rest, at) : rest;
}

function failure({ releaseSha256, version }: RefusedRelease, reason: ErrorCode): Failure {
  return { releaseSha256, version, reason };
}

function plain({ releaseSha256, version, artifacts }: SlotRelease): SlotRelease {
  return { releaseSha256, version, artifacts };
}

/** Digests of the releases whose files have to stay. */
export function referenced({ active, previous, candidate }: SlotsState): Set<string> {
  return new Set(
    [active, previous, candidate].flatMap((release) =>
      release === null ? [] : [release.releaseSha256],
    ),
  );
}
