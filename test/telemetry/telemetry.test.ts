import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import fc from 'fast-check';
import { generateSigningKey } from '../../src/core/index.ts';
import {
  Histogram,
  LATENCY_BOUNDS_US,
  openEvent,
  openTelemetry,
  readHealth,
  SequenceTracker,
  sealEvent,
  sealTelemetry,
  type TelemetryBatch,
} from '../../src/telemetry/index.ts';

const key = generateSigningKey();
const header = {
  formatVersion: 1,
  fleet: 'f',
  device: 'd',
  bootId: 'b',
  at: '2026-01-01T00:00:00.000Z',
} as const;
const batch: TelemetryBatch = {
  type: 'dunlin-telemetry',
  ...header,
  sequence: 7,
  samples: [
    {
      kind: 'inference',
      pipeline: 'p',
      at: header.at,
      model: { model: 'm', version: '1' },
      path: 'xnn',
      window: 1,
      label: 'healthy',
      confidence: 0.9921875,
      latencyUs: 87.5,
    },
  ],
};

test('a batch arrives as it was sealed, and only under its own key', (t) => {
  const payload = sealTelemetry(batch, key);
  t.deepEqual(openTelemetry(payload, key), batch);
  t.throws(() => openTelemetry(payload, generateSigningKey()), { code: 'untrusted-signature' });
  t.throws(() => openTelemetry(payload.subarray(0, 40), key), { code: 'metadata-malformed' });
});

test('an event does not pass for a batch, and a bomb is not unpacked', async (t) => {
  const { brotliCompressSync } = await import('node:zlib');
  const event = sealEvent(
    { type: 'dunlin-event', ...header, sequence: 1, name: 'agent-started' },
    key,
  );
  t.is(openEvent(event, key).name, 'agent-started');
  t.throws(() => openTelemetry(brotliCompressSync(event), key), { code: 'metadata-malformed' });
  const bomb = brotliCompressSync(Buffer.alloc(64 * 1024 * 1024));
  t.throws(() => openTelemetry(bomb, key), { message: /too large/ });
});

test('the tracker counts each number once, and knows what is missing', (t) => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 60 }), { maxLength: 200 }), (sequences) => {
      const tracker = new SequenceTracker();
      const seen = new Set<number>();
      for (const sequence of sequences) {
        t.is(tracker.accept(sequence), !seen.has(sequence));
        seen.add(sequence);
      }
      const highest = Math.max(0, ...seen);
      t.is(tracker.receivedCount, seen.size);
      t.is(tracker.highest, highest);
      t.is(tracker.missingCount, highest - seen.size);
      t.is(tracker.duplicateCount, sequences.length - seen.size);
    }),
  );
});

test('a quantile is at most one bucket above the true value', (t) => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 20, max: 9_000_000 }), { minLength: 1, maxLength: 100 }),
      (values) => {
        const histogram = new Histogram(LATENCY_BOUNDS_US);
        for (const value of values) histogram.add(value);
        const sorted = [...values].sort((a, b) => a - b);
        const exact = sorted[Math.ceil(0.5 * sorted.length) - 1]!;
        const estimate = histogram.quantile(0.5);
        t.true(estimate >= exact && estimate <= exact * Math.SQRT2 + 1, `${estimate} for ${exact}`);
        t.is(
          histogram.report().counts.reduce((sum, count) => sum + count, 0),
          values.length,
        );
      },
    ),
  );
});

test('health is read where the machine has it', async (t) => {
  const root = mkdtempSync(join(tmpdir(), 'dunlin-'));
  const zone = (index: number, type: string, temp: string) => {
    const dir = join(root, 'sys/class/thermal', `thermal_zone${index}`);
    mkdirSync(dir, { recursive: true });
    writeFileSync(join(dir, 'type'), `${type}\n`);
    writeFileSync(join(dir, 'temp'), `${temp}\n`);
  };
  zone(0, 'acpitz', '20000');
  zone(1, 'cpu-thermal', '48312');
  mkdirSync(join(root, 'proc/42'), { recursive: true });
  writeFileSync(join(root, 'proc/42/statm'), '5000 1000 300 1 0 800 0\n');
  const options = { sysfsRoot: join(root, 'sys'), procRoot: join(root, 'proc') };
  const reading = await readHealth(options, [42, 43]);
  t.is(reading.cpuTemperatureC, 48.312);
  t.is(reading.sandboxRssBytes, 1000 * 4096);
  t.true(reading.agentRssBytes > 0);
  const bare = await readHealth({ sysfsRoot: '/nonexistent', procRoot: '/nonexistent' }, []);
  t.false('cpuTemperatureC' in bare);
});
