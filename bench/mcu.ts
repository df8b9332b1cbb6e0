/**
 * The engine for microcontrollers beside TFLite Micro: instructions, RAM, flash, set-up, where the instructions go, and
 * what they take on a Cortex-M4 without wait states; other models; pruned weights. QEMU's clock counts instructions
 * one by one, so that the figures are the same on every machine. docs/PERFORMANCE.md reads them.
 *
 *   node dist/bench/mcu.js [--models FOLDER] [--json]      (after `make firmware`; FOLDER, or DUNLIN_SHARED, has models/)
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
  type PruningRow,
  type Reference,
  type Report,
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
/** Whose pruning is measured, and the shares of its weights that are made zero. */
const PRUNED = 'kws_ref_model.tflite';
const SHARES = [0, 0.3, 0.4, 0.5, 0.6, 0.75, 0.9];

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

async function pruning(): Promise<PruningRow[]> {
  const dense = read(sharedModel(PRUNED));
  const rows: PruningRow[] = [];
  for (const share of SHARES) {
    say(`${PRUNED} pruned by ${share}`);
    const model = pruned(dense, share);
    const measured = await measure(model, PRUNED);
    rows.push({
      share,
      bytes: weightBytes(model),
      measured,
      cycles: await estimateCycles(measured),
    });
  }
  return rows;
}

function requireSameOutputs({ name, peer }: Reference, { checksum }: Measured): void {
  if (checksum === peer.checksum) return;
  throw new Error(`${name}: outputs ${checksum}, not TFLite Micro's ${peer.checksum}`);
}

const { source, models } = JSON.parse(readFileSync(PEER, 'utf8')) as {
  source: string;
  models: Record<string, Peer>;
};
const hasShared = existsSync(sharedModel(PRUNED));
const references: Reference[] = [];
const others: Other[] = [];
for (const [name, peer] of hasShared ? Object.entries(models) : []) {
  const row = await reference(name, peer);
  requireSameOutputs(row, row.measured);
  references.push(row);
}
for (const file of OWN) others.push(await other(file, join(REPOSITORY, file)));
for (const file of hasShared ? OTHERS : []) others.push(await other(file, sharedModel(file)));
if (hasShared) others.push(...(await optimized()));
const report: Report = {
  source,
  references,
  others,
  pruning: hasShared ? await pruning() : [],
};
if (!hasShared) {
  process.stderr.write(
    'mcu: there are no reference models (DUNLIN_SHARED or --models names their folder): only our own\n',
  );
}
const { plain, text } = describe(report);
process.stdout.write(options.json ? `${JSON.stringify(plain)}\n` : text);
