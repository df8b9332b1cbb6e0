import { setTimeout as delay } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import {
  type DunlinError,
  errorCode,
  sha256Hex,
  silentLogger,
  systemClock,
} from '../../src/core/index.ts';
import { fleetTopics, Link } from '../../src/link/index.ts';
import {
  type Artifact,
  ChunkStore,
  cutIntoArtifact,
  fetchArtifact,
  MAX_REFUSALS,
  MAX_TRIES,
  MqttBlockSource,
  WINDOW_CHUNKS,
} from '../../src/update/index.ts';
import { FakeBroker } from '../fakes/broker.ts';
import { CrashFiles } from '../fakes/crash-files.ts';
import { StoppedClock } from '../fakes/stopped-clock.ts';

const topics = fleetTopics('plant');
const logger = silentLogger;
const clock = systemClock;
const CHUNK_BYTES = 4096;
const WAIT_MS = 60_000;
/** Above the longest timeout. */
const LONG_MS = 60_000;

function noise(lengthBytes: number): Uint8Array {
  let state = 7;
  return Uint8Array.from({ length: lengthBytes }, () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return state >>> 24;
  });
}

async function until(what: () => boolean | Promise<boolean>): Promise<void> {
  for (const end = Date.now() + WAIT_MS; !(await what()); await delay(2)) {
    if (Date.now() > end) throw new Error('waited too long');
  }
}

async function setUp(t: ExecutionContext, chunkCount = 40) {
  const broker = await FakeBroker.start();
  const bytes = noise(chunkCount * CHUNK_BYTES);
  const cut = cutIntoArtifact(bytes, { chunkBytes: CHUNK_BYTES, encoding: 'identity' });
  for (const [sha256, payload] of cut.chunks) {
    await broker.publish(topics.chunk(sha256), payload, true);
  }
  const link = await Link.open({
    url: broker.url,
    clientId: 'press-1-bulk',
    clean: true,
    backoff: { minMs: 10, maxMs: 50 },
    clock,
    logger,
  });
  t.teardown(async () => {
    await link.close();
    await broker.stop();
  });
  // Only the tests that are about timeouts move this clock.
  const time = new StoppedClock();
  const source = new MqttBlockSource({ link, topics, clock: time, logger });
  const store = await ChunkStore.open({ files: new CrashFiles(), dir: '/chunks', logger });
  const fetchIt = (signal = AbortSignal.timeout(WAIT_MS)) =>
    fetchArtifact({ artifact: cut.artifact, store, source, signal });
  return { broker, bytes, ...cut, link, store, source, fetchIt, time };
}

const topicOf = (artifact: Artifact, index: number): string =>
  topics.chunk(artifact.chunks[index]!.sha256);

