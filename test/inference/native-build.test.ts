import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';

const SCRIPT = fileURLToPath(new URL('../../../src/inference/native/build.mjs', import.meta.url));

/** Runs the build with a PATH of its own: nothing is built, and what is built is left alone. */
function buildWith(path: string): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [SCRIPT], { encoding: 'utf8', env: { PATH: path } });
}

test('without a compiler the build says so in one line and the installation goes on', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'dunlin-native-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const bare = buildWith(folder);
  t.is(bare.status, 0);
  t.is(bare.stderr, '');
  t.regex(
    bare.stdout,
    /^dunlin: XNNPACK delegate not built: no C compiler in PATH.*stock path.*\n$/,
  );

  symlinkSync(process.execPath, join(folder, 'cc'));
  const withCompiler = buildWith(folder);
  t.is(withCompiler.status, 0);
  t.regex(withCompiler.stdout, /not built: no make in PATH/);
});
