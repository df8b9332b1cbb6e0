import test from 'ava';
import fc from 'fast-check';
import { DunlinError, errorCode, generateSigningKey, sha256Hex } from '../../src/core/index.ts';
import {
  DAY_MS,
  DEFAULT_LIFETIMES,
  signRoot,
  signSnapshot,
  signTimestamp,
} from '../../src/release/index.ts';
import {
  ISSUED_FIELD,
  MAX_METADATA_BYTES,
  parseRole,
  type TrustStore,
} from '../../src/update/index.ts';
import { CrashFiles } from '../fakes/crash-files.ts';
import {
  fleetKeys,
  HandClock,
  SignedRepository,
  sealMetadata,
  signedPart,
} from '../fakes/signed-repository.ts';

/** tuf-js asks the system's clock, so the tests' time starts there. */
const NOW_MS = Date.now();
const MINUTE_MS = 60_000;
const signal = new AbortController().signal;
const lifetimes = DEFAULT_LIFETIMES;
const CACHE = '/trust/metadata.json';
const FLOORS = '/trust/floors.json';

async function setUp(timeMs = NOW_MS) {
  const fleet = await new SignedRepository(timeMs).publish('1');
  const files = new CrashFiles();
  const clock = new HandClock(timeMs);
  const open = (): Promise<TrustStore> => fleet.openStore(files, clock);
  const refusal = async (store?: TrustStore): Promise<string> => {
    const opened = store ?? (await open());
    return opened.refresh(signal).then(
      ({ timestampVersion }) => `accepted timestamp ${timestampVersion}`,
      (error: unknown) => errorCode(error) ?? String(error),
    );
  };
  return { fleet, files, clock, open, refusal };
}

const read = (files: CrashFiles, path: string) =>
  files.read(path).then((bytes) => JSON.parse(Buffer.from(bytes!).toString()));

/** What may become of the cache: there, gone, cut short, rubbish. The floors have to hold in each case. */
const CACHE_FATES: Record<string, (files: CrashFiles) => Promise<void>> = {
  'cache there': async () => {},
  'cache gone': (files) => files.remove(CACHE),
  'cache cut short': async (files) => {
    const bytes = (await files.read(CACHE)) ?? new Uint8Array();
    await files.write(CACHE, bytes.slice(0, bytes.byteLength >> 1));
  },
  'cache empty': (files) => files.write(CACHE, new Uint8Array()),
};

test('metadata of our keys is accepted, and says where a release is', async (t) => {
  const { fleet, open } = await setUp();
  const store = await open();
  t.is(store.current, undefined);
  const trusted = await store.refresh(signal);
  t.is(store.current, trusted);
  const { rootVersion, timestampVersion, snapshotVersion, targetsVersion } = trusted;
  t.deepEqual([rootVersion, timestampVersion, snapshotVersion, targetsVersion], [1, 1, 1, 1]);
  const { bytes } = await fleet.repository.readRelease('motor', '1');
  const target = trusted.releaseTarget('motor', '1');
  t.is(target?.sha256, sha256Hex(bytes));
  t.is(target?.lengthBytes, bytes.byteLength);
  t.deepEqual(target?.chunks, [{ sha256: sha256Hex(bytes), lengthBytes: bytes.byteLength }]);
  t.is(trusted.releaseTarget('motor', '2'), undefined);
  t.deepEqual(
    trusted.assignmentKeys.map(({ keyid }) => keyid),
    [fleet.keys.assignment.keyid],
  );
  t.is(trusted.assignmentThreshold, 1);
  t.is(trusted.expiresAtMs, Math.floor(NOW_MS / 1000) * 1000 + lifetimes.timestampMs);
});

test('the memory survives a restart: only what is new is fetched', async (t) => {
  const { fleet, open } = await setUp();
  await (await open()).refresh(signal);
  fleet.asked.length = 0;
  t.is((await (await open()).refresh(signal)).timestampVersion, 1);
  t.deepEqual(fleet.asked, ['2.root.json', 'timestamp.json']);
});

test("a stranger's metadata is refused, whole or in part", async (t) => {
  const { fleet, refusal } = await setUp();
  t.is(await refusal(), 'accepted timestamp 1');
  const stranger = await new SignedRepository(NOW_MS).publish('1');
  await fleet.publish('2');
  const ours = fleet.copy();
  for (const name of ['timestamp.json', '2.snapshot.json', '2.targets.json']) {
    fleet.served = new Map(ours).set(name, stranger.served.get(name.replace('2', '1'))!);
    t.is(await refusal(), 'untrusted-signature', name);
  }
  fleet.served = stranger.copy();
  t.is(await refusal(), 'untrusted-signature', 'everything');
  fleet.served = ours;
  t.is(await refusal(), 'accepted timestamp 2');
});

