import { mkdir, readFile, writeFile } from 'node:fs/promises';
import test from 'ava';
import { releaseCommand } from '../../src/cli/release.ts';
import { formatNpy, formatNpz, parseNpy, parseNpz } from '../../src/core/index.ts';
import { parseMcubootImage } from '../../src/mcu/index.ts';
import { compileModel } from '../../src/plan/index.ts';
import { parseModel } from '../../src/tflite/index.ts';
import { golden, model } from '../mcu/device.ts';
import { motor, run } from '../release/run-command.ts';
import { type McuBench, mcuBench } from './mcu-command.ts';

async function planFile(bench: McuBench, version: 'v1' | 'v2'): Promise<string> {
  const file = await readFile(motor(`${version}/int8.tflite`));
  const path = bench.path_(`${version}.plan`);
  await writeFile(path, compileModel(parseModel(file, version), 'NATIVE', version).bytes);
  return path;
}

async function goldenFile(bench: McuBench, key: number): Promise<string> {
  const vectors = golden(key);
  const stack = (rows: Uint8Array[]) => {
    const data = new Int8Array(Buffer.concat(rows));
    return { type: 'int8', shape: [rows.length, data.length / rows.length], data } as const;
  };
  const arrays = new Map([
    ['input_mcu', stack(vectors.map(({ input }) => input))],
    ['expected_mcu', stack(vectors.map(({ output }) => output))],
  ]);
  const path = bench.path_(`golden-${key}.npz`);
  await writeFile(path, formatNpz(arrays));
  return path;
}

test('a release on a device: the model with its golden vectors, then samples through it', async (t) => {
  const bench = await mcuBench(t);
  const { device, path, path_ } = bench;
  await run(releaseCommand, [
    ...['build', '--repo', path_('repo'), '--model', 'motor', '--version', '1.4.0'],
    ...['--cpu', motor('v1/int8.tflite'), '--golden-inputs', motor('golden-inputs.npy')],
    ...['--labels', motor('labels.json'), '--latency-budget-us', '100000'],
    ...['--mcu', 'native', '--mcu-key', bench.keyPath],
  ]);
  const release = path_('repo/releases/motor/1.4.0');
  const report = await bench.json('model', path, '--release', release);
  const container = await readFile(`${release}/mcu.plan`);
  t.like(report, { kind: 'model', version: '1.4.0' });
  t.is(report.hashHex, Buffer.from(parseMcubootImage(container, 'mcu.plan').hash).toString('hex'));
  t.is(device.resets, 0);
  t.is(device.models.confirmedSlot, device.models.activeSlot);

  const passed = await bench.json('selftest', path, '--release', release);
  t.like(passed, { passed: true, vectors: 32 });
  const arrays = parseNpz(await readFile(`${release}/golden.npz`), 'golden.npz', 1e8);
  const [input, expected] = [arrays.get('input_mcu')!, arrays.get('expected_mcu')!];
  await writeFile(path_('x.npy'), formatNpy(input));
  const raw = ['infer', path, '--input', path_('x.npy'), '--output', path_('y.npy')];
  const { samples } = await bench.json(...raw);
  t.is(samples.length, 32);
  t.is(samples[0].durationUs, 17);
  t.deepEqual(parseNpy(await readFile(path_('y.npy')), 'y.npy').data, expected.data);

  // The same samples as people have them: float32, in the steps of the model's input.
  const floats = ['infer', path, '--input', motor('golden-inputs.npy'), '--output', path_('z.npy')];
  await bench.refused('input-invalid', /--model/, ...floats);
  const described = await bench.mcu(...floats, '--model', `${release}/mcu.plan`);
  t.is(described.status, 0, described.err);
  t.regex(described.out, /^0: (-?\d+ ){4} \(largest: \d\)\n/);
  t.regex(described.out, /: 32 samples, 17 µs each on the device\n$/);
  t.deepEqual(parseNpy(await readFile(path_('z.npy')), 'z.npy').data, expected.data);
});

