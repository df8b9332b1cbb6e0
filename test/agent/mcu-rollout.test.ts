import test from 'ava';
import fc from 'fast-check';
import { Rollout, refusalOf } from '../../src/agent/index.ts';
import { EMPTY_STATE } from '../../src/update/index.ts';
import { McuBench, mcuRelease } from './mcu-bench.ts';

const V1 = mcuRelease({ version: '1', key: 5 });
const V2 = mcuRelease({ version: '2', key: 6 });
const NAMES = ['left', 'middle', 'right'];
const THREE = { left: {}, middle: {}, right: {} };

/** How many devices were worked on at once at most, from now on. */
function watchSteps(bench: McuBench): { most: number; order: string[] } {
  const seen = { most: 0, order: [] as string[] };
  for (const [name, device] of bench.devices) {
    device.before = () => {
      const busy = bench.keepers.filter(({ state }) => state.step !== undefined);
      seen.most = Math.max(seen.most, busy.length);
      if (bench.keeper(name).state.step !== undefined && !seen.order.includes(name)) {
        seen.order.push(name);
      }
    };
  }
  return seen;
}

test('one device at a time unless the configuration says more, and a release travels once', async (t) => {
  for (const atOnce of [1, 2]) {
    const bench = await McuBench.open(t, { devices: THREE, mcu: { atOnce } });
    const seen = watchSteps(bench);
    bench.assign(V1);
    for (const name of NAMES) await bench.committed('1', name);
    t.is(seen.most, atOnce);
    t.deepEqual(seen.order, NAMES);
    const { size } = bench.source.chunks;
    const documentChunks = size - V1.chunks.size;
    t.is(
      bench.source.fetched,
      size + 2 * documentChunks,
      'but for the document, that names its files',
    );
    await bench.stop();
  }
});

test('the others go on being looked after while one is updated', async (t) => {
  const bench = await McuBench.open(t, { devices: THREE });
  await bench.until('all', () => bench.keepers.every(({ state }) => state.online));
  const polls = () => bench.device('right').log.filter((name) => name === '64:4').length;
  let during = 0;
  bench.device('left').silent = ({ group, id }) => {
    if (group !== 64 || id !== 1 || during >= 3) return false;
    // Until the others have been asked for their numbers some more.
    during = polls() - before;
    return during < 3;
  };
  const before = polls();
  bench.assign(V1);
  await bench.until('polls', () => during >= 3);
  for (const name of NAMES) await bench.committed('1', name);
  t.true(during >= 3);
});

test('a refusal stops the roll-out: the next devices are not touched, until the assignment changes', async (t) => {
  const bench = await McuBench.open(t, { devices: THREE });
  bench.assign(V1);
  for (const name of NAMES) await bench.committed('1', name);
  bench.device('middle').models.isFaulty = true;
  bench.assign(V2);
  await bench.committed('2', 'left');
  await bench.until('the hold', () => bench.keeper('right').state.release.update?.phase === 'held');
  t.like(bench.keeper('right').state.release.update, { version: '2', reason: 'golden-mismatch' });
  t.is(bench.active('middle'), '1');
  t.is(bench.active('right'), '1');
  t.deepEqual(bench.device('right').models.slots.filter(Boolean).length, 1, 'nothing was sent');
  const held = bench.reporter.named('update-held');
  t.deepEqual(
    held.map(({ microcontroller, reason }) => [microcontroller, reason]),
    [['right', 'golden-mismatch']],
  );
  t.regex(held[0]!.message!, /middle refused 2/);

  await bench.stop();
  await bench.start();
  bench.assign(V2);
  await bench.until('numbers', () => bench.keepers.every(({ state }) => state.statistics));
  await bench.until('held again', () => {
    return bench.keeper('right').state.release.update?.phase === 'held';
  });
  t.is(bench.active('right'), '1', 'it holds over a restart');

  bench.device('middle').models.isFaulty = false;
  const v3 = mcuRelease({ version: '3', key: 9 });
  bench.assign(v3);
  for (const name of NAMES) await bench.committed('3', name);
});

test('a device that is away does not hold up the others', async (t) => {
  const bench = await McuBench.open(t, { devices: THREE });
  await bench.until('all', () => bench.keepers.every(({ state }) => state.online));
  const line = bench.line('left');
  line.refuseOpens = Number.POSITIVE_INFINITY;
  line.cut();
  bench.assign(V1);
  for (const name of ['middle', 'right']) await bench.committed('1', name);
  t.is(bench.active('left'), 'none');
  line.refuseOpens = 0;
  await bench.committed('1', 'left');
});

test('the rule: another device of the same model that refused the same release', (t) => {
  const refused = { releaseSha256: 'a', version: '2', reason: 'golden-mismatch' };
  const slots = { state: { ...EMPTY_STATE, refused } };
  const members = [{ name: 'left', model: 'motor', slots }];
  const ask = (name: string, model: string, sha256: string) =>
    refusalOf(members, { name, model }, sha256);
  t.deepEqual(ask('right', 'motor', 'a'), { by: 'left', reason: 'golden-mismatch' });
  t.is(ask('right', 'motor', 'b'), undefined);
  t.is(ask('right', 'pump', 'a'), undefined);
  t.is(ask('left', 'motor', 'a'), undefined, 'its own slots say it themselves');
});

test('the limit holds, and who waits gets in, in the order of asking', (t) => {
  const action = fc.record({
    name: fc.constantFrom('a', 'b', 'c', 'd'),
    enters: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 3 }), fc.array(action), (limit, actions) => {
      const rollout = new Rollout(limit);
      const inside = new Set<string>();
      let queue: string[] = [];
      for (const { name, enters } of actions) {
        if (!enters) {
          rollout.leave(name);
          inside.delete(name);
          queue = queue.filter((other) => other !== name);
          continue;
        }
        if (inside.has(name)) continue;
        if (!queue.includes(name)) queue.push(name);
        const mayEnter = queue.indexOf(name) < limit - inside.size;
        t.is(
          rollout.enter(name, () => {}),
          mayEnter,
        );
        if (!mayEnter) continue;
        inside.add(name);
        queue = queue.filter((other) => other !== name);
        t.true(inside.size <= limit);
      }
    }),
  );
});

test('whoever has no place in the roll-out wakes nobody by leaving it', (t) => {
  const rollout = new Rollout(1);
  let woken = 0;
  t.true(rollout.enter('a', () => {}));
  t.false(rollout.enter('b', () => woken++));
  rollout.leave('c');
  t.is(woken, 0);
  rollout.leave('a');
  t.is(woken, 1);
});
