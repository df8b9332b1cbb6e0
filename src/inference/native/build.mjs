// Builds the XNNPACK delegate for the installed tfjs-tflite-node, and what waits for a socket without sleeping (npm's
// `install` script). Never fails an installation: without them everything works, on the runtime's stock kernels.
import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { delimiter, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const ARCHITECTURES = { x64: 'amd64', arm64: 'arm64' };
const MAX_BUILD_MS = 300_000;
const here = dirname(fileURLToPath(import.meta.url));
const prefix = resolve(process.execPath, '../..');

/** The first of the named programs that PATH has. */
function findProgram(names) {
  const folders = (process.env.PATH ?? '').split(delimiter).filter((folder) => folder !== '');
  return folders
    .flatMap((folder) => names.map((name) => join(folder, name)))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

/** npm names its own node-gyp to lifecycle scripts; elsewhere it stands beside npm. */
function findNodeGyp() {
  return [
    process.env.npm_config_node_gyp,
    join(prefix, 'lib/node_modules/npm/node_modules/node-gyp/bin/node-gyp.js'),
    join(prefix, 'share/nodejs/node-gyp/bin/node-gyp.js'),
    join(prefix, 'share/nodejs/npm/node_modules/node-gyp/bin/node-gyp.js'),
  ].find((path) => path !== undefined && existsSync(path));
}

/** Where Node's headers stand beside it, nothing is downloaded; npm_config_nodedir outranks that. */
function nodeHeaders() {
  const beside = existsSync(join(prefix, 'include/node/node_api.h'));
  return process.env.npm_config_nodedir === undefined && beside ? [`--nodedir=${prefix}`] : [];
}

function findRuntime() {
  try {
    return dirname(createRequire(import.meta.url).resolve('tfjs-tflite-node/package.json'));
  } catch {
    return undefined;
  }
}

/** Builds; returns what is missing, or undefined when the delegate is there. */
function build() {
  const architecture = ARCHITECTURES[process.arch];
  if (process.platform !== 'linux' || architecture === undefined) {
    return `${process.platform} on ${process.arch} is not supported`;
  }
  const runtime = findRuntime();
  if (runtime === undefined) return 'tfjs-tflite-node is not installed';
  if (findProgram(['cc', 'gcc', 'clang']) === undefined) {
    return 'no C compiler in PATH (Debian: build-essential)';
  }
  if (findProgram(['make', 'gmake']) === undefined)
    return 'no make in PATH (Debian: build-essential)';
  if (findProgram(['python3', 'python']) === undefined) return 'no python3 in PATH';
  const nodeGyp = findNodeGyp();
  if (nodeGyp === undefined) return 'node-gyp was not found beside npm';

  const args = [
    nodeGyp,
    'rebuild',
    '--loglevel=error',
    `--directory=${here}`,
    ...nodeHeaders(),
    '--',
    `-Dtflite_dir=${runtime}`,
    `-Dtflite_arch=${architecture}`,
  ];
  const run = spawnSync(process.execPath, args, { encoding: 'utf8', timeout: MAX_BUILD_MS });
  if (run.status === 0) return undefined;
  const lines = `${run.stdout ?? ''}\n${run.stderr ?? ''}`.split('\n');
  const said = [/\berror: |^gyp: /, /ERR! stack/].flatMap((pattern) =>
    lines.filter((line) => pattern.test(line)).slice(0, 1),
  )[0];
  return `node-gyp failed (${(said ?? run.error?.message ?? `status ${run.status}`).trim()})`;
}

const missing = build();
console.log(
  missing === undefined
    ? 'dunlin: XNNPACK delegate built'
    : `dunlin: XNNPACK delegate not built: ${missing}; inference works, on the slower stock path. ` +
        'To build it later: node src/inference/native/build.mjs',
);
