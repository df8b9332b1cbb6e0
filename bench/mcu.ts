/**
 * The engine for microcontrollers beside TFLite Micro: instructions, RAM, flash, set-up, where the
 * instructions go, and what they take on a Cortex-M4 without wait states; other models; pruned
 * weights. QEMU's clock counts instructions one by one, so that the figures are the same on every
 * machine. docs/PERFORMANCE.md reads them.
 *
 *   node dist/bench/mcu.js [--models FOLDER] [--json]
 *
 * After `make firmware`. FOLDER, or else DUNLIN_SHARED, has the reference models in models/ and
 * samples for calibration in data/.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { DunlinError } from '../src/core/index.ts';
import { parseModel, type TfliteModel } from '../src/tflite/index.ts';
import { pruned, weightBytes } from './mcu/layers.ts';
import { estimateCycles, leanFlashBytes, type Measured, measure } from './mcu/measure.ts';
import {
  describe,
  type Other,
  type Peer,
  type Pruning,
  type PruningRow,
  type Reference,
} from './mcu/report.ts';

const REPOSITORY = fileURLToPath(new URL('../../', import.meta.url));
const PEER = join(REPOSITORY, 'bench/mcu/tflite-micro.json');
const OWN = ['v1', 'v2'].map((version) => `examples/motor/${version}/int8.tflite`);
const OTHERS = [
  'kws_int8.tflite',
  'keyword_scrambled_8bit.tflite',
  'mobilenet_v1_0.25_128_quant.tflite',
];
const FLOATS = ['ad01', 'kws', 'ic'];
/** The shares of each layer's weights that are made zero. */
const SHARES: readonly (readonly [name: string, shares: readonly number[]])[] = [
  ['kws', [0, 0.3, 0.4, 0.5, 0.6, 0.65, 0.7, 0.75, 0.9]],
  ['ad01', [0, 0.75, 0.85, 0.9]],
  ['ic', [0, 0.75, 0.9]],
];

const { values: options } = parseArgs({
  options: { models: { type: 'string' }, json: { type: 'boolean', default: false } },
});
const shared = options.models ?? process.env['DUNLIN_SHARED'] ?? join(REPOSITORY, '../shared');
const sharedModel = (file: string): string => join(shared, 'models', file);
const read = (file: string): TfliteModel => parseModel(readFileSync(file), basename(file));

/** Progress, where nobody parses what is printed. */
const say = (text: string): void => {
  if (process.stderr.isTTY) process.stderr.write(`${text}\n`);
};

async function reference(name: string, peer: Peer): Promise<Reference> {
  say(name);
  const file = sharedModel(peer.file);
  const measured = await measure(read(file), name);
  const fileBytes = readFileSync(file).length;
  const leanBytes = await leanFlashBytes(measured);
  return { name, peer, fileBytes, measured, leanBytes, cycles: await estimateCycles(measured) };
}

async function other(name: string, file: string): Promise<Other> {
  say(name);
  const fileBytes = readFileSync(file).length;
  try {
    return { name, fileBytes, measured: await measure(read(file), name) };
  } catch (error) {
    if (!(error instanceof DunlinError) || error.code !== 'model-unsupported') throw error;
    return { name, fileBytes, refused: error.message };
  }
}

/** What `dunlin optimize` makes of the float models. */
async function optimized(): Promise<Other[]> {
  const dir = mkdtempSync(join(tmpdir(), 'dunlin-bench-'));
  try {
    const rows: Other[] = [];
    for (const name of FLOATS) {
      const out = join(dir, name);
      const samples = join(shared, `data/${name}_cal.npy`);
      const args = [sharedModel(`${name}_float.tflite`), '--calibration', samples, '--out', out];
      const main = join(REPOSITORY, 'dist/src/cli/main.js');
      execFileSync(process.execPath, [main, 'optimize', ...args], { stdio: 'ignore' });
      rows.push(await other(`${name}_float, optimized`, join(out, 'int8.tflite')));
    }
    return rows;
  } finally {
    rmSync(dir, { recursive: true });
  }
}

async function pruning(name: string, file: string, shares: readonly number[]): Promise<Pruning> {
  const dense = read(file);
  const rows: PruningRow[] = [];
  for (const share of shares) {
    say(`${name} pruned by ${share}`);
    const model = pruned(dense, share);
    const measured = await measure(model, name);
    const bytes = weightBytes(model);
    rows.push({ share, bytes, measured, cycles: await estimateCycles(measured) });
  }
  return { name, rows };
}

function requireSameOutputs({ name, peer }: Reference, { checksum }: Measured): void {
  if (checksum === peer.checksum) return;
  throw new Error(`${name}: outputs ${checksum}, not TFLite Micro's ${peer.checksum}`);
}

const { source, models } = JSON.parse(readFileSync(PEER, 'utf8')) as {
  source: string;
  models: Record<string, Peer>;
};
const hasShared = existsSync(join(shared, 'models'));
const references: Reference[] = [];
const others: Other[] = [];
const prunings: Pruning[] = [];
for (const file of OWN) others.push(await other(file, join(REPOSITORY, file)));
if (hasShared) {
  for (const [name, peer] of Object.entries(models)) {
    const row = await reference(name, peer);
    requireSameOutputs(row, row.measured);
    references.push(row);
  }
  for (const file of OTHERS) others.push(await other(file, sharedModel(file)));
  others.push(...(await optimized()));
  for (const [name, shares] of SHARES) {
    prunings.push(await pruning(name, sharedModel(models[name]!.file), shares));
  }
} else {
  const where = 'DUNLIN_SHARED or --models names their folder';
  process.stderr.write(`mcu: there are no reference models (${where}): only our own\n`);
}
const { plain, text } = describe({ source, references, others, prunings });
process.stdout.write(options.json ? `${JSON.stringify(plain)}\n` : text);
