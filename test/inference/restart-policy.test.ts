import test from 'ava';
import fc from 'fast-check';
import {
  BACKOFF_MAX_MS,
  BACKOFF_START_MS,
  CIRCUIT_FAILURES,
  CIRCUIT_OPEN_MS,
  NO_FAILURES,
  planStart,
} from '../../src/inference/index.ts';

test('the first restart is at once, the next wait longer, then callers are refused', (t) => {
  t.is(planStart(NO_FAILURES, 0).kind, 'now');
  t.is(planStart({ failures: 1, lastFailureMs: 50 }, 50).kind, 'now');
  t.deepEqual(planStart({ failures: 2, lastFailureMs: 50 }, 50), {
    kind: 'wait',
    waitMs: BACKOFF_START_MS,
  });
  t.deepEqual(planStart({ failures: 3, lastFailureMs: 50 }, 90), {
    kind: 'wait',
    waitMs: 2 * BACKOFF_START_MS - 40,
  });
  t.deepEqual(planStart({ failures: CIRCUIT_FAILURES, lastFailureMs: 50 }, 51), {
    kind: 'refuse',
    retryInMs: CIRCUIT_OPEN_MS - 1,
  });
});

test('no wait is longer than its limit, and every refusal ends', (t) => {
  fc.assert(
    fc.property(
      fc.nat({ max: 10_000 }),
      fc.double({ min: 0, max: 1e9, noNaN: true }),
      fc.double({ min: 0, max: 1e6, noNaN: true }),
      (failures, lastFailureMs, laterMs) => {
        const plan = planStart({ failures, lastFailureMs }, lastFailureMs + laterMs);
        if (plan.kind === 'wait') {
          t.true(plan.waitMs > 0 && plan.waitMs <= BACKOFF_MAX_MS);
          t.true(failures > 1 && failures < CIRCUIT_FAILURES);
        }
        if (plan.kind === 'refuse') {
          t.true(plan.retryInMs > 0 && plan.retryInMs <= CIRCUIT_OPEN_MS);
          t.true(failures >= CIRCUIT_FAILURES);
        }
        const later = planStart({ failures, lastFailureMs }, lastFailureMs + CIRCUIT_OPEN_MS + 1);
        t.is(later.kind, 'now');
      },
    ),
  );
});
