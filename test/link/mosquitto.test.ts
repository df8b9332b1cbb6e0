import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import anyTest, { type ExecutionContext, type TestFn } from 'ava';
import { sha256Hex, silentLogger, systemClock } from '../../src/core/index.ts';
import { fleetTopics, Link, type LinkOptions, Outbox, readRetained } from '../../src/link/index.ts';
import {
  ChunkStore,
  cutIntoArtifact,
  fetchArtifact,
  MqttBlockSource,
} from '../../src/update/index.ts';
import { CrashFiles } from '../fakes/crash-files.ts';
import { Mosquitto, makeCertificates, mosquittoIsInstalled } from '../fakes/mosquitto.ts';

const test = anyTest as TestFn;
const [clock, logger] = [systemClock, silentLogger];
const WAIT_MS = 30_000;
const within = (): AbortSignal => AbortSignal.timeout(WAIT_MS);
const topics = fleetTopics('plant');

/** Debian's package `mosquitto` belongs to this test: only a machine that is no CI may do without. */
const withMosquitto = (title: string, body: (t: ExecutionContext) => Promise<void>): void =>
  test(title, async (t) => {
    if (mosquittoIsInstalled()) return await body(t);
    t.log('needs mosquitto: apt-get install mosquitto');
    if (process.env['CI'] !== undefined) t.fail('mosquitto is not installed');
    else t.pass('skipped: mosquitto is not installed');
  });

async function until(what: () => boolean): Promise<void> {
  for (const end = Date.now() + WAIT_MS; !what(); await delay(5)) {
    if (Date.now() > end) throw new Error('waited too long');
  }
}

async function setUp(t: ExecutionContext) {
  const dir = await mkdtemp(join(tmpdir(), 'dunlin-tls-'));
  const tls = await makeCertificates(dir, 'press-1');
  const broker = await Mosquitto.start({ tls: tls.server, users: { 'press-1': 'right horse' } });
  const passwordFile = join(dir, 'password');
  await writeFile(passwordFile, 'right horse\n', { mode: 0o600 });
  const links: Link[] = [];
  t.teardown(async () => {
    await Promise.all(links.map((link) => link.close()));
    await broker.stop();
    await rm(dir, { recursive: true, force: true });
  });
  const good: LinkOptions = {
    url: broker.url,
    clientId: 'press-1',
    clean: true,
    ...tls.client,
    username: 'press-1',
    passwordFile,
    backoff: { minMs: 10, maxMs: 100 },
    clock,
    logger,
  };
  const connectAs = async (options: LinkOptions): Promise<Link> => {
    const link = await Link.open(options);
    links.push(link);
    return link;
  };
  const connect = (more: Partial<LinkOptions> = {}): Promise<Link> =>
    connectAs({ ...good, ...more });
  return { dir, broker, good, connect, connectAs };
}

withMosquitto('TLS with client certificate, user and password; retained; the will', async (t) => {
  const { broker, connect } = await setUp(t);
  const status = topics.status('press-1');
  const will = { topic: status, payload: 'offline', retain: true };
  const link = await connect({ will });
  await link.waitConnected(within());
  await link.publish(status, 'online', { retain: true });
  const reader = await connect({ clientId: 'reader' });
  await reader.waitConnected(within());
  const read = () =>
    readRetained(reader, status, { timeoutMs: WAIT_MS, maxBytes: 100, signal: within() });
  t.is(Buffer.from((await read())!).toString(), 'online');
  // A second client of the same name takes the first one's place: for the broker the first is lost.
  const usurper = await connect({ backoff: { minMs: WAIT_MS, maxMs: WAIT_MS } });
  await usurper.waitConnected(within());
  for (let text = ''; text !== 'offline'; ) text = Buffer.from((await read())!).toString();
  t.true(broker.url.startsWith('mqtts://'));
});

