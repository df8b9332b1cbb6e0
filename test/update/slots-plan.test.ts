import test from 'ava';
import fc from 'fast-check';
import {
  type Change,
  changed,
  EMPTY_STATE,
  judgeProbation,
  MAX_PLAN_ROUNDS,
  planSlots,
  type SlotFacts,
  type SlotRelease,
  type SlotStep,
  type SlotsState,
  type SlotTarget,
} from '../../src/update/index.ts';

const AT = '2026-01-01T00:00:00.000Z';
const release = (index: number): SlotRelease => ({
  releaseSha256: index.toString(16).padStart(64, '0'),
  version: `${index}`,
  artifacts: ['cpu.tflite'],
});
const target = (index: number): SlotTarget => {
  const { releaseSha256, version } = release(index);
  return { releaseSha256, version };
};

const someRelease = fc.nat(4).map(release);
const someReason = fc.constantFrom('golden-mismatch' as const, 'latency-over-budget' as const);
const someChange: fc.Arbitrary<Change> = fc.oneof(
  someRelease.map((staged) => ({ kind: 'stage' as const, release: staged })),
  fc
    .constantFrom<Change['kind']>('drop-candidate', 'commit', 'withdraw', 'count-start')
    .map((kind) => ({ kind }) as Change),
  fc.constant<Change>({ kind: 'activate' }),
  fc.constant<Change>({ kind: 'forget-refusal' }),
  someReason.map((reason) => ({ kind: 'rollback' as const, reason })),
  fc
    .tuple(someRelease, someReason)
    .map(([refused, reason]) => ({ kind: 'refuse' as const, release: refused, reason })),
  someRelease.map(({ releaseSha256 }) => ({ kind: 'damage' as const, releases: [releaseSha256] })),
);
/** Every state that changes in any order can lead to. */
const someState = fc
  .array(someChange, { maxLength: 14 })
  .map((changes) => changes.reduce((state, change) => changed(state, change, AT), EMPTY_STATE));

/** What an agent does with a step, without a disk. */
function perform(
  state: SlotsState,
  facts: SlotFacts,
  step: SlotStep,
  verdict: 'passed' | 'golden-mismatch',
): { state: SlotsState; facts: SlotFacts } {
  const after = (change: Change) => ({ state: changed(state, change, AT), facts });
  switch (step.kind) {
    case 'install': {
      const staged = { ...step.target, artifacts: ['cpu.tflite'] };
      const stored = [...new Set([...facts.stored, staged.releaseSha256])];
      return {
        state: changed(state, { kind: 'stage', release: staged }, AT),
        facts: { ...facts, stored },
      };
    }
    case 'gate':
      return { state, facts: { ...facts, gate: { releaseSha256: step.releaseSha256, verdict } } };
    case 'stage-previous':
      return after({ kind: 'stage', release: state.previous! });
    case 'refuse':
      return after({ kind: 'refuse', release: step.target, reason: step.reason });
    case 'prune':
      return {
        state,
        facts: { ...facts, stored: facts.stored.filter((sha) => named(state, sha)) },
      };
    default:
      return after({ kind: step.kind });
  }
}

const named = ({ active, previous, candidate }: SlotsState, sha256: string): boolean =>
  [active, previous, candidate].some((found) => found?.releaseSha256 === sha256);

test('from any state the plan ends, at its target or with the target refused, and then rests', (t) => {
  fc.assert(
    fc.property(
      someState,
      fc.option(fc.nat(4).map(target), { nil: undefined }),
      fc.constantFrom('passed' as const, 'golden-mismatch' as const),
      fc.array(fc.nat(6).map((index) => release(index).releaseSha256)),
      (start, wanted, verdict, junk) => {
        let state = start;
        const stored = [0, 1, 2, 3, 4].map((i) => release(i).releaseSha256);
        let facts: SlotFacts = {
          stored: [...new Set([...stored.filter((sha) => named(start, sha)), ...junk])],
        };
        for (let round = 0; ; round++) {
          const steps = planSlots(state, wanted, facts);
          t.deepEqual(planSlots(state, wanted, facts), steps, 'the same question, the same answer');
          if (steps.length === 0) break;
          if (round >= MAX_PLAN_ROUNDS) return false;
          for (const step of steps) {
            const before = state;
            if (step.kind === 'activate') {
              const digest = state.candidate?.releaseSha256;
              if (digest === undefined || digest === state.refused?.releaseSha256) return false;
              if (digest !== wanted?.releaseSha256) return false;
            }
            ({ state, facts } = perform(state, facts, step, verdict));
            if (before.active !== null && state.active === null) return false;
            if (before.active?.phase === 'committed' && step.kind === 'activate') {
              if (state.previous?.releaseSha256 !== before.active.releaseSha256) return false;
            }
          }
        }
        if (!facts.stored.every((sha) => named(state, sha))) return false;
        for (const kept of [state.active, state.previous]) {
          if (kept !== null && !facts.stored.includes(kept.releaseSha256)) return false;
        }
        if (wanted === undefined) return state.active === start.active;
        return (
          state.active?.releaseSha256 === wanted.releaseSha256 ||
          state.refused?.releaseSha256 === wanted.releaseSha256
        );
      },
    ),
    { numRuns: 1000 },
  );
  t.pass();
});

