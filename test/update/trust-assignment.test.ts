import test from 'ava';
import {
  errorCode,
  generateSigningKey,
  type SigningKey,
  sealEnvelope,
} from '../../src/core/index.ts';
import { DAY_MS } from '../../src/release/index.ts';
import {
  ASSIGNMENT_ROLE,
  type Assignment,
  AssignmentFloors,
  MAX_ASSIGNMENT_BYTES,
  openAssignment,
  type TrustedMetadata,
} from '../../src/update/index.ts';
import { CrashFiles } from '../fakes/crash-files.ts';
import {
  HandClock,
  SignedRepository,
  sealMetadata,
  signedPart,
} from '../fakes/signed-repository.ts';

const NOW_MS = Date.now();
const FLOORS = '/floors/assignment-floors.json';
const subject = { kind: 'device', name: 'press-7' } as const;
const base: Assignment = {
  type: 'dunlin-assignment',
  formatVersion: 1,
  fleet: 'plant',
  subject,
  sequence: 5,
  issuedAt: new Date(NOW_MS).toISOString(),
  expires: new Date(NOW_MS + DAY_MS).toISOString(),
  targets: [{ model: 'motor', version: '1', releaseSha256: 'a'.repeat(64) }],
};

async function setUp() {
  const fleet = await new SignedRepository(NOW_MS).publish('1');
  const store = await fleet.openStore(new CrashFiles(), new HandClock(NOW_MS));
  const trusted = await store.refresh(new AbortController().signal);
  const files = new CrashFiles();
  return { fleet, trusted, files, floors: await AssignmentFloors.open(files, '/floors') };
}

interface Opening {
  readonly trusted: TrustedMetadata;
  readonly floors: AssignmentFloors;
  readonly nowMs?: number;
}

function opened(bytes: Uint8Array, { trusted, floors, nowMs = NOW_MS }: Opening): Promise<string> {
  return openAssignment(bytes, trusted, { fleet: 'plant', subject, floors, nowMs }).then(
    ({ sequence }) => `sequence ${sequence}`,
    (error: unknown) => errorCode(error) ?? String(error),
  );
}

const seal = (change: object, key: SigningKey): Uint8Array =>
  sealEnvelope({ ...base, ...change }, [key]);

test('an assignment of the online key is taken, again as often as it comes', async (t) => {
  const { fleet, ...opening } = await setUp();
  const { assignment } = fleet.keys;
  t.is(await opened(seal({}, assignment), opening), 'sequence 5');
  t.is(await opened(seal({}, assignment), opening), 'sequence 5');
  t.is(await opened(seal({ sequence: 6 }, assignment), opening), 'sequence 6');
});

test('an assignment that is signed by any other key is refused', async (t) => {
  const { fleet, ...opening } = await setUp();
  const { root, targets, snapshot, timestamp } = fleet.keys;
  for (const key of [targets, root, snapshot, timestamp, generateSigningKey()]) {
    t.is(await opened(seal({}, key), opening), 'untrusted-signature');
  }
  const tampered = JSON.parse(Buffer.from(seal({}, fleet.keys.assignment)).toString());
  tampered.signed.targets[0].version = '9';
  t.is(await opened(Buffer.from(JSON.stringify(tampered)), opening), 'untrusted-signature');
});

test("another fleet's or subject's assignment is refused", async (t) => {
  const { fleet, ...opening } = await setUp();
  const changes = [
    { fleet: 'other' },
    { subject: { kind: 'device', name: 'press-8' } },
    { subject: { kind: 'group', name: 'press-7' } },
    { type: 'dunlin-release' },
    { sequence: 0 },
    { unknown: 1 },
  ];
  for (const change of changes) {
    t.is(
      await opened(seal(change, fleet.keys.assignment), opening),
      'metadata-malformed',
      JSON.stringify(change),
    );
  }
  t.is(await opened(Buffer.from('{'), opening), 'metadata-malformed');
  t.is(await opened(new Uint8Array(MAX_ASSIGNMENT_BYTES + 1), opening), 'metadata-malformed');
  t.is(await opened(seal({}, fleet.keys.assignment), opening), 'sequence 5', 'no floor was raised');
});

test('a replayed sequence is refused, after a restart too', async (t) => {
  const { fleet, files, ...opening } = await setUp();
  const { assignment } = fleet.keys;
  await opened(seal({ sequence: 6 }, assignment), opening);
  t.is(await opened(seal({}, assignment), opening), 'metadata-rollback');
  const floors = await AssignmentFloors.open(files.reopen('lost'), '/floors');
  t.is(await opened(seal({}, assignment), { ...opening, floors }), 'metadata-rollback');
  t.is(await opened(seal({ sequence: 6 }, assignment), { ...opening, floors }), 'sequence 6');
});

