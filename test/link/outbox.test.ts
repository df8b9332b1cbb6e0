import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { ClassicLevel } from 'classic-level';
import { errorCode, silentLogger, systemClock } from '../../src/core/index.ts';
import { Link, Outbox, type OutboxOptions, type Uplink } from '../../src/link/index.ts';
import { FakeBroker } from '../fakes/broker.ts';

const WAIT_MS = 30_000;
const [clock, logger] = [systemClock, silentLogger];

async function newDir(t: ExecutionContext): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'dunlin-outbox-'));
  t.teardown(() => rm(dir, { recursive: true, force: true }));
  return join(dir, 'outbox');
}

const open = (dir: string, more: Partial<OutboxOptions> = {}): Promise<Outbox> =>
  Outbox.open({ dir, maxEntries: 10_000, maxBytes: 10_000_000, clock, logger, ...more });

async function connect(t: ExecutionContext) {
  const broker = await FakeBroker.start();
  const backoff = { minMs: 5, maxMs: 20 };
  const link = await Link.open({
    url: broker.url,
    clientId: 'press-1',
    clean: true,
    backoff,
    clock,
    logger,
  });
  const stopping = new AbortController();
  t.teardown(async () => {
    stopping.abort();
    await link.close();
    await broker.stop();
  });
  return { broker, link, stopping };
}

async function until(what: () => boolean): Promise<void> {
  for (const end = Date.now() + WAIT_MS; !what(); await delay(2)) {
    if (Date.now() > end) throw new Error('waited too long');
  }
}

const payloads = (broker: FakeBroker): number[] =>
  broker.published.map(({ payload }) => Number(Buffer.from(payload).toString()));

/** Drains into a healthy broker. @returns the payloads in order of arrival */
async function drain(t: ExecutionContext, outbox: Outbox): Promise<number[]> {
  const { broker, link, stopping } = await connect(t);
  const running = outbox.run(link, stopping.signal);
  await until(() => outbox.depth === 0);
  stopping.abort();
  await running;
  return payloads(broker);
}

const range = (from: number, to: number): number[] =>
  Array.from({ length: to - from }, (_, index) => from + index);

test('sends in order, once each, what was there before and what comes while it runs', async (t) => {
  const dir = await newDir(t);
  const outbox = await open(dir);
  const sequences = await Promise.all(range(0, 300).map((i) => outbox.enqueue('t', `${i}`)));
  t.deepEqual(sequences, range(1, 301));
  t.is(outbox.depth, 300);
  const { broker, link, stopping } = await connect(t);
  const running = outbox.run(link, stopping.signal);
  await until(() => outbox.depth === 0);
  for (const index of range(300, 320)) await outbox.enqueue('t', `${index}`);
  await until(() => outbox.depth === 0);
  stopping.abort();
  await running;
  t.deepEqual(payloads(broker), range(0, 320));
  t.true(broker.published.every(({ qos }) => qos === 1));
  await outbox.close();
  const again = await open(dir);
  t.is(again.depth, 0);
  t.is(await again.enqueue('t', 'x'), 321, 'sequences go on after a restart of an empty outbox');
  await again.close();
});

test('a link that is cut again and again loses nothing and keeps the order', async (t) => {
  const outbox = await open(await newDir(t));
  for (const index of range(0, 200)) await outbox.enqueue('t', `${index}`);
  const { broker, link, stopping } = await connect(t);
  let cuts = 0;
  const running = outbox.run(link, stopping.signal);
  while (outbox.depth > 0) {
    const seen = broker.published.length;
    await until(() => broker.published.length > seen + 20 || outbox.depth === 0);
    broker.cut();
    cuts++;
  }
  stopping.abort();
  await running;
  await outbox.close();
  t.true(cuts > 3);
  t.deepEqual([...new Set(payloads(broker))], range(0, 200));
});

test('no message overtakes one that was not acknowledged', async (t) => {
  const hurried = { ...systemClock, sleep: () => Promise.resolve() };
  const outbox = await open(await newDir(t), { clock: hurried });
  for (const index of range(0, 40)) await outbox.enqueue('t', `${index}`);
  const arrived: number[] = [];
  const failOnce = new Set([0, 7, 20, 39]);
  const uplink: Uplink = {
    connected: true,
    waitConnected: () => Promise.resolve(),
    publish: async (_topic, payload) => {
      const index = Number(Buffer.from(payload as Uint8Array).toString());
      if (failOnce.delete(index)) throw new Error('not this time');
      arrived.push(index);
    },
  };
  const stopping = new AbortController();
  const running = outbox.run(uplink, stopping.signal);
  await until(() => outbox.depth === 0);
  stopping.abort();
  await running;
  await outbox.close();
  t.deepEqual(arrived, range(0, 40));
});