test('changes in any order keep the invariants', (t) => {
  fc.assert(
    fc.property(fc.array(someChange, { maxLength: 20 }), (changes) => {
      let state = EMPTY_STATE;
      for (const change of changes) {
        const before = state;
        state = changed(state, change, AT);
        const { active, previous } = state;
        if (active !== null && active.releaseSha256 === previous?.releaseSha256) return false;
        if (before.active === null || active !== null) continue;
        const mayEnd = change.kind === 'rollback' || change.kind === 'damage';
        if (!mayEnd || (before.previous !== null && change.kind === 'rollback')) return false;
      }
      return true;
    }),
    { numRuns: 1000 },
  );
  t.pass();
});

test('a release that replaces one on probation can be rolled back to the last committed one', (t) => {
  const changes = [
    { kind: 'stage', release: release(1) },
    { kind: 'activate' },
    { kind: 'commit' },
    { kind: 'stage', release: release(2) },
    { kind: 'activate' },
    { kind: 'stage', release: release(3) },
    { kind: 'activate' },
  ] satisfies Change[];
  const state = changes.reduce<SlotsState>((at, change) => changed(at, change, AT), EMPTY_STATE);
  t.is(state.active?.version, '3');
  t.is(state.previous?.version, '1');
  const back = changed(state, { kind: 'rollback', reason: 'probation-failed' }, AT);
  t.is(back.active?.version, '1');
});

test('a refused release stays refused until the assignment names another one', (t) => {
  const running = [
    { kind: 'stage', release: release(1) },
    { kind: 'activate' },
    { kind: 'commit' },
    { kind: 'refuse', release: release(2), reason: 'golden-mismatch' },
  ] satisfies Change[];
  const state = running.reduce<SlotsState>((at, change) => changed(at, change, AT), EMPTY_STATE);
  const facts = { stored: [release(1).releaseSha256] };
  t.deepEqual(planSlots(state, target(2), facts), []);
  t.deepEqual(planSlots(state, undefined, facts), []);
  t.deepEqual(planSlots(state, target(3), facts), [{ kind: 'forget-refusal' }]);
  const forgotten = changed(state, { kind: 'forget-refusal' }, AT);
  t.deepEqual(planSlots(forgotten, target(2), facts), [{ kind: 'install', target: target(2) }]);
});

test('going back to the previous release fetches nothing', (t) => {
  const both = [
    { kind: 'stage', release: release(1) },
    { kind: 'activate' },
    { kind: 'commit' },
    { kind: 'stage', release: release(2) },
    { kind: 'activate' },
  ] satisfies Change[];
  const probation = both.reduce<SlotsState>((at, change) => changed(at, change, AT), EMPTY_STATE);
  const facts = { stored: [1, 2].map((index) => release(index).releaseSha256) };
  t.deepEqual(planSlots(probation, target(1), facts), [{ kind: 'withdraw' }]);
  const committed = changed(probation, { kind: 'commit' }, AT);
  t.deepEqual(planSlots(committed, target(1), facts), [{ kind: 'stage-previous' }]);
});

test('probation is judged by its three counts', (t) => {
  const policy = { goodInferences: 5, maxBadInferences: 1, maxStarts: 2 };
  const judge = (starts: number, good: number, bad: number) =>
    judgeProbation({ starts }, { good, bad }, policy);
  t.is(judge(0, 4, 1), 'go-on');
  t.is(judge(2, 5, 1), 'commit');
  t.is(judge(0, 5, 2), 'rollback');
  t.is(judge(3, 0, 0), 'rollback');
});