test('a stranger cannot pass a root of his own on', async (t) => {
  const { fleet, refusal } = await setUp();
  const stranger = fleetKeys();
  const context = { version: 2, nowMs: NOW_MS, lifetimes };
  fleet.served.set('2.root.json', signRoot(stranger, [stranger.root], context));
  t.is(await refusal(), 'untrusted-signature');
});

test('one key below the threshold is not enough', async (t) => {
  const second = generateSigningKey();
  const fleet = await new SignedRepository(NOW_MS).publish('1');
  const { keys } = fleet;
  const root = signedPart(fleet.root);
  root.keys[second.keyid] = {
    keytype: 'ed25519',
    scheme: 'ed25519',
    keyval: { public: second.publicHex },
  };
  root.roles.targets = { keyids: [keys.targets.keyid, second.keyid], threshold: 2 };
  const initialRoot = sealMetadata(root, [keys.root]);
  const open = () => fleet.openStore(new CrashFiles(), new HandClock(NOW_MS), initialRoot);
  const error = await t.throwsAsync((await open()).refresh(signal), { instanceOf: DunlinError });
  t.is(errorCode(error), 'untrusted-signature');

  const targets = sealMetadata(signedPart(fleet.served.get('1.targets.json')!), [
    keys.targets,
    second,
  ]);
  const context = { version: 1, nowMs: NOW_MS, lifetimes };
  const snapshot = signSnapshot({ version: 1, bytes: targets }, context, keys.snapshot);
  fleet.served.set('1.targets.json', targets).set('1.snapshot.json', snapshot);
  const named = { version: 1, bytes: snapshot };
  fleet.served.set('timestamp.json', signTimestamp(named, context, keys.timestamp));
  t.is((await (await open()).refresh(signal)).targetsVersion, 1);
});

test('targets signed by the assignment key are refused: neither key alone can make a device run anything', async (t) => {
  const { fleet, refusal } = await setUp();
  const { keys } = fleet;
  const targets = sealMetadata({ ...signedPart(fleet.served.get('1.targets.json')!), version: 2 }, [
    keys.assignment,
  ]);
  const context = { version: 2, nowMs: NOW_MS, lifetimes };
  const snapshot = signSnapshot({ version: 2, bytes: targets }, context, keys.snapshot);
  fleet.served.set('2.targets.json', targets).set('2.snapshot.json', snapshot);
  const named = { version: 2, bytes: snapshot };
  fleet.served.set('timestamp.json', signTimestamp(named, context, keys.timestamp));
  t.is(await refusal(), 'untrusted-signature');
});

for (const [fate, happen] of Object.entries(CACHE_FATES)) {
  test(`older metadata is refused: ${fate}`, async (t) => {
    const { fleet, files, refusal } = await setUp();
    const old = fleet.copy();
    await fleet.publish('2');
    t.is(await refusal(), 'accepted timestamp 2');
    const newest = fleet.served;
    fleet.served = old;
    await happen(files);
    t.is(await refusal(), 'metadata-rollback');
    t.is(await refusal(), 'metadata-rollback', 'the refusal changed nothing');
    fleet.served = newest;
    t.is(await refusal(), 'accepted timestamp 2');
  });

  test(`stolen online keys cannot bring old targets back: ${fate}`, async (t) => {
    const { fleet, files, refusal } = await setUp();
    const { keys } = fleet;
    const oldTargets = fleet.served.get('1.targets.json')!;
    const oldSnapshot = fleet.served.get('1.snapshot.json')!;
    await fleet.publish('2');
    t.is(await refusal(), 'accepted timestamp 2');
    const context = { version: 9, nowMs: NOW_MS, lifetimes };
    const again = (version: number, bytes: Uint8Array): void => {
      fleet.served.set(`${version}.snapshot.json`, bytes);
      const timestamp = signTimestamp({ version, bytes }, context, keys.timestamp);
      fleet.served.set('timestamp.json', timestamp);
    };
    await happen(files);
    again(1, oldSnapshot);
    t.is(await refusal(), 'metadata-rollback', 'a new timestamp names an old snapshot');
    await happen(files);
    again(9, signSnapshot({ version: 1, bytes: oldTargets }, context, keys.snapshot));
    t.is(await refusal(), 'metadata-rollback', 'a new snapshot names old targets');
  });
}

