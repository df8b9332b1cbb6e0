import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { errorCode, nodeFiles } from '../../src/core/index.ts';
import {
  DEFAULT_LIFETIMES,
  initKeys,
  loadOfflineKey,
  loadOnlineKeys,
  loadRoot,
  signRoot,
} from '../../src/release/index.ts';
import { CrashFiles } from '../fakes/crash-files.ts';
import { fleetKeys } from '../fakes/signed-repository.ts';

const NOW_MS = Date.parse('2026-05-01T00:00:00Z');
const base = {
  offlineDir: '/off',
  onlineDir: '/on',
  passphrase: 'correct horse battery',
  nowMs: NOW_MS,
  lifetimes: DEFAULT_LIFETIMES,
};

test('keys are made, opened again, and guarded by mode and passphrase', async (t) => {
  const dir = await mkdtemp(join(tmpdir(), 'dunlin-keys-'));
  t.teardown(() => rm(dir, { recursive: true }));
  const [offlineDir, onlineDir] = [join(dir, 'off'), join(dir, 'on')];
  const made = await initKeys({ ...base, files: nodeFiles, offlineDir, onlineDir, fleet: 'plant' });
  const targets = await loadOfflineKey(offlineDir, 'targets', base.passphrase);
  const online = await loadOnlineKeys(onlineDir);
  const root = await loadRoot(onlineDir);
  t.is(targets.keyid, made.keyids.targets);
  t.is(online.assignment.keyid, made.keyids.assignment);
  t.true(root.trusts('targets', targets));
  t.true(root.trusts('timestamp', online.timestamp));
  t.false(root.trusts('targets', online.snapshot));
  t.is(root.fleet, 'plant');
  const names = ['off/root.key.json', 'off/targets.key.json'].concat(
    ['snapshot', 'timestamp', 'assignment'].map((role) => `on/${role}.key.pem`),
  );
  for (const name of names) {
    t.is((await stat(join(dir, name))).mode & 0o777, 0o600, name);
  }

  const path = join(offlineDir, 'targets.key.json');
  const file = JSON.parse(await readFile(path, 'utf8'));
  t.true(file.kdf.N >= 2 ** 16);
  t.notRegex(JSON.stringify(file), /PRIVATE KEY/);
  const wrong = loadOfflineKey(offlineDir, 'targets', 'correct horse batterz');
  t.is(errorCode(await t.throwsAsync(wrong)), 'wrong-passphrase');
  const flipped = file.ciphertext.replace(/^./, (digit: string) => (digit === '0' ? '1' : '0'));
  await writeFile(path, JSON.stringify({ ...file, ciphertext: flipped }));
  const damaged = loadOfflineKey(offlineDir, 'targets', base.passphrase);
  t.is(errorCode(await t.throwsAsync(damaged)), 'wrong-passphrase');
  await writeFile(path, JSON.stringify({ ...file, kdf: { ...file.kdf, N: 2 } }));
  const weak = loadOfflineKey(offlineDir, 'targets', base.passphrase);
  t.is(errorCode(await t.throwsAsync(weak)), 'input-invalid');
  const absent = loadOfflineKey(onlineDir, 'targets', base.passphrase);
  t.is(errorCode(await t.throwsAsync(absent)), 'file-missing');
});

test('keys that are there are never overwritten, whichever of them is left', async (t) => {
  const files = new CrashFiles();
  await initKeys({ ...base, files });
  const paths = [
    '/off/root.key.json',
    '/off/targets.key.json',
    '/on/snapshot.key.pem',
    '/on/root.json',
  ];
  for (const path of paths) {
    const left = new CrashFiles();
    await left.makeDirectory('/off');
    await left.makeDirectory('/on');
    const bytes = (await files.read(path))!;
    await left.write(path, bytes);
    const again = await t.throwsAsync(initKeys({ ...base, files: left }));
    t.is(errorCode(again), 'input-invalid');
    t.regex(again.message, new RegExp(`${path}.*never overwritten`));
    t.deepEqual(await left.read(path), bytes);
  }
});

test('what would protect nothing is refused', async (t) => {
  const files = new CrashFiles();
  for (const wrong of [{ passphrase: 'short' }, { onlineDir: '/off/' }, { fleet: 'a/b' }]) {
    t.is(errorCode(await t.throwsAsync(initKeys({ ...base, files, ...wrong }))), 'input-invalid');
  }
  t.deepEqual(await files.list('/'), []);
});

test('root.json is the same bytes for the same keys and time', (t) => {
  const keys = fleetKeys();
  const sign = (nowMs: number) =>
    signRoot(keys, [keys.root], { version: 1, nowMs, lifetimes: DEFAULT_LIFETIMES }, 'plant');
  t.deepEqual(sign(NOW_MS), sign(NOW_MS + 999), 'TUF knows whole seconds');
  t.notDeepEqual(sign(NOW_MS), sign(NOW_MS + 1000));
});
