import { generateKeyPairSync } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import test, { type ExecutionContext } from 'ava';
import { releaseCommand } from '../../src/cli/release.ts';
import { formatNpy, parseNpy, parseNpz } from '../../src/core/index.ts';
import { RealDevice } from '../mcu/real/devices.ts';
import { motor, run } from '../release/run-command.ts';
import { type CommandBench, commandBench } from './mcu-command.ts';

const BOARD = ['--board', 'native'];
const LARGE_BYTES = 500_000;

/** The firmware of this project as a process, behind its own bootloader; its flash is erased. */
async function setUp(t: ExecutionContext) {
  const device = await RealDevice.make('native');
  t.teardown(() => device.dispose());
  const bench = await commandBench(t);
  await writeFile(bench.path_('app.elf'), device.firmware.body);
  await device.powerOn();
  return { device, bench, path: device.linkPath };
}

async function release(
  { path_, keyPath }: CommandBench,
  version: string,
  model: 'v1' | 'v2',
  ...more: string[]
) {
  await run(releaseCommand, [
    ...['build', '--repo', path_('repo'), '--model', 'motor', '--version', version],
    ...['--cpu', motor(`${model}/int8.tflite`), '--golden-inputs', motor('golden-inputs.npy')],
    ...['--labels', motor('labels.json'), '--latency-budget-us', '100000'],
    ...['--mcu', 'native', '--mcu-key', keyPath, ...more],
  ]);
  return path_(`repo/releases/motor/${version}`);
}

test('erased flash, firmware, models: every command against the real device', async (t) => {
  const { bench, path } = await setUp(t);
  const { path_, keyPath } = bench;
  const [erased] = (await bench.json('list', path)).devices;
  t.like(erased, { answers: true, board: 'native', firmware: null, model: null });
  t.regex((await bench.mcu('info', path)).out, /none: the bootloader waits for firmware/);
  await bench.refused(
    'mcu-unsupported',
    /unknown command/,
    'model',
    path,
    '--release',
    path_('none'),
  );

  const signing = ['--key', keyPath, '--version', '1.0.0'];
  const flash = ['flash', path, path_('app.elf'), ...BOARD];
  t.like(await bench.json(...flash, ...signing), { kind: 'firmware', version: '1.0.0' });
  const v1 = await release(bench, '1.0.0', 'v1');
  const resets = (await bench.json('info', path)).statistics.resets;
  t.like(await bench.json('model', path, '--release', v1), { kind: 'model', version: '1.0.0' });
  t.like(await bench.json('selftest', path, '--release', v1), { passed: true, vectors: 32 });
  const golden = parseNpz(await readFile(`${v1}/golden.npz`), 'golden.npz', 1e8);
  await writeFile(path_('x.npy'), formatNpy(golden.get('input_mcu')!));
  await bench.json('infer', path, '--input', path_('x.npy'), '--output', path_('y.npy'));
  const outputs = parseNpy(await readFile(path_('y.npy')), 'y.npy').data;
  t.deepEqual(outputs, golden.get('expected_mcu')!.data);

  // A model whose release expects another one's outputs: refused by the device's own self-test.
  const bad = await release(bench, '2.0.0', 'v2', '--golden-reference', motor('v1/int8.tflite'));
  await bench.refused(
    'golden-mismatch',
    /golden vector \d+: \d of 4/,
    'model',
    path,
    '--release',
    bad,
  );
  const v2 = await release(bench, '2.0.1', 'v2', '--security-counter', '1');
  await bench.json('model', path, '--release', v2);
  await bench.refused('mcu-downgrade-refused', /security counter/, 'model', path, '--release', v1);
  const info = await bench.json('info', path);
  t.is(info.statistics.resets, resets, 'no model resets a device');
  t.like(
    info.models.slots.find(({ active }: { active?: boolean }) => active),
    {
      ...{ version: '2.0.1', confirmed: true, counter: 1 },
    },
  );
  const measured = await bench.json('bench', path, '--runs', '5', '--upload', '20000');
  t.true(measured.upload.goodputBytesPerSecond > 0 && measured.inference.medianUs > 0);
  t.regex((await bench.mcu('log', path)).out, /confirmed: slot \d/);
});

test('power goes in the middle of an upload: the job goes on; strangers and other boards are refused', async (t) => {
  const { device, bench, path } = await setUp(t);
  const { path_, keyPath } = bench;
  const flash = (version: string, ...more: string[]): string[] => [
    ...['flash', path, path_('app.elf'), '--key', keyPath, '--version', version],
    ...(more.length > 0 ? more : BOARD),
  ];
  await bench.json(...flash('1.0.0'));
  // Larger, so that the power goes while it is sent: what follows a program's end is not looked at.
  const padding = new Uint8Array(LARGE_BYTES - device.firmware.body.byteLength);
  await writeFile(path_('app.elf'), Buffer.concat([device.firmware.body, padding]));
  const cut = bench.start(...flash('2.0.0'));
  await cut.says(/^upload$/m);
  await device.powerOff();
  const ended = await cut.ended;
  t.is(ended.status, 9, ended.err);
  t.regex(ended.err, /to go on: dunlin mcu flash .*tty --resume\n/);
  t.regex(ended.err, /\[mcu-unreachable\]\n$/);
  await device.powerOn();
  t.is((await bench.json('info', path)).images[0].version, '1.0.0');
  t.like(await bench.json('flash', path, '--resume'), { kind: 'firmware', version: '2.0.0' });

  const stranger = generateKeyPairSync('ed25519').privateKey;
  await writeFile(path_('stranger.pem'), stranger.export({ format: 'pem', type: 'pkcs8' }));
  const strange = [path_('app.elf'), ...BOARD, '--key', path_('stranger.pem')];
  await bench.refused('mcu-signature-refused', /key/, 'flash', path, ...strange);
  const otherFirmware = Buffer.alloc(2000, 1);
  // A stack, and where it starts: behind the header in the primary slot.
  otherFirmware.writeUInt32LE(0x2000_4000, 0);
  otherFirmware.writeUInt32LE(0x2100_0301, 4);
  await writeFile(path_('app.bin'), otherFirmware);
  const other = [path_('app.bin'), '--board', 'mps2-an386', '--key', keyPath];
  await bench.refused('mcu-wrong-board', /is native/, 'flash', path, ...other);
  device.freeze(true);
  await bench.refused('mcu-silent', /no answer/, 'info', path, '--timeout-ms', '100');
  device.freeze(false);
  const info = await bench.json('info', path);
  t.like(info.images[0], { version: '2.0.0', active: true, confirmed: true });
});
