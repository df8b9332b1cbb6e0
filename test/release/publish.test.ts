import test, { type ExecutionContext } from 'ava';
import {
  type Clock,
  errorCode,
  sha256Hex,
  silentLogger,
  systemClock,
} from '../../src/core/index.ts';
import { fleetTopics, Link } from '../../src/link/index.ts';
import {
  DAY_MS,
  Publisher,
  type Repository,
  readAssignment,
  renewAssignments,
  signAssignment,
} from '../../src/release/index.ts';
import { AssignmentFloors, openAssignment } from '../../src/update/index.ts';
import { FakeBroker } from '../fakes/broker.ts';
import { CrashFiles } from '../fakes/crash-files.ts';
import { HandClock, releaseOf, SignedRepository } from '../fakes/signed-repository.ts';

const NOW_MS = Date.now();
const topics = fleetTopics('plant');
const logger = silentLogger;
/** Waits for messages that are absent are what these tests would spend their time on. */
const QUIET_MS = [1_000, 4_000, 16_000];
const SHORT_MS = 300;
const hastyClock: Clock = {
  ...systemClock,
  sleep: (durationMs, signal) =>
    systemClock.sleep(QUIET_MS.includes(durationMs) ? SHORT_MS : durationMs, signal),
};
const subject = { kind: 'group', name: 'presses' } as const;

async function setUp(t: ExecutionContext) {
  const broker = await FakeBroker.start();
  const fleet = await new SignedRepository(NOW_MS).publish('1');
  const link = await Link.open({
    url: broker.url,
    clientId: 'publisher',
    clean: true,
    backoff: { minMs: 10, maxMs: 50 },
    clock: hastyClock,
    logger,
  });
  await link.waitConnected();
  t.teardown(async () => {
    await link.close();
    await broker.stop();
  });
  const { repository } = fleet;
  const publisherOf = (signal = new AbortController().signal): Publisher =>
    new Publisher({ link, fleet: 'plant', repository, logger, signal });
  const assign = (releases: readonly string[], nowMs = NOW_MS) => {
    const lifetimeMs = 30 * DAY_MS;
    const online = fleet.keys;
    return signAssignment({
      ...{ repository, online, fleet: 'plant', subject, releases, nowMs, lifetimeMs },
    });
  };
  return { broker, fleet, repository, link, publisherOf, assign, publisher: publisherOf() };
}

/** A device that reads what the broker keeps. */
async function deviceReads(broker: FakeBroker, fleet: SignedRepository) {
  fleet.fetch = async (name) => broker.retained.get(topics.tuf(name))?.payload;
  const store = await fleet.openStore(new CrashFiles(), new HandClock(NOW_MS));
  return store.refresh(new AbortController().signal);
}

/** Everything that the repository needs, by topic. */
async function wanted(repository: Repository): Promise<Map<string, string>> {
  const { versioned, timestamp } = await repository.metadata.files();
  const found = new Map<string, string>();
  for (const path of (await repository.metadata.signedReleases()).keys()) {
    const [model, version] = path.split('/');
    for (const { sha256 } of await repository.chunksOf(model!, version!)) {
      found.set(topics.chunk(sha256), sha256);
    }
  }
  for (const name of [...versioned, timestamp!]) {
    found.set(topics.tuf(name), sha256Hex((await repository.metadata.read(name))!));
  }
  return found;
}

const kept = (broker: FakeBroker): Map<string, string> =>
  new Map([...broker.retained].map(([topic, { payload }]) => [topic, sha256Hex(payload)]));

test('a release is published so that no reader sees metadata before what it names', async (t) => {
  const { broker, fleet, repository, publisher } = await setUp(t);
  const report = await publisher.publishRelease('motor', '1');
  const all = await wanted(repository);
  t.deepEqual(kept(broker), all);
  t.deepEqual(report, { wanted: all.size, published: all.size, cleared: 0 });
  const order = [...new Set(broker.published.map(({ topic }) => topic))];
  const chunkCount = order.filter((topic) => topic.includes('/chunks/')).length;
  t.is(
    order.findIndex((topic) => topic.includes('/tuf/')),
    chunkCount,
  );
  t.is(order.indexOf(topics.tuf('timestamp.json')), order.length - 1);
  t.true(broker.published.every(({ qos, retain }) => qos === 1 && retain));
  t.is((await deviceReads(broker, fleet)).releaseTarget('motor', '1')?.chunks.length, 1);
});