test('frozen metadata expires: by the clock that is injected', async (t) => {
  const { fleet, clock, open, refusal } = await setUp();
  const store = await open();
  t.is(await refusal(store), 'accepted timestamp 1');
  clock.timeMs += lifetimes.timestampMs + MINUTE_MS;
  t.is(store.current, undefined, 'what has expired is not trusted any longer');
  t.is(await refusal(store), 'metadata-expired');
  fleet.timeMs = clock.timeMs;
  await fleet.refresh();
  t.is(await refusal(store), 'accepted timestamp 2');
});

test("frozen metadata expires: by the system's clock, which tuf-js asks", async (t) => {
  for (const days of [2, 8, 91, 366]) {
    const { clock, refusal } = await setUp(NOW_MS - days * DAY_MS);
    clock.timeMs = NOW_MS;
    t.is(await refusal(), 'metadata-expired', `${days} days`);
  }
});

test('each role expires by itself', async (t) => {
  for (const role of ['root', 'targets', 'snapshot', 'timestamp'] as const) {
    const short = { ...lifetimes, [`${role}Ms`]: MINUTE_MS };
    const fleet = await new SignedRepository(NOW_MS, short).publish('1');
    const clock = new HandClock(NOW_MS + 2 * MINUTE_MS);
    const error = await t.throwsAsync(
      (await fleet.openStore(new CrashFiles(), clock)).refresh(signal),
    );
    t.is(errorCode(error), 'metadata-expired', role);
    t.regex(error.message, new RegExp(`${role} expired`));
  }
});

test('a date that is none, or a version that is none, does not pass for ever', async (t) => {
  const { fleet, refusal } = await setUp();
  const timestamp = signedPart(fleet.served.get('timestamp.json')!);
  for (const change of [
    { expires: 'never' },
    { expires: '2999-99-99T00:00:00Z' },
    { version: 0 },
  ]) {
    const bytes = sealMetadata({ ...timestamp, version: 7, ...change }, [fleet.keys.timestamp]);
    fleet.served.set('timestamp.json', bytes);
    t.is(await refusal(), 'metadata-malformed', JSON.stringify(change));
  }
});

test('dates and versions that are none are refused at the door', (t) => {
  const base = {
    _type: 'timestamp',
    spec_version: '1.0.31',
    version: 1,
    meta: { 'snapshot.json': { version: 1 } },
  };
  const parse = (change: object) => () =>
    parseRole(
      'timestamp',
      JSON.stringify({
        signed: { ...base, expires: '2030-01-01T00:00:00Z', ...change },
        signatures: [],
      }),
    );
  t.notThrows(parse({}));
  for (const expires of [
    'never',
    '2030-99-01T00:00:00Z',
    '2030-01-01',
    '',
    '+2030-01-01T00:00:00Z',
  ]) {
    t.is(errorCode(t.throws(parse({ expires }))), 'metadata-malformed', expires);
  }
  for (const version of [0, -1, 1.5, 2 ** 53, '1']) {
    t.is(errorCode(t.throws(parse({ version }))), 'metadata-malformed', String(version));
  }
});

test('a file that is valid and padded past its limit is refused', async (t) => {
  const { fleet, refusal } = await setUp();
  const padded = Buffer.alloc(MAX_METADATA_BYTES.timestamp + 1, ' ');
  padded.set(fleet.served.get('timestamp.json')!);
  fleet.served.set('timestamp.json', padded);
  t.is(await refusal(), 'metadata-malformed');
  fleet.served.set('timestamp.json', padded.subarray(0, MAX_METADATA_BYTES.timestamp));
  t.is(await refusal(), 'accepted timestamp 1');
});

test('parts of different times are not mixed', async (t) => {
  const { fleet, refusal } = await setUp();
  const old = fleet.copy();
  await fleet.publish('2');
  const ours = fleet.copy();
  fleet.served.set('2.snapshot.json', old.get('1.snapshot.json')!);
  t.is(await refusal(), 'metadata-rollback', 'an old snapshot under a new name');
  fleet.served = new Map(ours).set('2.targets.json', old.get('1.targets.json')!);
  t.is(await refusal(), 'metadata-rollback', 'old targets under a new name');
  const targets = signedPart(ours.get('2.targets.json')!);
  const twin = sealMetadata({ ...targets, targets: {} }, [fleet.keys.targets]);
  fleet.served = new Map(ours).set('2.targets.json', twin);
  t.is(await refusal(), 'metadata-malformed', 'other targets of the same version');
});

