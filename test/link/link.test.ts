import { createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import test from 'ava';
import { type Clock, errorCode, silentLogger, systemClock } from '../../src/core/index.ts';
import { Link, type LinkMessage, type LinkOptions, readRetained } from '../../src/link/index.ts';
import { FakeBroker } from '../fakes/broker.ts';

const WAIT_MS = 20_000;
const within = (): AbortSignal => AbortSignal.timeout(WAIT_MS);

function options(url: string, more: Partial<LinkOptions> = {}): LinkOptions {
  return {
    url,
    clientId: 'press-1',
    clean: true,
    backoff: { minMs: 10, maxMs: 100 },
    clock: systemClock,
    logger: silentLogger,
    ...more,
  };
}

async function until(what: () => boolean): Promise<void> {
  for (const end = Date.now() + WAIT_MS; !what(); await delay(2)) {
    if (Date.now() > end) throw new Error('waited too long');
  }
}

async function setUp(t: { teardown(fn: () => Promise<void>): void }, more = {}) {
  const broker = await FakeBroker.start();
  const link = await Link.open(options(broker.url, more));
  t.teardown(async () => {
    await link.close();
    await broker.stop();
  });
  await link.waitConnected(within());
  return { broker, link };
}

test('publishes, and receives what it subscribed to, once for each subscription', async (t) => {
  const { link, broker } = await setUp(t);
  const messages: LinkMessage[] = [];
  const subscription = link.subscribe(['a/+', 'a/b'], (message) => messages.push(message));
  await link.publish('a/b', 'one', { retain: true });
  await until(() => messages.length > 0);
  t.is(Buffer.from(messages[0]!.payload).toString(), 'one');
  t.is(broker.published.at(-1)?.qos, 1);
  subscription.close();
  const count = messages.length;
  await link.publish('a/b', 'two');
  await link.publish('a/b', 'three');
  t.is(messages.length, count);
});

test('a topic that two want stays subscribed when one of them leaves', async (t) => {
  const { link } = await setUp(t);
  const seen: string[] = [];
  const first = link.subscribe(['a'], () => seen.push('first'));
  link.subscribe(['a'], () => seen.push('second'));
  first.close();
  await link.publish('a', 'x');
  await until(() => seen.length > 0);
  t.deepEqual([...new Set(seen)], ['second']);
});

test('opens without a broker, refuses to queue, and connects once there is one', async (t) => {
  const broker = await FakeBroker.start();
  await broker.stop();
  const link = await Link.open(options(broker.url));
  t.teardown(async () => {
    await link.close();
    await broker.stop();
  });
  const error = await t.throwsAsync(link.publish('a', 'x'));
  t.is(errorCode(error), 'broker-unreachable');
  await t.throwsAsync(link.waitConnected(AbortSignal.timeout(50)), {
    any: true,
    name: 'TimeoutError',
  });
  const messages: LinkMessage[] = [];
  link.subscribe(['a'], (message) => messages.push(message));
  await broker.restart();
  await broker.publish('a', 'kept', true);
  await link.waitConnected(within());
  await until(() => messages.length > 0);
  t.pass();
});

test('subscriptions come back after a cut, with what is retained', async (t) => {
  const { link, broker } = await setUp(t);
  const states: boolean[] = [];
  link.onConnection((connected) => states.push(connected));
  const messages: LinkMessage[] = [];
  link.subscribe(['a'], (message) => messages.push(message));
  await broker.publish('a', 'kept', true);
  await until(() => messages.length === 1);
  broker.cut();
  await until(() => messages.length === 2);
  t.true(messages[1]!.retain);
  t.deepEqual(states, [false, true]);
});

test('a persistent session is given what was published while it was away', async (t) => {
  const { link, broker } = await setUp(t, { clean: false });
  const granted = new Promise<void>((resolve) =>
    link.subscribe(['orders'], () => {}, { onGranted: () => resolve() }),
  );
  await granted;
  await link.close();
  const other = await Link.open(options(broker.url, { clientId: 'other' }));
  await other.waitConnected(within());
  await other.publish('orders', 'while away');
  const back = await Link.open(options(broker.url, { clean: false }));
  const texts: string[] = [];
  back.subscribe(['orders'], ({ payload }) => texts.push(Buffer.from(payload).toString()));
  t.teardown(async () => {
    await back.close();
    await other.close();
  });
  await until(() => texts.length > 0);
  t.deepEqual(texts, ['while away']);
});

test('a publication under way at the cut is rejected and never sent by itself', async (t) => {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    // CONNACK to the first packet, then silence.
    socket.once('data', () => socket.write(Uint8Array.from([0x20, 2, 0, 0])));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const sockets = new Set<{ destroy(): void }>();
  server.on('connection', (socket) => sockets.add(socket));
  const link = await Link.open(options(`mqtt://127.0.0.1:${port}`, { clean: false }));
  t.teardown(async () => {
    await link.close();
    server.close();
  });
  await link.waitConnected(within());
  const publishing = link.publish('a', 'x');
  const aborted = new AbortController();
  const abortable = link.publish('a', 'x', { signal: aborted.signal });
  aborted.abort();
  await t.throwsAsync(abortable, { any: true, name: 'AbortError' });
  for (const socket of sockets) socket.destroy();
  t.is(errorCode(await t.throwsAsync(publishing)), 'broker-unreachable');
  const after: Buffer[] = [];
  server.once('connection', (socket) => socket.on('data', (bytes) => after.push(bytes)));
  await until(() => !link.connected);
  await link.waitConnected(within());
  const stopping = new AbortController();
  const late = link.publish('b', 'y', { signal: stopping.signal });
  await until(() => Buffer.concat(after).includes(Buffer.from([0, 1, 0x62])));
  stopping.abort();
  await t.throwsAsync(late, { any: true });
  const sent = Buffer.concat(after);
  t.false(sent.includes(Buffer.from([0, 1, 0x61])), 'what was under way before it is not');
});

test('the last will is left by a cut and not by a goodbye', async (t) => {
  const { link, broker } = await setUp(t, { will: { topic: 'w', payload: 'gone' } });
  broker.cut();
  await until(() => broker.published.some(({ topic }) => topic === 'w'));
  await until(() => !link.connected);
  await link.waitConnected(within());
  await link.close();
  await until(() => broker.sockets.size === 0);
  t.is(broker.published.filter(({ topic }) => topic === 'w').length, 1);
  t.is(errorCode(await t.throwsAsync(link.publish('a', 'x'))), 'broker-unreachable');
  t.is(errorCode(await t.throwsAsync(link.waitConnected())), 'broker-unreachable');
});

test('a broker that announces a giant packet is cut off before it sends it', async (t) => {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', () =>
      socket.write(Uint8Array.from([0x20, 2, 0, 0, 0x30, 0xff, 0xff, 0xff, 0x7f])),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const closed = new Promise<void>((resolve) =>
    server.once('connection', (socket) => socket.once('close', () => resolve())),
  );
  const link = await Link.open(options(`mqtt://127.0.0.1:${port}`));
  t.teardown(async () => {
    await link.close();
    server.close();
  });
  await closed;
  t.pass();
});

test('readRetained: what is kept, too much, not allowed, not connected', async (t) => {
  const { link, broker } = await setUp(t);
  await broker.publish('kept', 'bytes', true);
  const read = (topic: string, maxBytes = 100, signal = within()) =>
    readRetained(link, topic, { timeoutMs: WAIT_MS, maxBytes, signal });
  t.is(Buffer.from((await read('kept')) ?? []).toString(), 'bytes');
  t.is(errorCode(await t.throwsAsync(read('kept', 4))), 'broker-refused');
  broker.hooks.refuseSubscribe = (topic) => topic === 'secret';
  t.is(errorCode(await t.throwsAsync(read('secret'))), 'broker-refused');
  const aborting = new AbortController();
  const aborted = read('absent', 100, aborting.signal);
  aborting.abort();
  await t.throwsAsync(aborted, { any: true, name: 'AbortError' });
  await broker.stop();
  const unanswered = readRetained(link, 'kept', { timeoutMs: 30, maxBytes: 100 });
  t.is(errorCode(await t.throwsAsync(unanswered)), 'broker-unreachable');
});

test('readRetained: nothing kept is known only when the time after the grant is over', async (t) => {
  const QUIET_MS = 1_000_000;
  const waits: (() => void)[] = [];
  const clock: Clock = {
    ...systemClock,
    sleep: (durationMs, signal) => {
      if (durationMs !== QUIET_MS) return systemClock.sleep(durationMs, signal);
      return new Promise((resolve) => waits.push(resolve));
    },
  };
  const { link } = await setUp(t, { clock });
  let settled = false;
  const reading = readRetained(link, 'absent', { timeoutMs: QUIET_MS, maxBytes: 1 });
  void reading.finally(() => {
    settled = true;
  });
  await until(() => waits.length === 2);
  waits[0]!();
  await link.publish('other', 'x');
  t.false(settled, 'the time before the grant is another one');
  waits[1]!();
  t.is(await reading, undefined);
});

test('wrong options are found at open', async (t) => {
  const wrong: Partial<LinkOptions>[] = [
    { url: 'http://x' },
    { url: 'nonsense' },
    { url: 'mqtt://user:secret@host' },
    { passwordFile: '/x' },
    { certFile: '/x' },
    { url: 'mqtts://x', certFile: '/x' },
  ];
  for (const more of wrong) {
    const error = await t.throwsAsync(Link.open(options('mqtt://x', more)));
    t.is(errorCode(error), 'config-invalid', JSON.stringify(more));
  }
  const missing = Link.open(options('mqtts://x', { caFile: '/does/not/exist.pem' }));
  t.is(errorCode(await t.throwsAsync(missing)), 'file-missing');
});
