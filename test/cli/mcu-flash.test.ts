import { readdir, readFile, writeFile } from 'node:fs/promises';
import test from 'ava';
import { mcuCommand } from '../../src/cli/mcu/mcu.ts';
import { openContainer } from '../../src/mcu/index.ts';
import { firmware, hashOf, KEY } from '../mcu/device.ts';
import { cortexCode, hexFile } from '../mcu/image-files.ts';
import { run } from '../release/run-command.ts';
import { mcuBench } from './mcu-command.ts';

const BOARD = ['--board', 'native'];
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

test('firmware: sent, tested, reset, confirmed, and nothing is sent twice', async (t) => {
  const bench = await mcuBench(t);
  const { device, path, path_ } = bench;
  device.install(firmware(1));
  const next = firmware(2, 20_000);
  await writeFile(path_('next.bin'), next);
  const report = await bench.json('flash', path, path_('next.bin'), ...BOARD);
  t.like(report, { port: path, kind: 'firmware', version: '2.0.0', hashHex: hex(hashOf(next)) });
  t.true(report.bytesPerSecond > 0 && report.durationMs > 0);
  t.is(device.running?.version.major, 2);
  t.true(device.slots[0]!.confirmed);
  t.is(device.resets, 1);

  const before = bench.receivedBytes();
  const again = await bench.mcu('flash', path, path_('next.bin'), ...BOARD);
  t.is(again.status, 0, again.err);
  t.regex(again.out, /firmware 2\.0\.0 confirmed in .* the device had it already\n[0-9a-f]{64}\n$/);
  t.true(bench.receivedBytes() - before < 2_000);
  t.is(device.resets, 1);
  const resumed = await bench.mcu('flash', path, '--resume');
  t.is(resumed.status, 0);
  t.regex(resumed.out, /nothing to resume/);
});

test('what a linker left is signed on the way, for the board that it is for', async (t) => {
  const bench = await mcuBench(t, { board: 'nrf52840dk', slotBytes: 0x76000 });
  const { device, path, path_, keyPath } = bench;
  const code = cortexCode(0xc200, new Uint8Array(5_000).fill(0x5a));
  await writeFile(path_('app.hex'), hexFile([{ address: 0xc200, bytes: code }], 32));
  const board = ['--board', 'nrf52840-dk'];
  await bench.refusedEarly(
    'untrusted-signature',
    /app\.hex: not signed.*--key/,
    ...['flash', path, path_('app.hex'), ...board],
  );
  const signing = ['--key', keyPath, '--version', '1.4.2', '--security-counter', '3'];
  const ended = await bench.mcu('flash', path, path_('app.hex'), ...board, ...signing);
  t.is(ended.status, 0, ended.err);
  t.regex(ended.err, /^upload\ntest\nreset\nconfirm\n$/m);
  t.like(device.running, { version: { major: 1, minor: 4, revision: 2, build: 0 } });
  t.is(device.running?.securityCounter, 3);
  t.deepEqual(Buffer.from(device.running!.body), Buffer.from(code));
});

test('a device that is not the board, a slot that is too small: nothing is erased', async (t) => {
  const bench = await mcuBench(t, { slotBytes: 8_192 });
  const { device, path, path_ } = bench;
  device.install(firmware(1));
  await writeFile(path_('next.bin'), firmware(2));
  await writeFile(path_('large.bin'), firmware(2, 9_000));
  const flash = ['flash', path, path_('next.bin')];
  await bench.refused(
    'mcu-wrong-board',
    /the device is native, the file is for nrf52840dk/,
    ...flash,
    ...['--board', 'nrf52840-dk'],
  );
  await bench.refused('mcu-image-too-large', /8192/, 'flash', path, path_('large.bin'), ...BOARD);
  t.false(device.log.some((name) => name.endsWith('w') && !name.startsWith('0:')));
  t.is(device.running?.version.major, 1);
  await bench.refusedEarly('usage', /--board/, ...flash);
  await bench.refusedEarly('usage', /no profile|no such board/, ...flash, '--board', 'teensy');
  await bench.refusedEarly('usage', /section smp/, ...flash, '--board', 'rp2040-pico');
  await bench.refusedEarly('usage', /leave it out/, ...flash, '--resume');
  await bench.refusedEarly('usage', /name a file/, 'flash', path, ...BOARD);
  await bench.refusedEarly('file-missing', /no such file/, 'flash', path, path_('none'), ...BOARD);
});

test('firmware that does not start is taken back, and one of another fleet never started', async (t) => {
  const bench = await mcuBench(t);
  const { device, path, path_ } = bench;
  device.install(firmware(1));
  device.firstBoot = 'crashes';
  await writeFile(path_('next.bin'), firmware(2));
  await bench.refused(
    'mcu-reverted',
    /2\.0\.0 not installed/,
    'flash',
    path,
    path_('next.bin'),
    ...BOARD,
  );
  t.is(device.running?.version.major, 1);
  t.true(device.slots[0]!.confirmed);
  const container = await readFile(path_('next.bin'));
  container[600]! ^= 1;
  await writeFile(path_('broken.bin'), container);
  await bench.refusedEarly(
    'digest-mismatch',
    /SHA-256/,
    'flash',
    path,
    path_('broken.bin'),
    ...BOARD,
  );
  await writeFile(path_('cut.bin'), container.subarray(0, 1000));
  await bench.refusedEarly(
    'image-malformed',
    /cut short/,
    'flash',
    path,
    path_('cut.bin'),
    ...BOARD,
  );
});