test('an expired assignment is refused, and so is a date that is none', async (t) => {
  const { fleet, ...opening } = await setUp();
  const { assignment } = fleet.keys;
  const nowMs = Date.parse(base.expires);
  t.is(await opened(seal({}, assignment), { ...opening, nowMs }), 'metadata-expired');
  t.is(await opened(seal({}, assignment), { ...opening, nowMs: nowMs - 1 }), 'sequence 5');
  const never = seal({ expires: '2999-99-99T99:99:99Z' }, assignment);
  t.is(await opened(never, opening), 'metadata-expired');
});

test('assignment keys speak only for what targets delegates to them', async (t) => {
  const { fleet, floors } = await setUp();
  const targets = signedPart(fleet.served.get('1.targets.json')!);
  const trustedWith = async (delegations: object | undefined): Promise<TrustedMetadata> => {
    const other = new SignedRepository(NOW_MS, fleet.lifetimes, fleet.keys);
    await other.publish('1');
    const { delegations: _, ...rest } = targets;
    const signed = { ...rest, version: 2, ...(delegations === undefined ? {} : { delegations }) };
    const bytes = sealMetadata(signed, [fleet.keys.targets]);
    await other.files.write('/repo/tuf/2.targets.json', bytes);
    await other.refresh();
    const store = await other.openStore(new CrashFiles(), new HandClock(NOW_MS));
    return store.refresh(new AbortController().signal);
  };
  const { keys, roles } = targets.delegations;
  const bytes = seal({}, fleet.keys.assignment);
  for (const delegations of [
    undefined,
    { keys, roles: [{ ...roles[0], paths: ['assign/group/*'] }] },
    { keys, roles: [{ ...roles[0], name: `${ASSIGNMENT_ROLE}-of-others` }] },
    { keys: {}, roles },
  ]) {
    const trusted = await trustedWith(delegations);
    t.is(await opened(bytes, { trusted, floors }), 'untrusted-signature');
  }
  t.is(await opened(bytes, { trusted: await trustedWith({ keys, roles }), floors }), 'sequence 5');
});

test('new assignment keys begin with a sequence of their own', async (t) => {
  const { fleet, trusted, floors } = await setUp();
  await opened(seal({ sequence: 2 ** 50 }, fleet.keys.assignment), { trusted, floors });
  const keys = { ...fleet.keys, assignment: generateSigningKey() };
  const next = await new SignedRepository(NOW_MS, fleet.lifetimes, keys).publish('1');
  const store = await next.openStore(new CrashFiles(), new HandClock(NOW_MS));
  const renewed = await store.refresh(new AbortController().signal);
  t.is(
    await opened(seal({ sequence: 1 }, keys.assignment), { trusted: renewed, floors }),
    'sequence 1',
  );
});

test('damaged floors refuse every assignment and say what to do', async (t) => {
  const { fleet, trusted, files } = await setUp();
  for (const text of ['', '{"device/press-7":{"sequence":0,"keys":""}}']) {
    await files.write(FLOORS, Buffer.from(text));
    const floors = await AssignmentFloors.open(files, '/floors');
    const bytes = seal({}, fleet.keys.assignment);
    t.is(await opened(bytes, { trusted, floors }), 'metadata-malformed');
    await t.throwsAsync(floors.raise(base, trusted), { message: /is damaged; remove it/ });
  }
});

test('killed at any operation, an accepted sequence is not forgotten', async (t) => {
  const { fleet, trusted } = await setUp();
  const old = seal({}, fleet.keys.assignment);
  for (const survival of ['lost', 'kept', 'mixed'] as const) {
    for (let n = 1; ; n++) {
      const files = new CrashFiles();
      const before = await AssignmentFloors.open(files, '/floors');
      await opened(seal({ sequence: 6 }, fleet.keys.assignment), { trusted, floors: before });
      files.dieAt(n);
      const next = seal({ sequence: 7 }, fleet.keys.assignment);
      const found = await opened(next, { trusted, floors: before });
      const floors = await AssignmentFloors.open(files.reopen(survival, n), '/floors');
      t.is(await opened(old, { trusted, floors }), 'metadata-rollback', `${survival} ${n}`);
      if (found !== 'sequence 7') continue;
      const previous = seal({ sequence: 6 }, fleet.keys.assignment);
      t.is(await opened(previous, { trusted, floors }), 'metadata-rollback', `${survival} ${n}`);
      break;
    }
  }
});
