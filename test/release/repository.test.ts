import test from 'ava';
import { errorCode, generateSigningKey, sha256Hex } from '../../src/core/index.ts';
import {
  DAY_MS,
  DEFAULT_LIFETIMES,
  listReleases,
  Repository,
  readRoot,
  signFreshness,
  signRelease,
  signTargets,
} from '../../src/release/index.ts';
import { CrashFiles, SURVIVALS } from '../fakes/crash-files.ts';
import {
  HandClock,
  releaseOf,
  SignedRepository,
  sealMetadata,
  signedPart,
} from '../fakes/signed-repository.ts';

const NOW_MS = Date.now();
const lifetimes = DEFAULT_LIFETIMES;

function signing(fleet: SignedRepository, nowMs = NOW_MS) {
  const { keys } = fleet;
  return { root: readRoot(fleet.root), targetsKey: keys.targets, online: keys, nowMs, lifetimes };
}

test('a release never changes, and a name never leaves the repository', async (t) => {
  const { repository } = await new SignedRepository(NOW_MS).publish('1');
  const { document, artifacts, chunks } = releaseOf('motor', '1', NOW_MS, 'other');
  const again = repository.addRelease(document, artifacts, chunks);
  t.is(errorCode(await t.throwsAsync(again)), 'release-exists');
  t.is(errorCode(await t.throwsAsync(repository.readRelease('motor', '2'))), 'release-missing');
});

test('what a release needs is listed, and a damaged chunk is not handed out', async (t) => {
  const { repository, files } = await new SignedRepository(NOW_MS).publish('1');
  const { document, bytes } = await repository.readRelease('motor', '1');
  const digests = (await repository.chunksOf('motor', '1')).map(({ sha256 }) => sha256);
  const own = document.artifacts['cpu.tflite']!.chunks.map(({ sha256 }) => sha256);
  t.deepEqual(digests, [...own, sha256Hex(bytes)]);
  t.deepEqual([...(await repository.chunkNames())].sort(), [...digests].sort());
  files.rot(`/repo/chunks/${own[0]}`);
  t.is(errorCode(await t.throwsAsync(repository.readChunk(own[0]!))), 'digest-mismatch');
});

test('signing again changes nothing until half of the time has passed', async (t) => {
  const fleet = await new SignedRepository(NOW_MS).publish('1');
  const { repository } = fleet;
  const versions = async (): Promise<string> =>
    (await repository.metadata.files()).versioned.join();
  await signRelease(repository, 'motor', '1', signing(fleet));
  t.is(await versions(), '1.root.json,1.targets.json,2.snapshot.json');
  await signRelease(repository, 'motor', '1', signing(fleet, NOW_MS + 46 * DAY_MS));
  t.is(await versions(), '1.root.json,2.targets.json,3.snapshot.json');
  const { targets } = await repository.metadata.expiries();
  t.is(Math.round((Date.parse(targets!) - NOW_MS) / DAY_MS), 136);
});

test('what someone slipped into the targets on disk is not signed along', async (t) => {
  const fleet = await new SignedRepository(NOW_MS).publish('1');
  const { repository, files, keys } = fleet;
  const targets = signedPart((await repository.metadata.read('1.targets.json'))!);
  const evil = { ...targets.targets['motor/1/release.json'], length: 1 };
  const signed = {
    ...targets,
    version: 2,
    targets: { ...targets.targets, 'x/1/release.json': evil },
  };
  for (const key of [keys.assignment, keys.snapshot, generateSigningKey()]) {
    await files.write('/repo/tuf/2.targets.json', sealMetadata(signed, [key]));
    const publishing = signRelease(repository, 'motor', '1', signing(fleet));
    t.is(errorCode(await t.throwsAsync(publishing)), 'untrusted-signature');
  }
});

test('a release that was exchanged after signing is not signed under its name', async (t) => {
  const fleet = await new SignedRepository(NOW_MS).publish('1');
  const { repository, files } = fleet;
  const { document } = releaseOf('motor', '1', NOW_MS, 'other');
  await files.write('/repo/releases/motor/1/release.json', Buffer.from(JSON.stringify(document)));
  const publishing = signRelease(repository, 'motor', '1', signing(fleet));
  t.is(errorCode(await t.throwsAsync(publishing)), 'release-exists');
});

