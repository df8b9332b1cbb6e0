import test from 'ava';
import fc from 'fast-check';
import { evidenceBetween } from '../../src/agent/index.ts';
import type { ModelStatistics } from '../../src/mcu/index.ts';
import { McuBench, mcuRelease } from './mcu-bench.ts';

const statistics = (more: Partial<ModelStatistics>): ModelStatistics => ({
  ...{ up: 1, resets: 4, runs: 100, failures: 2, arena: 64, lines: 0, trials: 0, reverts: 0 },
  ...more,
});

test('inferences between two looks count, good ones and failed ones', (t) => {
  const before = statistics({});
  t.deepEqual(evidenceBetween(before, statistics({ runs: 107, failures: 3 })), {
    good: 7,
    bad: 1,
    resets: 0,
  });
  const wrapping = statistics({ runs: 0xffff_fffe });
  t.is(evidenceBetween(wrapping, statistics({ runs: 3 })).good, 5, 'counters wrap');
});

test('a reset counts against what runs unless it was asked for, or power was taken', (t) => {
  const after = (cause?: string) =>
    evidenceBetween(
      statistics({}),
      statistics({ resets: 5, runs: 9, failures: 1, ...(cause === undefined ? {} : { cause }) }),
    );
  t.deepEqual(after('watchdog'), { good: 9, bad: 2, resets: 1 });
  t.deepEqual(after(), { good: 9, bad: 2, resets: 1 });
  for (const cause of ['power', 'pin', 'software']) {
    t.deepEqual(after(cause), { good: 9, bad: 1, resets: 1 }, cause);
  }
});

test('a device whose counters went back is another one: no evidence', (t) => {
  t.deepEqual(evidenceBetween(statistics({}), statistics({ resets: 0, runs: 500 })), {
    good: 0,
    bad: 0,
    resets: 0,
  });
});

test('evidence is never negative', (t) => {
  const count = fc.integer({ min: 0, max: 0xffff_ffff });
  const any = fc.record({ resets: fc.integer({ min: 0, max: 9 }), runs: count, failures: count });
  fc.assert(
    fc.property(any, any, (before, now) => {
      const { good, bad, resets } = evidenceBetween(statistics(before), statistics(now));
      t.true(good >= 0 && bad >= 0 && resets >= 0);
    }),
  );
});

test('telemetry of a device: what it is and runs, its numbers, its warnings, the line', async (t) => {
  const bench = await McuBench.open(t);
  const device = bench.device();
  const { models } = device;
  models.logLines.push({ n: 1, ms: 40, level: 1, text: 'arena nearly full' });
  models.logLines.push({ n: 2, ms: 41, level: 0, text: 'sensor lost' });
  Object.assign(models.statistics, { us: 120, cycles: 9000, lines: 3, stack: 900 });
  bench.assign(mcuRelease({ version: '1', key: 5 }));
  await bench.committed('1');
  const samples = () => bench.reporter.sent.filter(({ kind }) => kind === 'microcontroller');
  await bench.until('a sample of v1', () =>
    samples().some((sample) => 'running' in sample && sample.running.model !== undefined),
  );
  const sample = samples().at(-1)!;
  t.like(sample, {
    microcontroller: 'left',
    running: {
      board: 'mps2-an386',
      bootloader: 'MCUboot',
      engine: 'dunlin',
      firmware: { version: '1.0.0' },
      model: { version: '5.0.0' },
    },
    statistics: {
      lastUs: 120,
      cycles: 9000,
      damagedLines: 3,
      stackBytes: 900,
      resetCause: 'power',
    },
    line: { damagedLines: 0, losses: 0 },
  });
  const logs = bench.reporter.sent.flatMap((one) =>
    one.kind === 'microcontroller-log' ? one.lines : [],
  );
  t.deepEqual(logs, [
    { number: 1, uptimeMs: 40, level: 'warn', text: 'arena nearly full' },
    { number: 2, uptimeMs: 41, level: 'error', text: 'sensor lost' },
  ]);
  t.like(bench.keeper().state, { port: 'usb-left', model: 'motor', online: true });
  t.like(bench.keeper().state.statistics, { lastUs: 120, arenaBytes: 64 });

  // A reset that nobody asked for: an event, and the log is read from its start again.
  bench.line().cut();
  models.reset();
  models.statistics.cause = 'watchdog';
  models.logLines.splice(0, 9, { n: 0, ms: 1, level: 1, text: 'watchdog' });
  await bench.until('the reset', () => bench.reporter.named('microcontroller-reset').length > 0);
  t.like(bench.reporter.named('microcontroller-reset')[0], {
    microcontroller: 'left',
    reason: 'watchdog',
  });
  await bench.until('its log', () =>
    bench.reporter.sent.some(
      (one) => one.kind === 'microcontroller-log' && one.lines[0]?.text === 'watchdog',
    ),
  );
});
