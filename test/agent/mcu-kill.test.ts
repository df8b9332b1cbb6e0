import test, { type ExecutionContext } from 'ava';
import { SURVIVALS, type Survival } from '../fakes/crash-files.ts';
import { firmware, McuBench, type McuRelease, mcuRelease } from './mcu-bench.ts';

const V1 = mcuRelease({ version: '1', key: 5, firmware: firmware(2) });
const GOOD = mcuRelease({ version: '2', key: 6, firmware: firmware(3) });
/** Some ninety kills each, on a busy machine. */
const TIMEOUT_MS = 300_000;
const BAD = mcuRelease({ version: '2', key: 6, goldenKey: 8 });

/** An agent whose disk dies at its n-th operation from the assignment on; undefined when it did not come to that. */
async function killed(
  t: ExecutionContext,
  release: McuRelease,
  n: number,
  over: (bench: McuBench) => boolean,
): Promise<McuBench | undefined> {
  const bench = await McuBench.open(t);
  bench.assign(V1);
  await bench.committed('1');
  bench.files.dieAt(n);
  bench.assign(release);
  await bench.until('the end or the kill', () => {
    bench.infer('left', { good: 1 });
    return bench.files.dead || over(bench);
  });
  await bench.stop();
  return bench.files.dead ? bench : undefined;
}

async function restarted(bench: McuBench, survival: Survival, n: number): Promise<void> {
  bench.files = bench.files.reopen(survival, n);
  await bench.start();
}

const firmwareFor: Readonly<Record<string, string>> = { '1': '2', '2': '3' };
const keyFor: Readonly<Record<string, number>> = { '1': 5, '2': 6 };

for (const survival of SURVIVALS) {
  test.serial(`killed at any write of an update, unsynced is ${survival}`, async (t) => {
    t.timeout(TIMEOUT_MS);
    let n = 1;
    for (; ; n++) {
      const bench = await killed(t, GOOD, n, (one) => one.active() === '2');
      if (bench === undefined) break;
      // Whatever the moment, the device has a model that passed its vectors, and runs it.
      t.true([5, 6].includes(bench.runs()), `${n}`);
      await restarted(bench, survival, n);
      // Without a broker: one release or the other, and the device runs what the slots say.
      await bench.until(`${n}: settled`, () => {
        const [version = 'none'] = bench.active().split(' ');
        return (
          version !== 'none' &&
          bench.runs() === keyFor[version] &&
          bench.firmwareOf() === firmwareFor[version] &&
          bench.device().models.trialSlot === -1
        );
      });
      bench.assign(GOOD);
      await bench.committed('2');
      t.is(bench.runs(), 6);
      t.is(bench.firmwareOf(), '3');
      await bench.stop();
    }
    t.log(`${n - 1} kills`);
    t.true(n > 40);
  });

  test.serial(`killed at any write of one that is refused, unsynced is ${survival}`, async (t) => {
    t.timeout(TIMEOUT_MS);
    const refused = (bench: McuBench) =>
      bench.keeper().state.release.update?.phase === 'refused' && bench.active() === '1';
    let n = 1;
    for (; ; n++) {
      const bench = await killed(t, BAD, n, refused);
      if (bench === undefined) break;
      t.is(bench.runs(), 5, `${n}`);
      await restarted(bench, survival, n);
      bench.assign(BAD);
      await bench.until(`${n}: refused`, () => refused(bench));
      t.is(bench.runs(), 5);
      t.is(bench.device().models.trialSlot, -1);
      await bench.stop();
    }
    t.log(`${n - 1} kills`);
    t.true(n > 30);
  });
}