test('absent, oversized and malformed files each have their reason', async (t) => {
  const { fleet, refusal } = await setUp();
  const ours = fleet.copy();
  for (const name of ['timestamp.json', '1.snapshot.json', '1.targets.json']) {
    fleet.served = new Map(ours);
    fleet.served.delete(name);
    t.is(await refusal(), 'metadata-missing', name);
    fleet.served = new Map(ours).set(name, new Uint8Array(MAX_METADATA_BYTES.targets + 1));
    t.is(await refusal(), 'metadata-malformed', `${name} too large`);
    for (const text of ['', '{', 'null', '[]', '{"signed":{"_type":"root"},"signatures":[]}']) {
      fleet.served = new Map(ours).set(name, Buffer.from(text));
      t.is(await refusal(), 'metadata-malformed', `${name}: ${text}`);
    }
  }
  fleet.served = new Map(ours).set('2.root.json', Buffer.from('{"signed":'));
  t.is(await refusal(), 'metadata-malformed', 'next root');
  fleet.served = ours;
  t.is(await refusal(), 'accepted timestamp 1');
});

test('words in a file cannot forge the reason', async (t) => {
  const { fleet, refusal } = await setUp();
  fleet.served.set('timestamp.json', Buffer.from('timestamp was signed by 0/1 keys is expired'));
  t.is(await refusal(), 'metadata-malformed');
});

test('a length in signed metadata raises no limit', async (t) => {
  const { fleet, files, clock } = await setUp();
  const context = { version: 2, nowMs: NOW_MS, lifetimes };
  const huge = { version: 2, bytes: new Uint8Array(MAX_METADATA_BYTES.snapshot + 1) };
  fleet.served.set('timestamp.json', signTimestamp(huge, context, fleet.keys.timestamp));
  const limits = new Map<string, number>();
  const fetch = fleet.fetch;
  fleet.fetch = (name, maxBytes, abort) => {
    limits.set(name, maxBytes);
    return fetch(name, maxBytes, abort);
  };
  const store = await fleet.openStore(files, clock);
  t.is(errorCode(await t.throwsAsync(store.refresh(signal))), 'metadata-missing');
  t.is(limits.get('2.snapshot.json'), MAX_METADATA_BYTES.snapshot);
});

test('a new root counts when the old root key and its own sign it', async (t) => {
  const { fleet, refusal } = await setUp();
  const next = fleetKeys();
  const context = { version: 2, nowMs: NOW_MS, lifetimes };
  for (const signers of [[next.root], [fleet.keys.root]]) {
    fleet.served.set('2.root.json', signRoot(next, signers, context));
    t.is(await refusal(), 'untrusted-signature');
  }
  const wrong = signRoot(next, [fleet.keys.root, next.root], { ...context, version: 3 });
  fleet.served.set('2.root.json', wrong);
  t.is(await refusal(), 'metadata-malformed', 'a version is left out');
  const old = fleet.served;
  const rotated = await new SignedRepository(NOW_MS, lifetimes, next).publish('1');
  fleet.served = rotated.served.set('1.root.json', fleet.root);
  const root = signRoot(next, [fleet.keys.root, next.root], context);
  fleet.served.set('2.root.json', root);
  t.is(await refusal(), 'accepted timestamp 1');
  fleet.served = new Map(old).set('2.root.json', root);
  t.is(await refusal(), 'untrusted-signature', 'the old keys are out of service');
});

test('a new root counts although what follows it is not there, and is not forgotten with the cache', async (t) => {
  for (const happen of Object.values(CACHE_FATES)) {
    const { fleet, files, refusal } = await setUp();
    t.is(await refusal(), 'accepted timestamp 1');
    const old = fleet.copy();
    const next = fleetKeys();
    const context = { version: 2, nowMs: NOW_MS, lifetimes };
    fleet.served.set('2.root.json', signRoot(next, [fleet.keys.root, next.root], context));
    t.is(await refusal(), 'untrusted-signature', 'the timestamp is still of the old key');
    fleet.served = old;
    await happen(files);
    const found = await refusal();
    t.true(['untrusted-signature', 'metadata-rollback'].includes(found), found);
  }
});