withMosquitto(
  'wrong password, no certificate, strange authority, wrong host: never connected',
  async (t) => {
    const { dir, good, connectAs } = await setUp(t);
    const strangers = await mkdtemp(join(dir, 'strangers-'));
    const strange = await makeCertificates(strangers, 'press-1');
    const wrongPassword = join(dir, 'wrong');
    await writeFile(wrongPassword, 'wrong\n');
    const { certFile: _cert, keyFile: _key, ...noCertificate } = good;
    const problems: string[] = [];
    const watching = {
      ...silentLogger,
      child: () => watching,
      warn: (_message: unknown, fields?: object) =>
        void problems.push(String((fields as { problem?: string } | undefined)?.problem)),
    } as typeof silentLogger;
    const cases: [LinkOptions, RegExp][] = [
      [{ ...good, passwordFile: wrongPassword }, /not authorized/i],
      [noCertificate, /certificate required|handshake|ECONNRESET|connection was lost/i],
      [{ ...good, caFile: strange.client.caFile }, /self-signed|unable to|signature/i],
      [{ ...good, certFile: strange.client.certFile, keyFile: strange.client.keyFile }, /./],
      [{ ...good, url: good.url.replace('127.0.0.1', '127.0.0.2') }, /ECONNREFUSED|altnames/i],
    ];
    for (const [options, expected] of cases) {
      problems.length = 0;
      const link = await connectAs({ ...options, logger: watching });
      let connected = false;
      link.onConnection(() => {
        connected = true;
      });
      await until(() => problems.length >= 2);
      t.false(connected);
      t.regex(problems[0]!, expected);
      await link.close();
    }
  },
);

withMosquitto('chunks and the outbox survive kill -9 of the broker', async (t) => {
  const { dir, broker, connect } = await setUp(t);
  const link = await connect({ clientId: 'press-1-bulk' });
  await link.waitConnected(within());
  const bytes = Buffer.alloc(1_500_000, 'the same words again ');
  for (let at = 0; at < bytes.length; at += 64) bytes.writeUInt32LE((at * 2_654_435_761) >>> 0, at);
  const { artifact, chunks } = cutIntoArtifact(bytes, {
    chunkBytes: 48 * 1024,
    encoding: 'identity',
  });
  const publishAll = async (): Promise<void> => {
    for (const [sha256, payload] of chunks) {
      await link.publish(topics.chunk(sha256), payload, { retain: true });
    }
  };
  await publishAll();
  const store = await ChunkStore.open({ files: new CrashFiles(), dir: '/chunks', logger });
  const source = new MqttBlockSource({ link, topics, clock, logger });
  let killed = false;
  const fetching = fetchArtifact({
    artifact,
    store,
    source,
    signal: within(),
    onProgress: ({ chunksFetched }) => {
      if (killed || chunksFetched < 5) return;
      killed = true;
      void (async () => {
        await broker.kill();
        await until(() => !link.connected);
        await broker.restart();
        await link.waitConnected(within());
        await publishAll();
      })();
    },
  });
  t.is(sha256Hex(await fetching), artifact.sha256);
  t.true(killed);

  const outbox = await Outbox.open({
    dir: join(dir, 'outbox'),
    maxEntries: 1000,
    maxBytes: 1_000_000,
    clock,
    logger,
  });
  const received: string[] = [];
  const reader = await connect({ clientId: 'reader' });
  const telemetry = topics.telemetry('press-1');
  await new Promise<void>((resolve) => {
    const onGranted = () => resolve();
    const note = ({ payload }: { payload: Uint8Array }) =>
      received.push(Buffer.from(payload).toString());
    reader.subscribe([topics.filters.telemetry], note, { onGranted });
  });
  const stopping = new AbortController();
  const running = outbox.run(link, stopping.signal);
  for (let index = 0; index < 50; index++) await outbox.enqueue(telemetry, `${index}`);
  await until(() => outbox.depth === 0);
  await broker.kill();
  for (let index = 50; index < 100; index++) await outbox.enqueue(telemetry, `${index}`);
  t.is(outbox.depth, 50);
  await broker.restart();
  await until(() => outbox.depth === 0);
  stopping.abort();
  await running;
  await outbox.close();
  t.deepEqual(
    received.slice(0, 50),
    Array.from({ length: 50 }, (_, index) => `${index}`),
  );
});
