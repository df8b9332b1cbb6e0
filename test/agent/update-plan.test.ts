import test from 'ava';
import fc from 'fast-check';
import { retryPauseMs, wantedTargets } from '../../src/agent/index.ts';
import type { Assignment } from '../../src/update/index.ts';

const DEVICE = 'press-7';
const GROUPS = ['presses', 'hall-2', 'plant'] as const;
const MODELS = ['motor', 'noise', 'thermal'] as const;
const FOREIGN = 'foreign';

const sha256 = fc.stringMatching(/^[0-9a-f]{64}$/);
const targets = fc.uniqueArray(
  fc.record({
    model: fc.constantFrom(...MODELS, FOREIGN),
    version: fc.constantFrom('1', '2', '3'),
    releaseSha256: sha256,
  }),
  { selector: ({ model }) => model },
);

function assignment(subject: Assignment['subject'], assigned: Assignment['targets']): Assignment {
  return {
    type: 'dunlin-assignment',
    formatVersion: 1,
    fleet: 'plant',
    subject,
    sequence: 1,
    issuedAt: '2026-01-01T00:00:00Z',
    expires: '2026-02-01T00:00:00Z',
    targets: assigned,
  };
}

/** At most one assignment each of the device and its groups, most important first. */
const ranked = fc
  .tuple(
    fc.option(targets, { nil: undefined }),
    ...GROUPS.map(() => fc.option(targets, { nil: undefined })),
  )
  .map((all) =>
    all.flatMap((assigned, index) => {
      if (assigned === undefined) return [];
      const group = GROUPS[index - 1];
      const subject =
        group === undefined
          ? ({ kind: 'device', name: DEVICE } as const)
          : ({ kind: 'group', name: group } as const);
      return [assignment(subject, assigned)];
    }),
  );

const inService = fc.subarray([...MODELS]);

test('the most important assignment that names a model decides it', (t) => {
  fc.assert(
    fc.property(ranked, inService, (assignments, models) => {
      const wanted = wantedTargets(assignments, DEVICE, GROUPS, models);
      for (const model of models) {
        const first = assignments.find((one) => one.targets.some((it) => it.model === model));
        const expected = first?.targets.find((it) => it.model === model);
        t.is(wanted.get(model), expected);
      }
    }),
  );
});

test('models that no pipeline uses are left out', (t) => {
  fc.assert(
    fc.property(ranked, inService, (assignments, models) => {
      const wanted = wantedTargets(assignments, DEVICE, GROUPS, models);
      t.true([...wanted.keys()].every((model) => models.includes(model as never)));
    }),
  );
});

test('the order in which assignments arrive does not matter', (t) => {
  const shuffled = ranked.chain((assignments) =>
    fc.tuple(
      fc.constant(assignments),
      fc.shuffledSubarray(assignments, { minLength: assignments.length }),
    ),
  );
  fc.assert(
    fc.property(shuffled, inService, ([assignments, other], models) => {
      const byModel = (all: readonly Assignment[]) =>
        [...wantedTargets(all, DEVICE, GROUPS, models)].sort(([a], [b]) => (a < b ? -1 : 1));
      t.deepEqual(byModel(other), byModel(assignments));
    }),
  );
});

test("a group that has the device's name does not outrank the other groups", (t) => {
  const target = (version: string) => [{ model: 'motor', version, releaseSha256: 'a'.repeat(64) }];
  const named = assignment({ kind: 'group', name: DEVICE }, target('2'));
  const first = assignment({ kind: 'group', name: 'presses' }, target('1'));
  const wanted = wantedTargets([named, first], DEVICE, ['presses', DEVICE], ['motor']);
  t.is(wanted.get('motor')?.version, '1');
});

test('pauses between tries grow, from the least to the most, and stay there', (t) => {
  const limits = fc
    .tuple(fc.integer({ min: 10, max: 600_000 }), fc.integer({ min: 0, max: 3_600_000 }))
    .map(([min, more]) => ({ min, max: min + more }));
  fc.assert(
    fc.property(limits, fc.integer({ min: 1, max: 100_000 }), ({ min, max }, failures) => {
      const pause = retryPauseMs(failures, min, max);
      t.true(pause >= min && pause <= max);
      t.true(retryPauseMs(failures + 1, min, max) >= pause);
      t.is(retryPauseMs(1, min, max), min);
      t.is(retryPauseMs(100_000, min, max), max);
    }),
  );
});