test('new keys recover from stolen ones that ran version and time far ahead', async (t) => {
  const { fleet, clock, refusal } = await setUp();
  const { keys } = fleet;
  const farMs = NOW_MS + 3650 * DAY_MS;
  const snapshot = fleet.served.get('1.snapshot.json')!;
  const forged = { version: 2 ** 40, nowMs: NOW_MS, lifetimes };
  const timestamp = signedPart(
    signTimestamp({ version: 1, bytes: snapshot }, forged, keys.timestamp),
  );
  const issued = new Date(farMs - DAY_MS).toISOString();
  const expires = new Date(farMs).toISOString().replace(/\.\d+/, '');
  // Only the timestamp reaches that far, so the forgery is refused; the version alone does harm.
  const stolen = sealMetadata({ ...timestamp, expires, [ISSUED_FIELD]: issued }, [keys.timestamp]);
  fleet.served.set('timestamp.json', stolen);
  t.is(await refusal(), 'metadata-expired');
  fleet.served.set('timestamp.json', sealMetadata(timestamp, [keys.timestamp]));
  t.is(await refusal(), `accepted timestamp ${2 ** 40}`);
  const next = { ...keys, timestamp: generateSigningKey() };
  const rotated = await new SignedRepository(NOW_MS, lifetimes, next).publish('1');
  fleet.served = rotated.served.set('1.root.json', fleet.root);
  const context = { version: 2, nowMs: NOW_MS, lifetimes };
  fleet.served.set('2.root.json', signRoot(next, [keys.root], context));
  t.is(await refusal(), 'accepted timestamp 1');
  t.is(clock.timeMs, NOW_MS);
});

test('a clock that starts in 1970 does not revive what the metadata itself shows to be old', async (t) => {
  const short = { ...lifetimes, targetsMs: 2 * DAY_MS };
  const fleet = await new SignedRepository(NOW_MS, short).publish('1');
  const files = new CrashFiles();
  const clock = new HandClock(0);
  const store = await fleet.openStore(files, clock);
  t.is((await store.refresh(signal)).timestampVersion, 1);
  t.is(store.nowMs, Math.floor(NOW_MS / 1000) * 1000);
  const frozen = fleet.copy();
  fleet.timeMs = NOW_MS + 3 * DAY_MS;
  await fleet.refresh();
  t.is(
    errorCode(await t.throwsAsync(store.refresh(signal))),
    'metadata-expired',
    'targets are old',
  );
  await fleet.publish('2');
  t.is((await store.refresh(signal)).timestampVersion, 3);
  const reopened = await fleet.openStore(files, clock);
  t.is(reopened.nowMs, Math.floor(fleet.timeMs / 1000) * 1000, 'the floor survives a restart');
  fleet.served = frozen;
  t.is(errorCode(await t.throwsAsync(reopened.refresh(signal))), 'metadata-rollback');
});

test('one forged clock far ahead does not end updates for ever', async (t) => {
  const { fleet, files, clock, open, refusal } = await setUp();
  const store = await open();
  t.is(await refusal(store), 'accepted timestamp 1');
  const before = await read(files, FLOORS);
  clock.timeMs = NOW_MS + 3650 * DAY_MS;
  t.is(await refusal(store), 'metadata-expired');
  t.is(await refusal(), 'metadata-expired', 'after a restart too');
  t.deepEqual(await read(files, FLOORS), before, 'the clock raised nothing');
  clock.timeMs = NOW_MS;
  await fleet.publish('2');
  t.is(await refusal(store), 'accepted timestamp 2');
});

test('a signing time that is missing or later than the expiry is refused', async (t) => {
  const { fleet, refusal } = await setUp();
  const timestamp = signedPart(fleet.served.get('timestamp.json')!);
  for (const issued of ['', 'soon', '2999-01-01T00:00:00Z', '1969-01-01T00:00:00Z', 5]) {
    const signed = { ...timestamp, version: 2, [ISSUED_FIELD]: issued };
    fleet.served.set('timestamp.json', sealMetadata(signed, [fleet.keys.timestamp]));
    t.is(await refusal(), 'metadata-malformed', String(issued));
  }
});

test('damaged floors stop updates, say what to do, and do not stop the agent', async (t) => {
  const { files, open, refusal } = await setUp();
  t.is(await refusal(), 'accepted timestamp 1');
  for (const text of ['', '{"root":', '{"root":{"value":-1,"authority":""}}', '{"more":1}']) {
    await files.write(FLOORS, Buffer.from(text));
    const store = await open();
    const error = await t.throwsAsync(store.refresh(signal));
    t.is(errorCode(error), 'metadata-malformed');
    t.regex(error.message, /floors\.json is damaged.*remove it/);
  }
  await files.remove(FLOORS);
  t.is(await refusal(), 'accepted timestamp 1');
});