test('keys that root does not name sign nothing', async (t) => {
  const fleet = await new SignedRepository(NOW_MS).publish('1');
  const { repository } = fleet;
  const before = await repository.metadata.read('timestamp.json');
  const other = signing(new SignedRepository(NOW_MS));
  const own = signing(fleet);
  for (const mixed of [
    { ...own, targetsKey: other.targetsKey },
    { ...own, online: other.online },
    { ...other, root: own.root },
    other,
  ]) {
    const failed = await t.throwsAsync(signRelease(repository, 'motor', '1', mixed));
    t.is(errorCode(failed), 'input-invalid');
  }
  const refreshing = signFreshness(repository, { ...own, online: other.online });
  t.is(errorCode(await t.throwsAsync(refreshing)), 'input-invalid');
  t.deepEqual(await repository.metadata.read('timestamp.json'), before);
  const empty = new Repository('/repo', new CrashFiles());
  t.is(errorCode(await t.throwsAsync(signFreshness(empty, own))), 'release-missing');
});

test('more releases than a device would read are not signed', (t) => {
  const sha256 = 'a'.repeat(64);
  const releases = Array.from({ length: 5000 }, (_, index) => ({
    path: `motor/${index}/release.json`,
    sha256,
    lengthBytes: 1000,
    chunks: [{ sha256, lengthBytes: 1000 }],
  }));
  const key = generateSigningKey();
  const context = { version: 1, nowMs: NOW_MS, lifetimes };
  const error = t.throws(() => signTargets(releases, key, context, key));
  t.is(errorCode(error), 'input-invalid');
  t.notThrows(() => signTargets(releases.slice(0, 500), key, context, key));
});

test('releases are listed with what is signed and assigned', async (t) => {
  const { repository } = await new SignedRepository(NOW_MS).publish('1');
  const { document, artifacts, chunks } = releaseOf('motor', '2', NOW_MS);
  await repository.addRelease(document, artifacts, chunks);
  const [first, second] = await listReleases(repository);
  t.like(first, { release: 'motor/1', signed: true, assignedTo: [], chunkCount: 1 });
  t.like(second, { release: 'motor/2', signed: false });
});

test('killed at any operation: no version is signed twice, and running again completes it', async (t) => {
  const fleet = await new SignedRepository(NOW_MS).publish('1');
  const device = new CrashFiles();
  const clock = new HandClock(NOW_MS);
  const { signal } = new AbortController();
  await (await fleet.openStore(device, clock)).refresh(signal);
  const { document, artifacts, chunks } = releaseOf('motor', '2', NOW_MS);
  const work = async (files: CrashFiles, nowMs: number): Promise<void> => {
    const repository = new Repository('/repo', files);
    if (!(await repository.hasRelease('motor', '2'))) {
      await repository.addRelease(document, artifacts, chunks);
    }
    await signRelease(repository, 'motor', '2', signing(fleet, nowMs));
  };
  for (const survival of SURVIVALS) {
    for (let n = 1; ; n++) {
      // What was synced is all there; the copy has no unsynced past.
      const files = fleet.files.reopen('kept').dieAt(n);
      const signedBefore = new Map<string, Uint8Array>();
      const done = await work(files, NOW_MS).then(
        () => true,
        () => false,
      );
      const revived = files.reopen(survival, n);
      for (const name of await revived.list('/repo/tuf')) {
        signedBefore.set(name, (await revived.read(`/repo/tuf/${name}`))!);
      }
      await work(revived, NOW_MS + 5000);
      for (const [name, bytes] of signedBefore) {
        if (!/^\d+\..*json$/.test(name)) continue;
        t.deepEqual(await revived.read(`/repo/tuf/${name}`), bytes, `${survival} ${n}: ${name}`);
      }
      const repository = new Repository('/repo', revived);
      for (const { sha256 } of await repository.chunksOf('motor', '2')) {
        await repository.readChunk(sha256);
      }
      const reader = new SignedRepository(NOW_MS, lifetimes, fleet.keys);
      const names = await repository.metadata.files();
      for (const name of [...names.versioned, names.timestamp!]) {
        reader.served.set(name, (await repository.metadata.read(name))!);
      }
      const store = await reader.openStore(device.reopen('kept'), clock, fleet.root);
      t.truthy((await store.refresh(signal)).releaseTarget('motor', '2'), `${survival} ${n}`);
      if (done) break;
    }
  }
});

test('what was signed is there after the power was cut, directories and all', async (t) => {
  const files = new CrashFiles();
  await files.makeDirectory('/repo');
  await files.syncDirectory('/');
  const fleet = new SignedRepository(NOW_MS);
  const { document, artifacts, chunks } = releaseOf('motor', '1', NOW_MS);
  const before = new Repository('/repo', files);
  await before.addRelease(document, artifacts, chunks);
  await signRelease(before, 'motor', '1', signing(fleet));
  const after = new Repository('/repo', files.reopen('lost'));
  t.deepEqual(await after.readRelease('motor', '1'), await before.readRelease('motor', '1'));
  t.deepEqual(await after.metadata.files(), await before.metadata.files());
  for (const { sha256 } of await after.chunksOf('motor', '1')) await after.readChunk(sha256);
});
