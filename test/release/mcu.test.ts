import { generateKeyPairSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { keysCommand } from '../../src/cli/keys.ts';
import { releaseCommand } from '../../src/cli/release.ts';
import {
  type ErrorCode,
  errorCode,
  formatNpy,
  type NpyArray,
  parseNpy,
  parseNpz,
  verifyingKeyFromPem,
} from '../../src/core/index.ts';
import {
  IMAGE_FLAG_NON_BOOTABLE,
  MAX_GOLDEN_VECTORS,
  mcubootVersionText,
  parseMcubootImage,
  verifyMcubootImage,
} from '../../src/mcu/index.ts';
import { compileModel, decodePlan, planOracle, referenceExecutor } from '../../src/plan/index.ts';
import { loadMcuKey } from '../../src/release/index.ts';
import { parseModel } from '../../src/tflite/index.ts';
import type { ReleaseDocument } from '../../src/update/index.ts';
import { cortexCode, elfFile, hexFile } from '../mcu/image-files.ts';
import { motor, run } from './run-command.ts';

const cpu = readFileSync(motor('v1/int8.tflite'));
const golden = parseNpy(readFileSync(motor('golden-inputs.npy')), 'golden');
const MAX_NPZ_BYTES = 1e8;

/** Keys are slow to make: scrypt. Once for all tests. */
const keys = (async () => {
  const dir = await mkdtemp(join(tmpdir(), 'dunlin-mcu-keys-'));
  await run(keysCommand, ['init', '--offline', join(dir, 'off'), '--online', join(dir, 'on')]);
  const key = join(dir, 'off/mcu.key.json');
  const pem = join(dir, 'mcu.pem');
  const { privateKey } = await loadMcuKey(key, async () => 'correct horse battery');
  await writeFile(pem, privateKey.export({ format: 'pem', type: 'pkcs8' }));
  const publicPem = await readFile(join(dir, 'on/mcu.pub.pem'), 'utf8');
  return { dir, key, pem, publicKey: verifyingKeyFromPem(publicPem, 'mcu.pub.pem') };
})();
test.after.always(async () => rm((await keys).dir, { recursive: true }));

async function setUp(t: ExecutionContext) {
  const dir = await mkdtemp(join(tmpdir(), 'dunlin-mcu-'));
  t.teardown(() => rm(dir, { recursive: true }));
  const path = (name: string): string => join(dir, name);
  const { key, pem, publicKey } = await keys;
  const build = async (version: string, ...args: string[]): Promise<ReleaseDocument> => {
    const { out } = await run(releaseCommand, [
      ...['build', '--repo', path('repo'), '--model', 'motor', '--version', version],
      ...['--cpu', motor('v1/int8.tflite'), '--golden-inputs', motor('golden-inputs.npy')],
      ...['--labels', motor('labels.json'), '--latency-budget-us', '100000', '--json', ...args],
    ]);
    return JSON.parse(out);
  };
  const artifact = (version: string, name: string): Promise<Buffer> =>
    readFile(path(`repo/releases/motor/${version}/${name}`));
  const goldenOf = async (version: string) => {
    const arrays = parseNpz(await artifact(version, 'golden.npz'), 'golden.npz', MAX_NPZ_BYTES);
    return { input: arrays.get('input_mcu')!, expected: arrays.get('expected_mcu')! };
  };
  const refused = async (...args: string[]) => {
    const error = await t.throwsAsync(build('refused', ...args));
    return { code: errorCode(error), message: error.message };
  };
  // The same key as another tool has it: opening the encrypted one takes its time.
  const signed = ['--mcu-key', pem];
  return { path, build, artifact, goldenOf, refused, signed, key, publicKey };
}

function rowsOf({ data, shape }: NpyArray): Int8Array[] {
  const [count = 0, bytes = 0] = shape;
  return Array.from({ length: count }, (_, row) =>
    (data as Int8Array).slice(row * bytes, (row + 1) * bytes),
  );
}

test('a plan of the model, in a container that the fleet signed, with exact golden vectors', async (t) => {
  const { build, artifact, goldenOf, key, publicKey } = await setUp(t);
  const options = ['--mcu', 'cortex-m4', '--mcu-key', key, '--security-counter', '7'];
  const document = await build('1.4.2', ...options);
  t.deepEqual(document.golden.paths.mcu, { toleranceAbs: 0 });
  t.true('mcu.plan' in document.artifacts && !('model.tflite' in document.artifacts));
  const image = parseMcubootImage(await artifact('1.4.2', 'mcu.plan'), 'mcu.plan');
  verifyMcubootImage(image, 'mcu.plan', [publicKey]);
  t.is(image.flags, IMAGE_FLAG_NON_BOOTABLE);
  t.is(mcubootVersionText(image.version), '1.4.2');
  t.is(image.securityCounter, 7);
  const model = parseModel(cpu, 'cpu');
  t.deepEqual(Buffer.from(image.body), Buffer.from(compileModel(model, 'CORTEX_M4', 'cpu').bytes));

  const { input, expected } = await goldenOf('1.4.2');
  t.deepEqual([input.type, expected.type], ['int8', 'int8']);
  const inputs = rowsOf(input);
  t.is(inputs.length, golden.shape[0]!);
  const oracle = planOracle(decodePlan(image.body, 'mcu.plan'));
  t.deepEqual(
    rowsOf(expected),
    inputs.map((row) => oracle.run([row])[0]!),
  );
  // The same by another way: TFLite Micro's kernels on the model itself.
  const reference = referenceExecutor(model, 'cpu');
  t.deepEqual(
    rowsOf(expected),
    inputs.map((row) => reference.run([row])[0]!),
  );
  t.true(new Set(rowsOf(expected).map((row) => row.join())).size > 1);
});

test('firmware of every form becomes what the bootloader starts; signed images stay as they are', async (t) => {
  const { path, build, artifact, goldenOf, signed, publicKey } = await setUp(t);
  const noise = Uint8Array.from({ length: 3000 }, (_, index) => (index * 31 + 1) & 0xff);
  const code = cortexCode(0xc200, noise);
  const withRoom = Buffer.concat([new Uint8Array(0x200), code]);
  await writeFile(path('app.bin'), code);
  await writeFile(path('zephyr.bin'), withRoom);
  await writeFile(path('app.hex'), hexFile([{ address: 0xc200, bytes: code }], 16));
  await writeFile(path('zephyr.hex'), hexFile([{ address: 0xc000, bytes: withRoom }], 32));
  await writeFile(path('app.elf'), elfFile([{ address: 0xc200, bytes: code, type: 1 }]));
  const made = new Set<string>();
  for (const [index, file] of [
    'app.bin',
    'zephyr.bin',
    'app.hex',
    'zephyr.hex',
    'app.elf',
  ].entries()) {
    const version = `1.0.${index}`;
    const document = await build(version, '--firmware', `nrf52840-dk=${path(file)}`, ...signed);
    t.is(document.golden.paths.mcu, undefined, 'no model, no self-test');
    const bytes = await artifact(version, 'firmware-nrf52840-dk.bin');
    const image = parseMcubootImage(bytes, file);
    verifyMcubootImage(image, file, [publicKey]);
    t.is(image.flags, 0);
    t.is(image.headerBytes, 0x200);
    t.is(image.securityCounter, 0);
    t.deepEqual(Buffer.from(image.body), Buffer.from(code), file);
    made.add(Buffer.from(image.body).toString('hex'));
  }
  t.is(made.size, 1);
  t.is((await goldenOf('1.0.0')).input, undefined as never);

  const other = generateKeyPairSync('ed25519').privateKey;
  await writeFile(path('vendor.pem'), other.export({ format: 'pem', type: 'pkcs8' }));
  await build('2', '--firmware', `native=${path('app.elf')}`, '--mcu-key', path('vendor.pem'));
  const native = await artifact('2', 'firmware-native.bin');
  const image = parseMcubootImage(native, 'native');
  t.deepEqual(
    Buffer.from(image.body),
    await readFile(path('app.elf')),
    'a program is started whole',
  );
  t.is(mcubootVersionText(image.version), '0.0.0', 'release 2 is no major.minor.patch');
  await writeFile(path('signed.bin'), native);
  await writeFile(path('qemu.bin'), cortexCode(0x2100_0200, noise));
  await build(
    '3',
    '--firmware',
    `native=${path('signed.bin')}`,
    '--firmware',
    `mps2-an386=${path('qemu.bin')}`,
    ...signed,
  );
  t.deepEqual(await artifact('3', 'firmware-native.bin'), native);
});

test('a model for TFLite Micro, with or without a plan, has the same vectors', async (t) => {
  const { path, build, artifact, goldenOf, refused, signed, publicKey } = await setUp(t);
  await build('1', '--mcu-tflite', ...signed);
  const image = parseMcubootImage(await artifact('1', 'model.tflite'), 'model.tflite');
  verifyMcubootImage(image, 'model.tflite', [publicKey]);
  t.deepEqual(Buffer.from(image.body), cpu);
  t.is(image.flags, IMAGE_FLAG_NON_BOOTABLE);
  const plan = compileModel(parseModel(cpu, 'cpu'), 'CORTEX_M0', 'cpu').bytes;
  await writeFile(path('own.plan'), plan);
  const document = await build('2', '--mcu-tflite', '--mcu-plan', path('own.plan'), ...signed);
  t.true('mcu.plan' in document.artifacts && 'model.tflite' in document.artifacts);
  t.deepEqual(await goldenOf('2'), await goldenOf('1'));

  const v2 = parseModel(readFileSync(motor('v2/int8.tflite')), 'v2');
  await writeFile(path('v2.plan'), compileModel(v2, 'CORTEX_M4', 'v2').bytes);
  const differs = await refused('--mcu-tflite', '--mcu-plan', path('v2.plan'), ...signed);
  t.is(differs.code, 'input-invalid');
  t.regex(differs.message, /plan and model differ at golden input/);
});

test('expected outputs of a reference, so that a model that is not it fails on every device', async (t) => {
  const { build, goldenOf, signed } = await setUp(t);
  const v2 = motor('v2/int8.tflite');
  await build('1', '--mcu', 'cortex-m4', ...signed);
  await build('2', '--mcu', 'cortex-m4', '--golden-reference', v2, ...signed);
  const [own, other] = [await goldenOf('1'), await goldenOf('2')];
  t.deepEqual(own.input, other.input);
  const oracle = planOracle(
    decodePlan(compileModel(parseModel(readFileSync(v2), 'v2'), 'NATIVE', 'v2').bytes, 'v2'),
  );
  t.deepEqual(
    rowsOf(other.expected),
    rowsOf(other.input).map((row) => oracle.run([row])[0]!),
  );
  t.notDeepEqual(own.expected, other.expected);
});

test('a self-test has no more vectors than a device takes, from all over the inputs', async (t) => {
  const { path, build, goldenOf, signed } = await setUp(t);
  const [count, ...sample] = golden.shape;
  const size = sample.reduce((product, length) => product * length, 1);
  const data = Float32Array.from({ length: 150 * size }, (_, index) =>
    Number(golden.data[index % (count! * size)]!),
  );
  for (let row = 0; row < 150; row++) data[row * size] = (row - 75) / 100;
  const many = { type: 'float32', shape: [150, ...sample], data } as const;
  await writeFile(path('many.npy'), formatNpy(many));
  const document = await build(
    '1',
    '--golden-inputs',
    path('many.npy'),
    '--mcu',
    'native',
    ...signed,
  );
  t.is(document.golden.count, 150);
  const { input, expected } = await goldenOf('1');
  t.deepEqual([input.shape[0], expected.shape[0]], [MAX_GOLDEN_VECTORS, MAX_GOLDEN_VECTORS]);
  const firsts = rowsOf(input).map((row) => row[0]!);
  t.deepEqual(
    firsts,
    [...firsts].sort((a, b) => a - b),
    'in their order',
  );
  t.true(firsts.at(-1)! > firsts[0]!);
});

test('what devices would not take is not released, and the message says what to do', async (t) => {
  const { path, refused, signed } = await setUp(t);
  await writeFile(path('app.bin'), new Uint8Array(100).fill(1));
  await writeFile(
    path('elsewhere.hex'),
    hexFile([{ address: 0x1000, bytes: new Uint8Array(64).fill(1) }], 16),
  );
  const large = cortexCode(0xc200, new Uint8Array(0x76000).fill(1));
  await writeFile(path('large.bin'), large);
  await writeFile(path('qemu.bin'), cortexCode(0x2100_0200, new Uint8Array(1000)));
  const program = elfFile([{ address: 0xc200, bytes: new Uint8Array(100), type: 1 }]);
  await writeFile(path('cut.elf'), program.subarray(0, program.byteLength - 1));
  for (const args of [
    ['--mcu', 'cortex-m4'],
    ['--mcu-tflite'],
    ['--firmware', `native=${path('app.bin')}`],
  ]) {
    const { code, message } = await refused(...args);
    t.is(code, 'usage');
    t.regex(message, /--mcu-key.*dunlin keys init.*dunlin keys add-mcu/);
  }
  const cases: [string[], ErrorCode][] = [
    [['--mcu-key', path('nothing')], 'usage'],
    [['--mcu', 'cortex-m4', '--mcu-key', path('nothing')], 'file-missing'],
    [['--firmware', path('app.bin'), ...signed], 'usage'],
    [['--firmware', `rp2040-pico=${path('app.bin')}`, ...signed], 'usage'],
    [['--firmware', `nothing=${path('app.bin')}`, ...signed], 'usage'],
    [['--firmware', `nrf52840-dk=${path('elsewhere.hex')}`, ...signed], 'image-malformed'],
    [['--firmware', `nrf52840-dk=${path('large.bin')}`, ...signed], 'mcu-image-too-large'],
    // Other files, and code for another address, which nothing else says of a binary.
    [['--firmware', `nrf52840-dk=${path('app.bin')}`, ...signed], 'image-malformed'],
    [['--firmware', `nrf52840-dk=${path('qemu.bin')}`, ...signed], 'image-malformed'],
    [['--firmware', `native=${path('app.bin')}`, ...signed], 'image-malformed'],
    [['--firmware', `native=${path('cut.elf')}`, ...signed], 'image-malformed'],
    [['--mcu', 'cortex-m4', ...signed, '--security-counter', '-1'], 'usage'],
    [['--mcu-plan', path('app.bin'), ...signed], 'plan-malformed'],
    [['--mcu', 'cortex-m4', ...signed, '--cpu', motor('v1/float.tflite')], 'model-unsupported'],
  ];
  for (const [args, code] of cases) t.is((await refused(...args)).code, code, args.join(' '));
});