test('SIGKILL of the process that fills it: what was acknowledged is there, in order', async (t) => {
  const dir = await newDir(t);
  const script = fileURLToPath(new URL('../fakes/outbox-writer.js', import.meta.url));
  const acknowledged: number[] = [];
  for (const kill of [37, 101]) {
    const child = spawn(process.execPath, [script, dir], { stdio: ['ignore', 'pipe', 'inherit'] });
    const exited = new Promise((resolve) => child.once('exit', resolve));
    let lines = 0;
    for await (const line of createInterface({ input: child.stdout })) {
      acknowledged.push(Number(line.split(' ')[0]));
      if (++lines === kill) child.kill('SIGKILL');
    }
    await exited;
  }
  const outbox = await open(dir);
  t.true(acknowledged.length >= 138);
  t.is(new Set(acknowledged).size, acknowledged.length, 'no sequence was given twice');
  t.true(outbox.depth >= acknowledged.length);
  const first = outbox.depth;
  const sent = await drain(t, outbox);
  await outbox.close();
  t.is(sent.length, first);
  const restart = sent.indexOf(0, 1);
  t.deepEqual(sent, [...range(0, restart), ...range(0, sent.length - restart)]);
});

test('full: the oldest are dropped and counted, also after a restart', async (t) => {
  const dir = await newDir(t);
  const outbox = await open(dir, { maxEntries: 10 });
  for (const index of range(0, 15)) await outbox.enqueue('t', `${index}`);
  await Promise.all(range(15, 25).map((index) => outbox.enqueue('t', `${index}`)));
  t.is(outbox.depth, 10);
  t.is(outbox.dropped, 15);
  await outbox.close();
  const again = await open(dir, { maxEntries: 10 });
  t.is(again.dropped, 15);
  t.deepEqual(await drain(t, again), range(15, 25));
  await again.close();
});

test('the limit in bytes counts what is there, and what alone exceeds it is refused', async (t) => {
  const outbox = await open(await newDir(t), { maxBytes: 1000 });
  for (let index = 0; index < 20; index++) await outbox.enqueue('t', Buffer.alloc(197));
  t.is(outbox.depth, 5);
  t.is(outbox.dropped, 15);
  const large = outbox.enqueue('t', Buffer.alloc(1000));
  t.is(errorCode(await t.throwsAsync(large)), 'input-invalid');
  for (const topic of ['', 'a/+', '#', 'a\0']) {
    t.is(errorCode(await t.throwsAsync(outbox.enqueue(topic, 'x'))), 'input-invalid');
  }
  t.is(outbox.depth, 5);
  await outbox.close();
});

test('runs before there is a broker, and ends with its signal while there is none', async (t) => {
  const outbox = await open(await newDir(t));
  await outbox.enqueue('t', '1');
  const { broker, link, stopping } = await connect(t);
  await broker.stop();
  const running = outbox.run(link, stopping.signal);
  await outbox.enqueue('t', '2');
  await broker.restart();
  await until(() => outbox.depth === 0);
  await broker.stop();
  await outbox.enqueue('t', '3');
  stopping.abort();
  await running;
  t.deepEqual([...new Set(payloads(broker))], [1, 2]);
  t.is(outbox.depth, 1);
  await outbox.close();
});

test('a second process is told so', async (t) => {
  const dir = await newDir(t);
  const outbox = await open(dir);
  t.is(errorCode(await t.throwsAsync(open(dir))), 'input-invalid');
  await outbox.close();
});

test('a damaged index is repaired with every entry', async (t) => {
  const dir = await newDir(t);
  const outbox = await open(dir);
  for (const index of range(0, 50)) await outbox.enqueue('t', `${index}`);
  await outbox.close();
  const manifest = (await readdir(dir)).find((name) => name.startsWith('MANIFEST'));
  await writeFile(join(dir, manifest!), Buffer.alloc(100, 0xff));
  const repaired = await open(dir);
  t.is(repaired.depth, 50);
  t.deepEqual(await drain(t, repaired), range(0, 50));
  await repaired.close();
});

for (const [name, damage] of [
  ['rotten', (bytes: Buffer) => bytes.fill(0xff, 100, bytes.byteLength >> 1)],
  ['truncated', (bytes: Buffer) => bytes.subarray(0, 1000)],
] as const) {
  test(`a ${name} table costs entries, not the outbox`, async (t) => {
    const dir = await newDir(t);
    const outbox = await open(dir);
    const payload = randomBytes(2000).toString('hex');
    const count = 300;
    await Promise.all(range(0, count).map(() => outbox.enqueue('t', payload)));
    await outbox.close();
    const compacting = new ClassicLevel(dir);
    await compacting.compactRange('a', 'z');
    await compacting.close();
    for (const file of (await readdir(dir)).filter((entry) => entry.endsWith('.ldb'))) {
      await writeFile(join(dir, file), damage(await readFile(join(dir, file))));
    }
    const repaired = await open(dir);
    t.true(repaired.depth < count);
    const sequence = await repaired.enqueue('t', 'x');
    t.true(sequence > repaired.depth - 1);
    await repaired.close();
  });
}
