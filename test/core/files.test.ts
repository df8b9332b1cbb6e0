import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { nodeFiles } from '../../src/core/index.ts';

test('directories are made with their parents, and again without harm', async (t) => {
  const root = mkdtempSync(join(tmpdir(), 'dunlin-files-'));
  t.teardown(() => rmSync(root, { recursive: true }));
  const path = join(root, 'a/b/c');
  await nodeFiles.makeDirectory(path);
  await nodeFiles.makeDirectory(path);
  t.true(existsSync(path));
});

test('where no directory can be made, it says so and ends', async (t) => {
  const root = mkdtempSync(join(tmpdir(), 'dunlin-files-'));
  t.teardown(() => rmSync(root, { recursive: true }));
  writeFileSync(join(root, 'file'), '');
  for (const path of ['/proc/none', '/proc/none/below', join(root, 'file'), join(root, 'file/x')]) {
    await t.throwsAsync(nodeFiles.makeDirectory(path), {
      code: 'file-unreadable',
      message: /as a directory/,
    });
  }
});
