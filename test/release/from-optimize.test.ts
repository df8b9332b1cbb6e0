import { generateKeyPairSync } from 'node:crypto';
import { copyFile, cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { optimizeCommand } from '../../src/cli/optimize.ts';
import { releaseCommand } from '../../src/cli/release.ts';
import {
  canonicalBytes,
  errorCode,
  nodeFiles,
  parseNpy,
  parseNpz,
  sha256Hex,
} from '../../src/core/index.ts';
import { GOLDEN_INPUTS_FILE, type Report, readOptimized } from '../../src/optimize/index.ts';
import type { ReleaseDocument } from '../../src/update/index.ts';
import { motor, run } from './run-command.ts';

const MAX_GOLDEN_BYTES = 1e8;

/** A real run, once for all tests: every variant of the sample, judged by its own 32 windows. */
const optimized = (async () => {
  const dir = await mkdtemp(join(tmpdir(), 'dunlin-optimized-'));
  const labels = join(dir, 'labels.csv');
  const out = join(dir, 'out');
  await writeFile(labels, Array.from({ length: 32 }, (_, index) => `${index % 4}\n`).join(''));
  await run(optimizeCommand, [
    ...[motor('v1/float.tflite'), '--calibration', motor('golden-inputs.npy'), '--mode', 'all'],
    ...['--labels', labels, '--out', out],
  ]);
  return { dir, out };
})();
test.after.always(async () => rm((await optimized).dir, { recursive: true }));

async function setUp(t: ExecutionContext) {
  const dir = await mkdtemp(join(tmpdir(), 'dunlin-from-'));
  t.teardown(() => rm(dir, { recursive: true }));
  const from = join(dir, 'optimized');
  await cp((await optimized).out, from, { recursive: true });
  const build = async (version: string, ...args: string[]): Promise<ReleaseDocument> => {
    const { out } = await run(releaseCommand, [
      ...['build', '--repo', join(dir, 'repo'), '--model', 'motor', '--version', version],
      ...['--labels', motor('labels.json'), '--json', ...args],
    ]);
    return JSON.parse(out);
  };
  const artifact = (version: string, name: string): Promise<Buffer> =>
    readFile(join(dir, 'repo/releases/motor', version, name));
  const report: Report = JSON.parse(await readFile(join(from, 'report.json'), 'utf8'));
  const refused = async (...args: string[]) => {
    const error = await t.throwsAsync(build('refused', ...args));
    return { code: errorCode(error), message: error.message };
  };
  return { dir, from, build, artifact, report, refused };
}

test('what goes to microcontrollers comes from the same variant', async (t) => {
  const { dir, from, build, artifact } = await setUp(t);
  const { privateKey } = generateKeyPairSync('ed25519');
  await writeFile(join(dir, 'mcu.pem'), privateKey.export({ format: 'pem', type: 'pkcs8' }));
  const mcu = ['--mcu', 'cortex-m4', '--mcu-key', join(dir, 'mcu.pem')];
  const document = await build('1', '--from', from, ...mcu);
  t.deepEqual(document.golden.paths.mcu, { toleranceAbs: 0 });
  const arrays = parseNpz(await artifact('1', 'golden.npz'), 'golden.npz', MAX_GOLDEN_BYTES);
  t.deepEqual(arrays.get('expected_mcu')?.shape, [document.golden.count, 4]);
});

test('the chosen variant becomes the release, golden outputs of each path included', async (t) => {
  const { from, build, artifact, report } = await setUp(t);
  const document = await build('1', '--from', from);
  t.is(report.choice.variant, 'int8');
  t.deepEqual(await artifact('1', 'cpu.tflite'), await readFile(join(from, 'int8.tflite')));
  t.true('stock' in document.golden.paths && 'xnn' in document.golden.paths);
  t.is(document.golden.count, 32);
  t.is(document.golden.on, 'logits');
  const golden = parseNpz(await artifact('1', 'golden.npz'), 'golden.npz', MAX_GOLDEN_BYTES);
  t.deepEqual([...golden.keys()].sort(), ['expected_stock', 'expected_xnn', 'input']);
  const inputs = parseNpy(await readFile(join(from, GOLDEN_INPUTS_FILE)), GOLDEN_INPUTS_FILE);
  t.deepEqual(golden.get('input')!.data, inputs.data);
});

test('each variant makes a release of exactly its bytes', async (t) => {
  const { from, build, artifact, report } = await setUp(t);
  t.deepEqual(report.variants.map(({ name }) => name).sort(), [
    ...['dynamic', 'float', 'float16', 'int8'],
  ]);
  for (const { name, file, sha256, sizeBytes } of report.variants) {
    const document = await build(name, '--from', from, '--variant', name);
    t.deepEqual(await artifact(name, 'cpu.tflite'), await readFile(join(from, file)), name);
    t.like(document.artifacts['cpu.tflite'], { sha256, lengthBytes: sizeBytes });
    t.is(document.provenance['variant'], name);
    t.is(document.metrics['sizeBytes'], sizeBytes);
    t.is('ranges' in document.provenance, name === 'int8');
  }
});

test('what was measured, and from what it was made, is carried along', async (t) => {
  const { from, build, report } = await setUp(t);
  const { metrics, provenance } = await build(
    '1',
    ...['--from', from, '--metric', 'accuracy=0.5', '--metric', 'my-own=3'],
  );
  const int8 = report.variants.find(({ name }) => name === 'int8')!;
  const float = report.variants.find(({ name }) => name === 'float')!;
  t.deepEqual(metrics, {
    accuracy: 0.5,
    'my-own': 3,
    floatAccuracy: float.accuracy!,
    sqnrDb: int8.logits!.sqnrDb!,
    top1: int8.logits!.top1,
    top1ByClass: int8.logits!.top1ByClass,
    sizeBytes: int8.sizeBytes,
    compressedBytes: int8.compressedBytes,
    peakActivationBytes: int8.peakActivationBytes,
    macs: int8.macs,
    sparsity: int8.sparsity,
  });
  t.like(provenance, {
    variant: 'int8',
    floatModelSha256: sha256Hex(await readFile(motor('v1/float.tflite'))),
    calibrationSha256: report.calibration.sha256,
    evaluationSha256: report.evaluation.sha256,
    optimizeOptionsSha256: sha256Hex(canonicalBytes(report.options)),
    ranges: report.calibration.ranges,
    optimizedWith: `dunlin ${report.machine.dunlin}`,
    goldenInputsSha256: sha256Hex(await readFile(join(from, GOLDEN_INPUTS_FILE))),
  });
  const shuffled = Object.fromEntries(Object.entries(report.options).reverse());
  t.is(provenance['optimizeOptionsSha256'], sha256Hex(canonicalBytes(shuffled)));
  const again = await build('2', '--from', from);
  t.is(again.metrics['accuracy'], int8.accuracy);
  t.deepEqual(again.provenance, provenance);
});

test('other golden inputs may be named, and must where there are none', async (t) => {
  const { dir, from, build, refused } = await setUp(t);
  const own = join(dir, 'own.npy');
  await copyFile(motor('golden-inputs.npy'), own);
  await rm(join(from, GOLDEN_INPUTS_FILE));
  const { code, message } = await refused('--from', from);
  t.is(code, 'file-missing');
  t.regex(message, /golden-inputs\.npy: no such file; name inputs with --golden-inputs/);
  const document = await build('1', '--from', from, '--golden-inputs', own);
  t.is(document.golden.count, 32);
});

test('one way or the other, not both, and not half of one', async (t) => {
  const { from, refused } = await setUp(t);
  const cpu = ['--cpu', motor('v1/int8.tflite')];
  const inputs = ['--golden-inputs', motor('golden-inputs.npy')];
  for (const [args, said] of [
    [[], /--from <dir>.*or both --cpu <file> and --golden-inputs <npy>/],
    [cpu, /or both --cpu <file> and --golden-inputs/],
    [inputs, /or both --cpu <file> and --golden-inputs/],
    [['--from', from, ...cpu], /--from has a model in it, and so has --cpu/],
    [['--from', from, ...cpu, ...inputs], /give one of them/],
    [['--variant', 'int8', ...cpu, ...inputs], /--variant is one of a --from directory/],
  ] as const) {
    const { code, message } = await refused(...args);
    t.is(code, 'usage', message);
    t.regex(message, said);
  }
});

test('a file that is not the one that was measured is refused', async (t) => {
  const { from, refused } = await setUp(t);
  const path = join(from, 'int8.tflite');
  const bytes = await readFile(path);
  bytes[bytes.length >> 1]! ^= 1;
  await writeFile(path, bytes);
  t.is((await refused('--from', from)).code, 'digest-mismatch');
  await rm(path);
  t.is((await refused('--from', from)).code, 'file-missing');
});

test('a directory without a report, a choice, or such a variant is refused', async (t) => {
  const { dir, from, report, build, refused } = await setUp(t);
  const missing = await refused('--from', dir);
  t.is(missing.code, 'file-missing');
  t.regex(missing.message, /dunlin optimize --out makes such a directory/);
  const unknown = await refused('--from', from, '--variant', 'int4');
  t.is(unknown.code, 'input-invalid');
  t.regex(unknown.message, /there is no variant int4; it has float/);

  const { variant: _, ...choice } = report.choice;
  const write = (change: object): Promise<void> =>
    writeFile(join(from, 'report.json'), JSON.stringify({ ...report, ...change }));
  await write({ choice });
  const unchosen = await refused('--from', from);
  t.is(unchosen.code, 'input-invalid');
  t.regex(unchosen.message, /no variant fits the budget/);
  t.is((await build('1', '--from', from, '--variant', 'int8')).provenance['variant'], 'int8');
  t.is((await readOptimized(nodeFiles, from, 'int8')).variant.name, 'int8');

  await write({ calibration: { ...report.calibration, ranges: 'x'.repeat(1025) } });
  const long = await refused('--from', from);
  t.is(long.code, 'input-invalid');
  t.regex(long.message, /provenance\/ranges/);
});
