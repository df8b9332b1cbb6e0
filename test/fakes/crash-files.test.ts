import test from 'ava';
import { writeFileAtomic } from '../../src/core/index.ts';
import { CrashFiles, PowerCut, SURVIVALS } from './crash-files.ts';

const text = (bytes: Uint8Array | undefined): string | undefined =>
  bytes === undefined ? undefined : Buffer.from(bytes).toString();

async function disk(): Promise<CrashFiles> {
  const files = new CrashFiles();
  await files.makeDirectory('/d');
  await files.syncDirectory('/');
  return files;
}

test('what was not synced is lost, kept or mixed after the cut', async (t) => {
  const files = await disk();
  await files.write('/d/a', Buffer.from('synced'));
  await files.syncDirectory('/d');
  await files.write('/d/b', Buffer.from('name not synced'));
  await files.rename('/d/a', '/d/c');
  t.deepEqual(await files.reopen('lost').list('/d'), ['a']);
  t.deepEqual(await files.reopen('kept').list('/d'), ['b', 'c']);
  const mixtures = new Set<string>();
  for (let seed = 0; seed < 64; seed++) {
    mixtures.add((await files.reopen('mixed', seed).list('/d')).join());
  }
  t.true(mixtures.size > 3);
});

test('a write in place is torn, and every later operation fails', async (t) => {
  const files = await disk();
  await files.write('/d/a', Buffer.from('old'));
  await files.syncDirectory('/d');
  files.dieAt(1);
  await t.throwsAsync(files.write('/d/a', Buffer.from('12345678')), { instanceOf: PowerCut });
  await t.throwsAsync(files.read('/d/a'), { instanceOf: PowerCut });
  t.is(text(await files.reopen('lost').read('/d/a')), '1234');
});

test('writeFileAtomic leaves the old bytes or the new ones, wherever it is cut', async (t) => {
  for (const survival of SURVIVALS) {
    for (let n = 1; ; n++) {
      const files = await disk();
      await writeFileAtomic(files, '/d/a', 'old');
      files.dieAt(n);
      const done = await writeFileAtomic(files, '/d/a', 'new').then(
        () => true,
        () => false,
      );
      const found = text(await files.reopen(survival, n).read('/d/a'));
      t.true(found === 'new' || (found === 'old' && !done), `${survival} ${n}: ${found}`);
      if (done) break;
    }
  }
});