test('another root file in the configuration begins a new chain', async (t) => {
  const { fleet, files, clock, refusal } = await setUp();
  await fleet.refresh();
  t.is(await refusal(), 'accepted timestamp 2');
  const other = await new SignedRepository(NOW_MS).publish('1');
  t.is((await (await other.openStore(files, clock)).refresh(signal)).timestampVersion, 1);
});

test('a root in the configuration that is none is refused at once', async (t) => {
  const { fleet, files, clock } = await setUp();
  const opening = fleet.openStore(files, clock, Buffer.from('{}'));
  t.is(errorCode(await t.throwsAsync(opening)), 'metadata-malformed');
});

test('what fetching throws comes through, and an abort ends it', async (t) => {
  const { fleet, files, clock } = await setUp();
  fleet.fetch = async () => {
    throw new DunlinError('away', { code: 'broker-unreachable' });
  };
  const store = await fleet.openStore(files, clock);
  t.is(errorCode(await t.throwsAsync(store.refresh(signal))), 'broker-unreachable');
  const aborted = AbortSignal.abort(new Error('enough'));
  await t.throwsAsync(store.refresh(aborted), { message: 'enough' });
});

test('refreshes at the same time take turns', async (t) => {
  const { fleet, open } = await setUp();
  const store = await open();
  const first = store.refresh(signal);
  await fleet.publish('2');
  const [, second] = await Promise.all([first, store.refresh(signal)]);
  t.is(second.timestampVersion, 2);
  t.is(store.current, second);
});

test('killed at any operation, a device is never talked back to what it had left', async (t) => {
  const { fleet, clock } = await setUp();
  const first = fleet.copy();
  await fleet.publish('2');
  const second = fleet.copy();
  await fleet.publish('3');
  const third = fleet.copy();
  for (const survival of ['lost', 'kept', 'mixed'] as const) {
    for (let n = 1; ; n++) {
      const files = new CrashFiles();
      fleet.served = second;
      await (await fleet.openStore(files, clock)).refresh(signal);
      fleet.served = third;
      files.dieAt(n);
      const done = await fleet
        .openStore(files, clock)
        .then((store) => store.refresh(signal))
        .then(
          () => true,
          () => false,
        );
      const revived = files.reopen(survival, n);
      fleet.served = first;
      const replay = (await fleet.openStore(revived, clock)).refresh(signal);
      t.is(errorCode(await t.throwsAsync(replay)), 'metadata-rollback', `${survival} ${n}`);
      if (done) {
        fleet.served = second;
        const later = (await fleet.openStore(revived, clock)).refresh(signal);
        t.is(errorCode(await t.throwsAsync(later)), 'metadata-rollback', `${survival} ${n}`);
      }
      fleet.served = third;
      t.is((await (await fleet.openStore(revived, clock)).refresh(signal)).timestampVersion, 3);
      if (done) break;
    }
  }
});

test('whatever the broker replays and the disk loses, accepted versions never fall', async (t) => {
  const { fleet, clock } = await setUp();
  const history = [fleet.copy()];
  for (const version of ['2', '3', '4']) {
    await fleet.publish(version);
    history.push(fleet.copy());
  }
  const step = fc.record({
    served: fc.nat(history.length - 1),
    foreign: fc.option(fc.record({ name: fc.nat(3), from: fc.nat(history.length - 1) })),
    fate: fc.constantFrom(...Object.values(CACHE_FATES)),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 2, maxLength: 6 }), async (steps) => {
      const files = new CrashFiles();
      let highest = 0;
      for (const { served, foreign, fate } of steps) {
        fleet.served = new Map(history[served]);
        if (foreign !== null) {
          const names = [...fleet.served.keys()];
          const from = [...history[foreign.from]!.values()];
          fleet.served.set(names[foreign.name % names.length]!, from[foreign.name % from.length]!);
        }
        const store = await fleet.openStore(files, clock);
        const accepted = await store.refresh(signal).catch(() => undefined);
        if (accepted !== undefined && accepted.timestampVersion < highest) return false;
        highest = Math.max(highest, accepted?.timestampVersion ?? 0);
        if (highest > 0) await fate(files);
      }
      return true;
    }),
    { numRuns: 40 },
  );
  t.pass();
});