test('chunks come by exact topics, a window at a time, and nothing stays subscribed', async (t) => {
  const { broker, bytes, fetchIt, artifact } = await setUp(t);
  const asked: (readonly string[])[] = [];
  const left = new Set<string>();
  broker.hooks.onSubscribe = (names) => asked.push(names);
  broker.hooks.onUnsubscribe = (names) => {
    for (const name of names) left.add(name);
  };
  t.is(sha256Hex(await fetchIt()), sha256Hex(bytes));
  t.is(asked.flat().length, artifact.chunks.length);
  t.true(asked.every((names) => names.length <= WINDOW_CHUNKS));
  t.true(asked.length <= 1 + artifact.chunks.length / 4, `${asked.length} SUBSCRIBEs`);
  t.false(asked.flat().some((name) => /[+#]/.test(name)));
  await until(() => left.size === artifact.chunks.length);
});

test('only what is not on disk is asked for', async (t) => {
  const { broker, fetchIt, artifact, chunks, store } = await setUp(t);
  for (const chunk of artifact.chunks.slice(0, 30)) {
    await store.put(chunk, chunks.get(chunk.sha256)!);
  }
  await fetchIt();
  t.is(broker.deliveries.size, 10);
});

test('a tampered chunk ends as digest-mismatch, after its tries, and the others arrive', async (t) => {
  const { broker, fetchIt, artifact, store } = await setUp(t);
  const bad = topicOf(artifact, 3);
  broker.hooks.forward = ({ topic, payload }) => {
    if (topic === bad) payload[0] = payload[0]! ^ 1;
    return payload;
  };
  const error = await t.throwsAsync(fetchIt());
  t.is(errorCode(error), 'digest-mismatch');
  t.is(broker.deliveries.get(bad), MAX_REFUSALS);
  t.deepEqual(await store.missing(artifact.chunks), [artifact.chunks[3]!]);
  delete broker.hooks.forward;
  broker.deliveries.clear();
  await fetchIt();
  t.is(broker.deliveries.size, 1, 'once it is put right, only that one is fetched');
});

test('a missing chunk ends as transfer-failed, after its tries, and names it', async (t) => {
  const { broker, fetchIt, artifact, store, time } = await setUp(t, 20);
  const lost = topicOf(artifact, 0);
  let asked = 0;
  broker.hooks.onSubscribe = (names) => {
    if (names.includes(lost)) asked++;
  };
  broker.hooks.forward = ({ topic, payload }) => (topic === lost ? undefined : payload);
  const failing = t.throwsAsync(fetchIt());
  await until(async () => (await store.missing(artifact.chunks)).length === 1);
  for (let tries = 1; tries <= MAX_TRIES; tries++) {
    await until(() => asked === tries);
    time.advance(LONG_MS);
  }
  const error = await failing;
  t.is(errorCode(error), 'transfer-failed');
  t.deepEqual((error as DunlinError).context['missing'], [artifact.chunks[0]!.sha256]);
  t.is(asked, MAX_TRIES);
});

test('chunks that are lost once are asked for again', async (t) => {
  const { broker, fetchIt, bytes, store, artifact, time } = await setUp(t);
  const lost = new Set<string>();
  broker.hooks.forward = ({ topic, payload }) => {
    if (lost.size === 3 || lost.has(topic)) return payload;
    lost.add(topic);
    return undefined;
  };
  const fetching = fetchIt();
  await until(async () => (await store.missing(artifact.chunks)).length === 3);
  time.advance(LONG_MS);
  t.is(sha256Hex(await fetching), sha256Hex(bytes));
});

test('a link that is cut every few chunks still gets there, and takes none twice', async (t) => {
  const { broker, source, artifact } = await setUp(t);
  let forwarded = 0;
  broker.hooks.forward = ({ payload }) => {
    if (++forwarded % 9 === 0) {
      broker.cut();
      return undefined;
    }
    return payload;
  };
  const taken: string[] = [];
  const deliver = async (sha256: string, payload: Uint8Array) => {
    t.is(sha256Hex(payload), sha256);
    taken.push(sha256);
    return 'accepted' as const;
  };
  await source.fetch(artifact.chunks, deliver, AbortSignal.timeout(WAIT_MS));
  t.true(broker.connections > 3);
  t.deepEqual(taken.sort(), artifact.chunks.map(({ sha256 }) => sha256).sort());
});

test('a broker that restarts empty and is refilled in the middle is survived', async (t) => {
  const { broker, fetchIt, bytes, chunks } = await setUp(t);
  let restarted = false;
  broker.hooks.forward = ({ payload }) => {
    if (broker.deliveries.size === 12 && !restarted) {
      restarted = true;
      void broker.stop().then(async () => {
        await broker.restart();
        for (const [sha256, chunk] of chunks) {
          await broker.publish(topics.chunk(sha256), chunk, true);
        }
      });
    }
    return payload;
  };
  t.is(sha256Hex(await fetchIt()), sha256Hex(bytes));
  t.true(restarted);
});

test('aborting stops at once and leaves no subscription', async (t) => {
  const { broker, fetchIt } = await setUp(t);
  const aborting = new AbortController();
  const asked = new Set<string>();
  const left = new Set<string>();
  broker.hooks.onSubscribe = (names) => {
    for (const name of names) asked.add(name);
  };
  broker.hooks.onUnsubscribe = (names) => {
    for (const name of names) left.add(name);
  };
  broker.hooks.forward = ({ payload }) => {
    if (broker.deliveries.size === 5) aborting.abort();
    return payload;
  };
  await t.throwsAsync(fetchIt(aborting.signal), { any: true, name: 'AbortError' });
  await until(() => asked.size > 0 && left.size === asked.size);
  t.true(asked.size < 40, 'nothing is asked for after the abort');
});

test('waiting for a broker that is away ends with the signal', async (t) => {
  const { broker, fetchIt } = await setUp(t, 2);
  await broker.stop();
  await t.throwsAsync(fetchIt(AbortSignal.timeout(100)), { any: true, name: 'TimeoutError' });
});

test('a broker that forbids the topics is told apart from one that lost the chunks', async (t) => {
  const { broker, fetchIt } = await setUp(t, 2);
  broker.hooks.refuseSubscribe = (topic) => topic.includes('/chunks/');
  t.is(errorCode(await t.throwsAsync(fetchIt())), 'broker-refused');
});

test('a disk that is full ends the transfer with its own error', async (t) => {
  const { source, artifact } = await setUp(t, 10);
  const full = Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' });
  const failing = source.fetch(
    artifact.chunks,
    () => Promise.reject(full),
    AbortSignal.timeout(9000),
  );
  t.is(await t.throwsAsync(failing), full);
});