test('a job that was killed or interrupted is finished by --resume, from where the device is', async (t) => {
  const bench = await mcuBench(t);
  const { device, path, path_ } = bench;
  device.install(firmware(1));
  const next = firmware(2, 40_000);
  await writeFile(path_('next.bin'), next);
  for (const signal of ['SIGKILL', 'SIGINT'] as const) {
    const command = bench.start('flash', path, path_('next.bin'), ...BOARD);
    const half = bench.receivedBytes() + (signal === 'SIGKILL' ? 12_000 : 3_000);
    bench.onReceived = (count) => {
      if (count < half) return;
      // Once: a second signal ends a process that is still tidying up.
      bench.onReceived = () => {};
      // The rest of what is under way is lost with the process.
      bench.isDeaf = true;
      command.kill(signal);
    };
    const ended = await command.ended;
    bench.onReceived = () => {};
    bench.isDeaf = false;
    t.is(ended.status, signal === 'SIGINT' ? 130 : null, ended.err);
    if (signal === 'SIGINT') t.regex(ended.err, /to go on: dunlin mcu flash .* --resume/);
    t.is(device.running?.version.major, 1);
  }
  const [name] = await readdir(path_('state/dunlin/mcu'));
  t.regex(name!, /^_dev_pts_\d+-[0-9a-f]{12}$/);
  const before = bench.receivedBytes();
  const report = await bench.json('flash', path, '--resume');
  t.like(report, { kind: 'firmware', version: '2.0.0', hashHex: hex(hashOf(next)) });
  // The wire carries a third more than the file has; what came before the kills is not sent again.
  t.true(bench.receivedBytes() - before < (next.byteLength - 8_000) * 1.5);
  t.is(device.running?.version.major, 2);
  t.true(device.slots[0]!.confirmed);
});

test('a silent device, a line without one, a line that somebody has', async (t) => {
  const bench = await mcuBench(t);
  const { path, path_ } = bench;
  await writeFile(path_('next.bin'), firmware(2));
  bench.isDeaf = true;
  const flash = ['flash', path, path_('next.bin'), ...BOARD, '--timeout-ms', '50'];
  await bench.refused('mcu-silent', /no answer/, ...flash);
  const other = bench.start('log', path, '--follow', '--timeout-ms', '60000');
  const asked = new Promise<void>((resolve) => {
    bench.onReceived = () => resolve();
  });
  await asked;
  await bench.refused('mcu-busy', /in use by dunlin mcu \(process \d+\)/, ...flash);
  other.kill('SIGTERM');
  t.is((await other.ended).status, 0);
  // Not its own path after a close: the next pty of another test may have the same.
  const gone = ['flash', path_('unplugged'), ...flash.slice(2)];
  await bench.refused('mcu-unreachable', /no such serial device/, ...gone);
  await bench.refused('mcu-unreachable', /no such serial device/, 'info', 'no-such-name');
  await bench.refusedEarly('usage', /--baud/, 'info', path, '--baud', 'fast');
});

test('containers are made without a device, as the device takes them', async (t) => {
  const bench = await mcuBench(t);
  const { path_, keyPath } = bench;
  await writeFile(path_('app.bin'), cortexCode(0x2100_0200, new Uint8Array(1000).fill(7)));
  const sign = ['sign', path_('app.bin'), '-o', path_('out.bin'), '--key', keyPath];
  const firmware_ = ['--kind', 'firmware', '--board', 'mps2-an386', '--version', '3.2.1'];
  const { out } = await run(mcuCommand, [...sign, ...firmware_, '--json']);
  const report = JSON.parse(out);
  const bytes = await readFile(path_('out.bin'));
  const image = openContainer(bytes, 'out.bin', 'firmware', [KEY.publicKey]);
  t.like(report, { kind: 'firmware', version: '3.2.1', securityCounter: 0 });
  t.is(report.hashHex, hex(image.hash));
  t.is(report.sizeBytes, bytes.byteLength);
  t.is(image.headerBytes, 0x200);
  t.regex((await run(mcuCommand, [...sign, '--kind', 'model'])).out, /out\.bin: model 0\.0\.0/);
  openContainer(await readFile(path_('out.bin')), 'out.bin', 'model', [KEY.publicKey]);
  await bench.refusedEarly('usage', /--key/, ...sign.slice(0, 4), '--kind', 'model');
  const odd = ['--kind', 'firmware', '--header-bytes', '33'];
  await bench.refusedEarly('usage', /multiple of 4/, ...sign, ...odd);
  const version = ['--kind', 'model', '--version', 'one'];
  await bench.refusedEarly('input-invalid', /version/, ...sign, ...version);
});

test('help teaches with examples', async (t) => {
  const commands = ['list', 'info', 'flash', 'model', 'infer', 'selftest', 'log', 'bench', 'sign'];
  for (const args of [[], ...commands.map((name) => [name])]) {
    const { out } = await run(mcuCommand, [...args, '--help']);
    t.regex(out, /Examples:\n {2}dunlin mcu /, args.join());
  }
});
