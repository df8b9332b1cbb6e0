import test from 'ava';
import { firmware, hashOf, model } from '../mcu/device.ts';
import { mcuBench } from './mcu-command.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

test('who a device is, what its slots hold, how it fares', async (t) => {
  const bench = await mcuBench(t);
  const { device, path } = bench;
  device.install(firmware(3));
  device.models.slots[1] = model(5);
  device.models.confirmedSlot = 1;
  const info = await bench.json('info', path);
  t.like(info, { port: path, board: 'native', bootloader: 'MCUboot' });
  t.deepEqual(info.parameters, { bufferBytes: 512, bufferCount: 1 });
  t.like(info.images[0], {
    slot: 0,
    version: '3.0.0',
    hash: hex(hashOf(firmware(3))),
    active: true,
  });
  t.like(info.models, { engine: 'dunlin', in: 40, out: 40 });
  t.like(info.models.slots[1], { version: '5.0.0', hash: hex(hashOf(model(5))), confirmed: true });
  t.like(info.statistics, { resets: 2, runs: 3 });
  const { out } = await bench.mcu('info', path);
  t.regex(out, /board +native\n/);
  t.regex(out, /slot 0 +3\.0\.0 +[0-9a-f]{16} +active, confirmed, bootable\n/);
  t.regex(out, /slot 1 +5\.0\.0 +[0-9a-f]{16} +active, confirmed .*65,536 bytes\n/);
  t.regex(out, /inferences +3, 0 of them failed\n/);
});

test('a device of another firmware tells what it knows', async (t) => {
  const unknown = ['64:0', '64:4', '64:6', '0:8', '1:6'];
  const bench = await mcuBench(t, { unknown, board: 'nrf52840dk' });
  bench.device.install(firmware(1));
  const { path } = bench;
  const info = await bench.json('info', path);
  t.like(info, {
    board: 'nrf52840dk',
    bootloader: null,
    slots: null,
    models: null,
    statistics: null,
  });
  const listed = await bench.json('list', path, '/dev/null', bench.path_('nothing'));
  t.deepEqual(listed.devices[0], {
    ...{ port: path, answers: true, board: 'nrf52840dk' },
    ...{ bootloader: null, firmware: '1.0.0', model: null },
  });
  t.like(listed.devices[1], { port: '/dev/null', answers: false, reason: 'mcu-unreachable' });
  t.like(listed.devices[2], { answers: false, reason: 'mcu-unreachable' });
  const { out } = await bench.mcu('list', path, '/dev/null');
  t.regex(out, /nrf52840dk +- +1\.0\.0 +-\n\/dev\/null +no answer \[mcu-unreachable\]\n$/);
  t.is((await bench.mcu('list', '--no-ask', 'a', 'b')).out, 'a\nb\n');
  await bench.refused('mcu-unsupported', /unknown command/, 'log', path);
});

test('what a device has logged, once and for as long as somebody looks', async (t) => {
  const bench = await mcuBench(t);
  const { device, path } = bench;
  const ended = await bench.mcu('log', path);
  t.is(ended.out, '     0.012 info  started?\n', 'no control characters');
  const following = bench.start('log', path, '--follow', '--json', '--timeout-ms', '300');
  await following.says(/"text":"started\?"/);
  // A reset starts the numbers anew.
  device.models.logLines.length = 0;
  await following.says(/note: the device was reset/);
  bench.isDeaf = true;
  await following.says(/no answer to log.*waiting for it/);
  bench.isDeaf = false;
  for (const n of [0, 1]) {
    device.models.logLines.push({ n, ms: 12, level: 2, text: 'started\u0007' });
  }
  await following.says(/"number":1,/);
  following.kill('SIGINT');
  const { status, out, err } = await following.ended;
  t.is(status, 0, err);
  t.deepEqual(JSON.parse(out.split('\n')[0]!), {
    ...{ number: 0, uptimeMs: 12, level: 'info', text: 'started?' },
  });
});

test('how fast it is: round trips, inferences, and an upload that is asked for', async (t) => {
  const bench = await mcuBench(t);
  const { device, path } = bench;
  const bare = await bench.json('bench', path, '--runs', '3');
  t.like(bare, { lineBytesPerSecond: 11_520, inference: null, upload: null });
  t.is(bare.roundTrip.count, 3);
  t.true(bare.roundTrip.medianUs > 0 && bare.roundTrip.maxUs >= bare.roundTrip.medianUs);

  device.models.slots[0] = model(2);
  device.models.slots[1] = model(1);
  device.models.confirmedSlot = 0;
  const ended = await bench.mcu(
    'bench',
    path,
    '--runs',
    '3',
    '--upload',
    '5000',
    '--baud',
    '1000000',
  );
  t.is(ended.status, 0, ended.err);
  t.regex(ended.out, /inference: 17 µs on the device, .* from here; engine dunlin\n/);
  t.regex(ended.out, /upload: 5,\d{3} bytes in .* bytes\/s, \d+ % of the line\n/);
  t.true(device.models.slots[1] === undefined, 'erased again');
  t.is(device.models.confirmedSlot, 0);
});