test('metadata is not published while a chunk is not there', async (t) => {
  const { broker, repository, publisher } = await setUp(t);
  const [lost] = await repository.chunksOf('motor', '1');
  broker.hooks.forward = ({ topic, payload }) =>
    topic === topics.chunk(lost!.sha256) ? undefined : payload;
  const error = await t.throwsAsync(publisher.publishRelease('motor', '1'));
  t.is(errorCode(error), 'broker-lost-data');
  t.regex(error.message, /does not keep 1 of 2 retained messages.*--chunk-bytes/);
  t.false([...broker.retained.keys()].some((topic) => topic.includes('/tuf/')));
  const tries = broker.published.filter(({ topic }) => topic === topics.chunk(lost!.sha256));
  t.is(tries.length, 3, 'a named number of tries');
});

test('a broker that loses a message once is given it again', async (t) => {
  const { broker, repository, publisher } = await setUp(t);
  const [lost] = await repository.chunksOf('motor', '1');
  const topic = topics.chunk(lost!.sha256);
  broker.hooks.forward = (delivery) => {
    const sent = broker.published.filter((packet) => packet.topic === topic).length;
    return delivery.topic === topic && sent < 2 ? undefined : delivery.payload;
  };
  await publisher.publishRelease('motor', '1');
  t.deepEqual(kept(broker), await wanted(repository));
});

test('a broker that was killed and kept nothing gets everything back', async (t) => {
  const { broker, fleet, repository, link, publisher, assign } = await setUp(t);
  await publisher.publishRelease('motor', '1');
  await assign(['motor/1']);
  await publisher.publishAssignment(subject);
  await broker.stop();
  await broker.restart();
  await link.waitConnected();
  t.is(broker.retained.size, 0);
  const all = await wanted(repository);
  const report = await publisher.mend();
  t.deepEqual(report, { wanted: all.size + 1, published: all.size + 1, cleared: 0 });
  t.true(broker.retained.has(topics.assignment(subject)));
  t.truthy((await deviceReads(broker, fleet)).releaseTarget('motor', '1'));
});

test('what is there is left alone, and what someone else put there is replaced', async (t) => {
  const { broker, fleet, repository, publisher, assign } = await setUp(t);
  await publisher.publishRelease('motor', '1');
  await assign(['motor/1']);
  await publisher.publishAssignment(subject);
  const stranger = await new SignedRepository(NOW_MS).publish('1');
  for (const [name, bytes] of stranger.served) await broker.publish(topics.tuf(name), bytes, true);
  const [chunk, other] = await repository.chunksOf('motor', '1');
  await broker.publish(topics.chunk(chunk!.sha256), 'tampered', true);
  await broker.publish(topics.assignment(subject), 'tampered', true);
  broker.published.length = 0;
  await publisher.mend();
  const published = broker.published.map(({ topic }) => topic);
  t.true(published.includes(topics.chunk(chunk!.sha256)));
  t.false(published.includes(topics.chunk(other!.sha256)));
  t.true(published.includes(topics.assignment(subject)));
  t.truthy((await deviceReads(broker, fleet)).releaseTarget('motor', '1'));
});

test('a connection that is cut while publishing does not end it', async (t) => {
  const { broker, repository, publisher } = await setUp(t);
  let cuts = 0;
  broker.hooks.onSubscribe = () => {
    if (cuts++ === 0) broker.cut();
  };
  await publisher.publishRelease('motor', '1');
  t.true(broker.connections > 1);
  t.deepEqual(kept(broker), await wanted(repository));
});

