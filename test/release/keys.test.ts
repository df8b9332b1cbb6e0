import { sign, verify } from 'node:crypto';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { errorCode, nodeFiles, verifyingKeyFromPem } from '../../src/core/index.ts';
import {
  addMcuKey,
  DEFAULT_LIFETIMES,
  initKeys,
  loadMcuKey,
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

const publicKey = async (path: string) => verifyingKeyFromPem(await readFile(path, 'utf8'), path);

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
  const names = ['root', 'targets', 'mcu']
    .map((role) => `off/${role}.key.json`)
    .concat(['snapshot', 'timestamp', 'assignment'].map((role) => `on/${role}.key.pem`));
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
    '/off/mcu.key.json',
    '/on/mcu.pub.pem',
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

test('what the key for microcontrollers signs, its public half in PEM verifies', async (t) => {
  const dir = await mkdtemp(join(tmpdir(), 'dunlin-keys-'));
  t.teardown(() => rm(dir, { recursive: true }));
  const made = await initKeys({
    ...{ ...base, files: nodeFiles },
    ...{ offlineDir: join(dir, 'off'), onlineDir: join(dir, 'on') },
  });
  t.is(made.mcuPublicPath, join(dir, 'on/mcu.pub.pem'));
  t.regex(await readFile(made.mcuPublicPath, 'utf8'), /^-----BEGIN PUBLIC KEY-----\n/);
  const key = await loadMcuKey(join(dir, 'off/mcu.key.json'), async () => base.passphrase);
  t.is(key.keyid, made.keyids.mcu);
  const bytes = Buffer.from('firmware');
  const signature = sign(null, bytes, key.privateKey);
  t.true(verify(null, bytes, await publicKey(made.mcuPublicPath), signature));

  const pem = join(dir, 'imgtool.pem');
  await writeFile(pem, key.privateKey.export({ format: 'pem', type: 'pkcs8' }));
  const never = (): Promise<string> => Promise.reject(new Error('asked for a passphrase'));
  t.is((await loadMcuKey(pem, never)).keyid, key.keyid);
  const public_ = await t.throwsAsync(loadMcuKey(made.mcuPublicPath, never));
  t.is(errorCode(public_), 'input-invalid', 'a public key signs nothing');
  const private_ = publicKey(join(dir, 'on/root.json'));
  t.is(errorCode(await t.throwsAsync(private_)), 'input-invalid');
});

test('a fleet made before there were microcontrollers is given their key once', async (t) => {
  const files = new CrashFiles();
  await initKeys({ ...base, files });
  const made = (await files.read('/on/mcu.pub.pem'))!;
  const refusal = async (change: Partial<typeof base> = {}) =>
    errorCode(await t.throwsAsync(addMcuKey({ ...base, files, ...change })));
  t.is(await refusal(), 'input-invalid', 'it has one');
  t.deepEqual(await files.read('/on/mcu.pub.pem'), made);

  await files.remove('/on/mcu.pub.pem');
  t.is(await refusal({ passphrase: 'another passphrase' }), 'wrong-passphrase');
  t.is(await files.read('/on/mcu.pub.pem'), undefined);
  await addMcuKey({ ...base, files });
  t.deepEqual(
    await files.read('/on/mcu.pub.pem'),
    made,
    'the public half of the key that is there',
  );

  await files.remove('/off/mcu.key.json');
  t.is(await refusal(), 'input-invalid', 'devices may trust the half that is there');
  await files.remove('/on/mcu.pub.pem');
  const before = (await files.read('/off/targets.key.json'))!;
  await addMcuKey({ ...base, files });
  t.notDeepEqual(await files.read('/on/mcu.pub.pem'), made);
  t.deepEqual(await files.read('/off/targets.key.json'), before);
  await files.remove('/off');
  t.is(await refusal(), 'file-missing', 'no fleet');
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
