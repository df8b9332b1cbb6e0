import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { DunlinError, sha256Hex } from '../../src/core/index.ts';
import {
  parseModel,
  serializeModel,
  type TfliteModel,
  verifyModel,
} from '../../src/tflite/index.ts';
import { sampleModels } from '../tflite/sample-models.ts';
import { mutate, mutateBytes, Random } from './tflite-mutate.ts';
import { RuntimeProcess } from './tflite-runtime.ts';

/**
 * Mutates models and files. Reading and checking must return or throw a DunlinError, in bounded
 * time; with `--runtime` what was accepted goes to the stock runtime, which must not crash.
 *
 *   node dist/test/fuzz/tflite-fuzz.js --seconds 60 --seed 1 [--runtime [--delegate SO]] [--models DIR] [--keep DIR]
 */

const MAX_SEED_MODEL_BYTES = 128 * 1024;
const MAX_CHECK_MS = 2_000;
/** A crash may come late: so many models before it are tried again alone. */
const SUSPECTS = 40;
const BYTES_SHARE = 4;

interface Counts {
  mutants: number;
  accepted: number;
  ran: number;
  refusedByRuntime: number;
  shapesDiffer: number;
}

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '30' },
    seed: { type: 'string', default: '1' },
    runtime: { type: 'boolean', default: false },
    models: { type: 'string' },
    delegate: { type: 'string' },
    keep: { type: 'string' },
  },
});

const problems: string[] = [];
const refusals = new Map<string, number>();
const counts: Counts = { mutants: 0, accepted: 0, ran: 0, refusedByRuntime: 0, shapesDiffer: 0 };

function seedModels(): TfliteModel[] {
  const samples = sampleModels().map(({ model }) => model);
  const folder = values.models;
  if (folder === undefined || !existsSync(folder)) return samples;
  const real = readdirSync(folder)
    .filter((name) => name.endsWith('.tflite'))
    .map((name) => [name, readFileSync(join(folder, name))] as const)
    .filter(([, bytes]) => bytes.byteLength <= MAX_SEED_MODEL_BYTES)
    .map(([name, bytes]) => parseModel(bytes, name));
  return [...samples, ...real];
}

function keep(bytes: Uint8Array, kind: string): string {
  const name = `${kind}-${sha256Hex(bytes).slice(0, 12)}.tflite`;
  if (values.keep === undefined) return name;
  mkdirSync(values.keep, { recursive: true });
  writeFileSync(join(values.keep, name), bytes);
  return join(values.keep, name);
}

/** The mutant's bytes when it is accepted. Anything thrown but a DunlinError is a problem. */
function check(seed: TfliteModel, random: Random): Uint8Array | undefined {
  const startMs = performance.now();
  let bytes: Uint8Array | undefined;
  try {
    if (random.below(BYTES_SHARE) === 0) bytes = mutateBytes(serializeModel(seed), random);
    else bytes = serializeModel(mutate(seed, random));
    verifyModel(parseModel(bytes, 'mutant'), 'mutant');
    return bytes;
  } catch (error) {
    if (!(error instanceof DunlinError)) {
      const where = bytes === undefined ? 'before writing' : keep(bytes, 'threw');
      problems.push(`${where}: ${error instanceof Error ? error.stack : String(error)}`);
    }
    return undefined;
  } finally {
    const elapsedMs = performance.now() - startMs;
    if (elapsedMs > MAX_CHECK_MS) problems.push(`checking took ${elapsedMs.toFixed(0)} ms`);
  }
}

async function execute(runtime: RuntimeProcess, bytes: Uint8Array, before: Uint8Array[]) {
  const result = await runtime.run(bytes);
  counts.ran++;
  if ('crashed' in result) {
    const alone: string[] = [];
    for (const suspect of [...before, bytes]) {
      runtime.close();
      const again = await runtime.run(suspect);
      if ('crashed' in again) alone.push(`${again.crashed} ${keep(suspect, 'crash')}`);
    }
    runtime.close();
    problems.push(`runtime died (${result.crashed}): ${alone.join('; ') || 'not alone'}`);
  } else if ('refused' in result) {
    counts.refusedByRuntime++;
    const reason = result.refused.replace(/\d+/g, '#').slice(0, 160);
    if (!refusals.has(reason)) keep(bytes, 'refused');
    refusals.set(reason, (refusals.get(reason) ?? 0) + 1);
  } else {
    const { tensors, outputs } = parseModel(bytes, 'mutant').subgraphs[0]!;
    const expected = outputs.map((index) => tensors[index]!.shape.join(','));
    if (expected.join(' ') !== result.shapes.join(' ')) {
      counts.shapesDiffer++;
      problems.push(`shapes ${result.shapes} are not ${expected}: ${keep(bytes, 'shape')}`);
    }
  }
}

async function main(): Promise<void> {
  const random = new Random(Number(values.seed));
  const seeds = seedModels();
  const runtime = new RuntimeProcess(values.delegate);
  const endMs = performance.now() + 1000 * Number(values.seconds);
  const before: Uint8Array[] = [];
  while (performance.now() < endMs) {
    counts.mutants++;
    const bytes = check(random.pick(seeds), random);
    if (bytes === undefined) continue;
    counts.accepted++;
    if (!values.runtime) continue;
    await execute(runtime, bytes, before);
    before.push(bytes);
    if (before.length > SUSPECTS) before.shift();
  }
  runtime.close();
  const byCount = [...refusals].sort((a, b) => b[1] - a[1]);
  for (const [reason, count] of byCount) console.log(`${count} refused: ${reason.trim()}`);
  for (const problem of problems) console.log(`PROBLEM ${problem}`);
  console.log(JSON.stringify({ seed: values.seed, ...counts, problems: problems.length }));
  process.exitCode = problems.length === 0 ? 0 : 1;
}

await main();