test('an interrupted publication is completed by running it again', async (t) => {
  const { broker, repository, publisherOf } = await setUp(t);
  const stop = new AbortController();
  broker.hooks.onSubscribe = () => stop.abort(new Error('enough'));
  await t.throwsAsync(publisherOf(stop.signal).publishRelease('motor', '1'), { message: 'enough' });
  t.true(broker.retained.size < (await wanted(repository)).size);
  broker.hooks.onSubscribe = () => {};
  await publisherOf().publishRelease('motor', '1');
  t.deepEqual(kept(broker), await wanted(repository));
});

test('what nobody needs is cleared, on the broker and on disk', async (t) => {
  const { broker, fleet, repository, publisher } = await setUp(t);
  await publisher.publishRelease('motor', '1');
  const orphan = releaseOf('motor', '9', NOW_MS);
  const [sha256, bytes] = [...orphan.chunks][0]!;
  await fleet.files.write(`/repo/chunks/${sha256}`, bytes);
  await broker.publish(topics.chunk(sha256), bytes, true);
  await fleet.publish('2');
  await publisher.publishRelease('motor', '2');
  await fleet.refresh();
  t.is((await publisher.mend()).cleared, 2, 'snapshot 1 and a chunk');
  await fleet.refresh();
  t.is((await publisher.mend()).cleared, 1, 'snapshot 2');
  t.false(broker.retained.has(topics.chunk(sha256)));
  t.false((await repository.chunkNames()).includes(sha256));
  const names = [...broker.retained.keys()].filter((topic) => topic.includes('/tuf/'));
  t.deepEqual(
    names.map((topic) => topic.split('/').at(-1)).sort(),
    [
      '1.root.json',
      '1.targets.json',
      '2.targets.json',
      '3.snapshot.json',
      '4.snapshot.json',
      'timestamp.json',
    ],
    'one version back is left for readers that are about to ask for it',
  );
  t.truthy((await deviceReads(broker, fleet)).releaseTarget('motor', '2'));
});

test('a signed release whose files are gone is said to be missing', async (t) => {
  const { fleet, publisher } = await setUp(t);
  await fleet.files.remove('/repo/releases/motor/1');
  t.is(errorCode(await t.throwsAsync(publisher.mend())), 'release-missing');
});

test('an assignment names digests, rises in sequence, and is taken by its device', async (t) => {
  const { broker, fleet, repository, publisher, assign } = await setUp(t);
  await fleet.publish('2');
  await publisher.publishRelease('motor', '2');
  const first = await assign(['motor/1']);
  const second = await assign(['motor/2']);
  t.deepEqual([first.sequence, second.sequence], [1, 2]);
  const { bytes } = await repository.readRelease('motor', '2');
  t.deepEqual(second.targets, [{ model: 'motor', version: '2', releaseSha256: sha256Hex(bytes) }]);
  await publisher.publishAssignment(subject);
  const trusted = await deviceReads(broker, fleet);
  const floors = await AssignmentFloors.open(new CrashFiles(), '/floors');
  const payload = broker.retained.get(topics.assignment(subject))!.payload;
  const options = { fleet: 'plant', subject, floors, nowMs: NOW_MS };
  t.deepEqual(await openAssignment(payload, trusted, options), second);
  t.deepEqual((await assign([])).targets, [], 'taken back');
  t.is(errorCode(await t.throwsAsync(assign(['motor/3']))), 'release-missing');
  t.is(errorCode(await t.throwsAsync(assign(['motor']))), 'input-invalid');
  t.is(errorCode(await t.throwsAsync(assign(['../x/1']))), 'input-invalid');
});

test('assignments are renewed when half of their time has passed, as they are', async (t) => {
  const { fleet, repository, assign } = await setUp(t);
  const before = await assign(['motor/1']);
  const renew = (days: number): Promise<number> =>
    renewAssignments({ repository, online: fleet.keys, nowMs: NOW_MS + days * DAY_MS });
  t.is(await renew(14), 0);
  t.is(await renew(16), 1);
  const after = (await readAssignment(repository, subject))!;
  t.is(after.sequence, before.sequence + 1);
  t.deepEqual(after.targets, before.targets);
  t.is(Date.parse(after.expires) - Date.parse(before.expires), 16 * DAY_MS);
});
