import test from 'ava';
import fc from 'fast-check';
import {
  type AnswerTimeouts,
  FetchPlan,
  MAX_FRUITLESS_CONNECTIONS,
  MAX_REFUSALS,
  MAX_TRIES,
  WINDOW_CHUNKS,
} from '../../src/update/index.ts';

const timeouts: AnswerTimeouts = { initialMs: 1000, minMs: 100, maxMs: 8000 };

function chunksNamed(count: number) {
  return Array.from({ length: count }, (_, index) => ({
    sha256: index.toString(16).padStart(64, '0'),
    lengthBytes: 1024,
  }));
}

/** What the broker does with one question, and after how long. */
const answer = fc.oneof(
  { weight: 6, arbitrary: fc.constant('good' as const) },
  { weight: 2, arbitrary: fc.constant('wrong' as const) },
  { weight: 2, arbitrary: fc.constant('silent' as const) },
  { weight: 1, arbitrary: fc.constant('cut' as const) },
);

test('every chunk ends, within its bounds, whatever the broker does', (t) => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 40 }),
      fc.array(answer, { minLength: 1, maxLength: 60 }),
      (count, script) => {
        const chunks = chunksNamed(count);
        const plan = new FetchPlan(chunks, timeouts);
        const asked = new Map<string, number>();
        const accepted = new Set<string>();
        const underWay = new Set<string>();
        let nowMs = 0;
        let step = 0;
        let cuts = 0;
        for (let turns = 0; !plan.finished; turns++) {
          if (turns > 5000) return false;
          const batch = plan.next(nowMs);
          for (const { sha256 } of batch?.chunks ?? []) {
            asked.set(sha256, (asked.get(sha256) ?? 0) + 1);
            underWay.add(sha256);
          }
          if (underWay.size > WINDOW_CHUNKS) return false;
          const [next] = underWay;
          const act = script[step++ % script.length]!;
          if (act === 'cut') {
            plan.disconnected();
            underWay.clear();
            cuts++;
          } else if (act === 'silent' || next === undefined) {
            if (plan.deadlineMs !== undefined) nowMs = Math.max(nowMs, plan.deadlineMs);
            plan.expire(nowMs);
            // A dropped batch is asked again by the plan; what it still waits for arrives or expires later.
            underWay.clear();
          } else {
            underWay.delete(next);
            nowMs += 5;
            if (!plan.arrived(next, nowMs)) continue;
            if (act === 'good') {
              plan.accepted(next);
              accepted.add(next);
            } else plan.refused(next);
          }
        }
        const ends = accepted.size + plan.missing.length + plan.tampered.length;
        const most = Math.max(...asked.values());
        return ends === count && most <= MAX_TRIES + MAX_REFUSALS + cuts;
      },
    ),
    { numRuns: 300 },
  );
  t.pass();
});

test('a chunk that never comes is missing after its tries and holds up no other', (t) => {
  const chunks = chunksNamed(30);
  const [lost] = chunks;
  const plan = new FetchPlan(chunks, timeouts);
  let nowMs = 0;
  let questions = 0;
  let othersDoneMs = Number.POSITIVE_INFINITY;
  let accepted = 0;
  while (!plan.finished) {
    const batch = plan.next(nowMs);
    for (const { sha256 } of batch?.chunks ?? []) {
      if (sha256 === lost!.sha256) {
        questions++;
        continue;
      }
      nowMs += 10;
      t.true(plan.arrived(sha256, nowMs));
      plan.accepted(sha256);
      if (++accepted === chunks.length - 1) othersDoneMs = nowMs;
    }
    if (batch !== undefined) continue;
    nowMs = plan.deadlineMs!;
    plan.expire(nowMs);
  }
  t.is(questions, MAX_TRIES);
  t.deepEqual(plan.missing, [lost!.sha256]);
  t.true(othersDoneMs < 1000, `others were done after ${othersDoneMs} ms`);
});

test('wrong bytes are asked for again so often and no more', (t) => {
  const chunks = chunksNamed(1);
  const plan = new FetchPlan(chunks, timeouts);
  for (let refusal = 1; refusal <= MAX_REFUSALS; refusal++) {
    t.false(plan.finished);
    t.is(plan.next(0)?.chunks.length, 1);
    t.true(plan.arrived(chunks[0]!.sha256, 1));
    t.false(plan.arrived(chunks[0]!.sha256, 1), 'a second copy changes nothing');
    plan.refused(chunks[0]!.sha256);
  }
  t.true(plan.finished);
  t.deepEqual([plan.tampered.length, plan.missing.length], [1, 0]);
});

test('lost connections cost no tries, until too many bring nothing', (t) => {
  const chunks = chunksNamed(4);
  const plan = new FetchPlan(chunks, timeouts);
  for (let cut = 1; cut < MAX_FRUITLESS_CONNECTIONS; cut++) {
    t.is(plan.next(0)?.chunks.length, 4);
    plan.disconnected();
  }
  t.is(plan.next(0)?.chunks.length, 4);
  t.true(plan.arrived(chunks[0]!.sha256, 1));
  plan.accepted(chunks[0]!.sha256);
  for (let cut = 0; cut < MAX_FRUITLESS_CONNECTIONS; cut++) {
    t.false(plan.finished);
    plan.disconnected();
    if (cut < MAX_FRUITLESS_CONNECTIONS - 1) t.is(plan.next(0)?.chunks.length, 3);
  }
  plan.next(0);
  plan.disconnected();
  t.true(plan.finished);
  t.is(plan.missing.length, 3);
});

test('the timeout follows the link: short on a fast one, doubled by silence, within its bounds', (t) => {
  const chunks = chunksNamed(200);
  const plan = new FetchPlan(chunks, timeouts);
  let nowMs = 0;
  const waitMs = (): number => plan.deadlineMs! - nowMs;
  for (let round = 0; round < 10; round++) {
    for (const { sha256 } of plan.next(nowMs)!.chunks) {
      nowMs += 4;
      plan.arrived(sha256, nowMs);
      plan.accepted(sha256);
    }
  }
  plan.next(nowMs);
  t.is(waitMs(), timeouts.minMs);
  const waits: number[] = [];
  for (let silence = 0; silence < 3; silence++) {
    nowMs = plan.deadlineMs!;
    plan.expire(nowMs);
    plan.next(nowMs);
    waits.push(waitMs());
  }
  t.deepEqual(waits, [200, 400, 800]);
});

test('slow answers keep the rest of their batch waiting, not timing out', (t) => {
  const chunks = chunksNamed(8);
  const plan = new FetchPlan(chunks, timeouts);
  plan.next(0);
  let nowMs = 0;
  for (const { sha256 } of chunks) {
    nowMs += 900;
    plan.expire(nowMs);
    t.true(plan.arrived(sha256, nowMs), 'a slow link is not a missing chunk');
    plan.accepted(sha256);
  }
  t.true(plan.finished);
});