test('a plan of dunlin compile, signed on the way, tested against the oracle of this machine', async (t) => {
  const bench = await mcuBench(t);
  const { device, path, keyPath } = bench;
  const v1 = await planFile(bench, 'v1');
  await bench.refusedEarly('untrusted-signature', /not signed.*--key/, 'model', path, v1);
  const signing = ['--key', keyPath, '--version', '2.0.1'];
  const ended = await bench.mcu('model', path, v1, ...signing);
  t.is(ended.status, 0, ended.err);
  t.regex(ended.out, /model 2\.0\.1 confirmed/);
  t.regex(ended.err, /^upload\ntest\nself-test\nconfirm\n$/m);
  t.true(device.log.filter((name) => name === '64:2w').length >= 8);
  const tested = await bench.mcu('selftest', path, '--model', v1);
  t.regex(tested.out, /8 golden vectors, every byte right/);
  const v2 = await planFile(bench, 'v2');
  await bench.refused(
    'golden-mismatch',
    /golden vector \d: \d of 4 bytes differ/,
    'selftest',
    path,
    '--model',
    v2,
  );

  device.models.isFaulty = true;
  await bench.refused(
    'golden-mismatch',
    /2\.0\.2 not installed/,
    'model',
    path,
    v2,
    '--key',
    keyPath,
    '--version',
    '2.0.2',
  );
  t.like(device.models, { activeSlot: device.models.confirmedSlot, trialSlot: -1 });
  device.models.isFaulty = false;
  await bench.json('selftest', path, '--model', v1);
});

test('golden vectors decide, and a model that gives other bytes leaves the old one running', async (t) => {
  const bench = await mcuBench(t);
  const { device, path, path_ } = bench;
  await writeFile(path_('a.bin'), model(3, 2000, 5));
  await writeFile(path_('b.bin'), model(4, 2000, 5));
  await writeFile(path_('old.bin'), model(6, 2000, 4));
  const [a, b] = [await goldenFile(bench, 3), await goldenFile(bench, 4)];
  await bench.json('model', path, path_('a.bin'), '--golden', a);
  const flash = (name: string, vectors: string) => [
    'model',
    path,
    path_(name),
    '--golden',
    vectors,
  ];
  await bench.refused('golden-mismatch', /golden vector 0/, ...flash('b.bin', a));
  await bench.refused(
    'mcu-downgrade-refused',
    /security counter/,
    ...flash('old.bin', await goldenFile(bench, 6)),
  );
  t.is(device.models.confirmedSlot, device.models.activeSlot);
  const { samples } = await bench.json('infer', path, '--input', await csv(bench));
  t.is(samples[0].output[0], 4, 'what a makes of 1');
  await bench.json('model', path, path_('b.bin'), '--golden', b, '--board', 'native');
  await bench.refused(
    'mcu-wrong-board',
    /is native/,
    ...flash('a.bin', a),
    '--board',
    'nrf52840-dk',
  );
});

async function csv({ path_ }: McuBench): Promise<string> {
  await writeFile(path_('x.csv'), `${new Array(40).fill(1).join(',')}\n`);
  return path_('x.csv');
}

test('what is no model, no vectors, no samples is said before the line is opened', async (t) => {
  const bench = await mcuBench(t);
  const { path_ } = bench;
  const nobody = path_('no-device');
  await writeFile(path_('a.bin'), model(3));
  await writeFile(path_('rubbish'), 'rubbish');
  await mkdir(path_('empty'));
  const file = path_('a.bin');
  await bench.refusedEarly('plan-malformed', /a\.bin/, 'model', nobody, file);
  await bench.refusedEarly(
    'input-invalid',
    /\.npz/,
    'model',
    nobody,
    file,
    '--golden',
    path_('rubbish'),
  );
  await bench.refusedEarly(
    'file-missing',
    /golden\.npz/,
    'model',
    nobody,
    file,
    '--release',
    path_('empty'),
  );
  await bench.refusedEarly('usage', /name a file/, 'model', nobody);
  await bench.refusedEarly('usage', /--golden, --release or --model/, 'selftest', nobody);
  const npz = await goldenFile(bench, 3);
  await bench.refusedEarly(
    'usage',
    /leave --golden out/,
    'model',
    nobody,
    '--golden',
    npz,
    '--release',
    path_('empty'),
  );
  const release = parseNpz(await readFile(npz), 'golden', 1e6);
  release.delete('expected_mcu');
  await writeFile(path_('half.npz'), formatNpz(release));
  await bench.refusedEarly(
    'input-invalid',
    /expected_mcu: no such array.*--mcu/,
    'selftest',
    nobody,
    '--golden',
    path_('half.npz'),
  );
  await bench.refusedEarly(
    'mcu-unreachable',
    /no such serial device/,
    'model',
    nobody,
    file,
    '--golden',
    npz,
  );
});

test('golden vectors of another model are found before anything is sent', async (t) => {
  const bench = await mcuBench(t);
  const vectors = await goldenFile(bench, 3);
  await bench.refusedEarly(
    'input-invalid',
    /golden vector 0 has 40 and 40 bytes of inputs and outputs, .*v1\.plan 768 and 4/,
    ...['model', bench.path, await planFile(bench, 'v1'), '--golden', vectors],
    ...['--key', bench.keyPath],
  );
});
