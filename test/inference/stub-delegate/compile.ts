import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const SOURCE = fileURLToPath(
  new URL('../../../../test/inference/stub-delegate/stub-delegate.c', import.meta.url),
);

export function haveCompiler(): boolean {
  return spawnSync('cc', ['--version']).status === 0;
}

/** Compiles the stub into a folder; `defines` choose how it fails. */
export function compileStub(
  folder: string,
  fileName: string,
  defines: readonly string[] = [],
): string {
  const require = createRequire(import.meta.url);
  const headers = join(
    dirname(require.resolve('tfjs-tflite-node/package.json')),
    'cc_deps/include',
  );
  const path = join(folder, fileName);
  const flags = [
    '-std=c11',
    '-Wall',
    '-Wextra',
    '-Werror',
    '-O1',
    '-shared',
    '-fPIC',
    `-I${headers}`,
  ];
  const macros = defines.map((define) => `-D${define}`);
  const run = spawnSync('cc', [...flags, ...macros, '-o', path, SOURCE], { encoding: 'utf8' });
  if (run.status !== 0) throw new Error(run.stderr);
  return path;
}
