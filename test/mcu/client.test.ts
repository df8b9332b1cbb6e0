import test from 'ava';
import {
  echo,
  ImageGroup,
  ModelGroup,
  readBootloader,
  readInfo,
  readParameters,
} from '../../src/mcu/index.ts';
import { DeviceError } from '../fakes/smp-upload.ts';
import { bench, firmware, golden, hashOf, KEY, model } from './device.ts';

test('the OS group: echo, parameters, board, bootloader', async (t) => {
  const { client } = await bench({ bufferBytes: 640, bufferCount: 4, board: 'mps2-an386' });
  t.is(await echo(client, 'salt'), 'salt');
  t.deepEqual(await readParameters(client), { bufferBytes: 640, bufferCount: 4 });
  t.is(await readInfo(client, 'i'), 'mps2-an386');
  t.is((await readBootloader(client)).bootloader, 'MCUboot');
});

test('log lines and noise around answers do no harm', async (t) => {
  const { client, line } = await bench();
  line.toHost = (bytes) =>
    Buffer.concat([Buffer.from('[0] <inf> x\r\n\x06\x09zz'), bytes, Buffer.from('uart:~$ ')]);
  for (const text of ['a', 'b', 'c']) t.is(await echo(client, text), text);
});

test('a lost request and a lost answer are asked again, and answered once', async (t) => {
  const { client, line, device } = await bench();
  let lost = 0;
  line.toDevice = (bytes) => (lost++ === 0 ? new Uint8Array() : bytes);
  t.is(await echo(client, 'x'), 'x');
  lost = 0;
  line.toDevice = (bytes) => bytes;
  line.toHost = (bytes) => (lost++ === 0 ? new Uint8Array() : bytes);
  t.is(await echo(client, 'y'), 'y');
  t.is(device.log.length, 3);
});

test('an answer to another request, to another command, or twice, counts for nothing', async (t) => {
  const { client, line } = await bench();
  let old: Uint8Array = new Uint8Array();
  line.toHost = (bytes) => {
    const all = Buffer.concat([old, bytes, bytes]);
    old = bytes;
    return all;
  };
  for (let index = 0; index < 600; index++) t.is(await echo(client, `${index}`), `${index}`);
});

test('silence, noise alone, and a pulled cable have codes of their own', async (t) => {
  const { client, line, device } = await bench();
  device.silent = () => true;
  await t.throwsAsync(echo(client, 'x'), { code: 'mcu-silent' });
  device.silent = () => false;
  line.toHost = (bytes) => bytes.map((byte) => byte ^ 0x80);
  await t.throwsAsync(echo(client, 'x'), { code: 'mcu-garbled' });
  line.toHost = (bytes) => bytes;
  device.before = () => line.cut();
  await t.throwsAsync(echo(client, 'x'), { code: 'mcu-unreachable' });
  device.before = () => {};
  await t.throwsAsync(echo(client, 'x'), { code: 'mcu-unreachable' });
  await client.open();
  t.is(await echo(client, 'back'), 'back');
});

test('an abort ends waiting with its reason', async (t) => {
  const { client, device } = await bench();
  device.silent = () => true;
  const abort = new AbortController();
  const asked = echo(client, 'x', { signal: abort.signal });
  abort.abort(new Error('enough'));
  await t.throwsAsync(asked, { message: 'enough' });
});

test('errors of version 1, of version 2, and with a reason', async (t) => {
  const { client, device } = await bench({ unknown: ['0:8'] });
  await t.throwsAsync(readBootloader(client), { code: 'mcu-unsupported', message: /rc 8/ });
  device.before = () => {
    throw new DeviceError(30, 1);
  };
  await t.throwsAsync(new ImageGroup(client).readState(), {
    code: 'mcu-image-too-large',
    message: /group 1 error 30/,
  });
  device.before = () => {
    throw new DeviceError(99, 77);
  };
  await t.throwsAsync(new ImageGroup(client).readState(), { code: 'mcu-refused' });
});

test('a device that speaks version 1 alone is spoken to in version 1', async (t) => {
  const { client, device } = await bench();
  device.before = ({ version }) => {
    if (version > 0) throw new DeviceError(13);
  };
  t.is(await echo(client, 'x'), 'x');
  t.is(await echo(client, 'y'), 'y');
});

test('fields of wrong types are an error, not a surprise', async (t) => {
  const { client, device } = await bench();
  device.options satisfies object;
  Object.assign(device.options, { bufferCount: 'many' });
  await t.throwsAsync(readParameters(client), { code: 'mcu-garbled', message: /buf_count/ });
});

test('an image is uploaded, tested, run after a reset, and confirmed', async (t) => {
  const { client, device, clock } = await bench({ keys: [KEY.publicKey] });
  device.install(firmware(1));
  const images = new ImageGroup(client);
  const next = firmware(2);
  await images.upload(next);
  const [, uploaded] = await images.readState();
  t.deepEqual(Buffer.from(uploaded!.hash!), Buffer.from(hashOf(next)));
  t.true((await images.test(hashOf(next)))[1]!.pending);
  device.reset();
  await clock.sleep(1);
  t.is((await images.readState())[0]!.version, '2.0.0');
  t.true((await images.confirm(hashOf(next)))[0]!.confirmed);
  device.reset();
  t.is(device.running?.version.major, 2);
  t.deepEqual(
    (await images.readSlots())[0]!.slots.map(({ size }) => size),
    [65_536, 65_536],
  );
  await images.erase();
  t.is((await images.readState()).length, 1);
});

test('the model group: upload, test, self-test, confirm, infer, statistics, log', async (t) => {
  const { client } = await bench({ keys: [KEY.publicKey] });
  const models = new ModelGroup(client);
  const file = model(5);
  await models.upload(file);
  await t.throwsAsync(models.confirm(hashOf(file)), { code: 'mcu-refused', message: /self-test/ });
  const state = await models.test(hashOf(file));
  t.true(state.slots[0]!.pending);
  await t.throwsAsync(models.selfTest(golden(6)), {
    code: 'golden-mismatch',
    message: /vector 0: 40 of 40 bytes differ, by 1/,
  });
  await models.selfTest(golden(5));
  t.true((await models.confirm(hashOf(file))).slots[0]!.confirmed);
  const [{ input, output }] = golden(5) as [ReturnType<typeof golden>[number]];
  t.deepEqual(await models.infer(input), {
    output: Buffer.from(output),
    durationUs: 17,
    cycles: undefined,
  });
  await t.throwsAsync(models.infer(new Uint8Array(100)), { code: 'mcu-refused' });
  t.true((await models.readStatistics()).runs > 3);
  const { next, lines } = await models.readLog(0);
  t.deepEqual([next, lines[0]!.text], [1, 'started?']);
});

test('self-tests and inferences come through small buffers and losses', async (t) => {
  const { client, line } = await bench({ bufferBytes: 90 });
  const models = new ModelGroup(client);
  await models.upload(model(9, 600));
  await models.test(hashOf(model(9, 600)));
  let count = 0;
  line.toHost = (bytes) => (++count % 3 === 0 ? new Uint8Array() : bytes);
  await models.selfTest(golden(9));
  const [{ input, output }] = golden(9) as [ReturnType<typeof golden>[number]];
  t.deepEqual((await models.infer(input)).output, Buffer.from(output));
});

test('refusals of the model group have their codes', async (t) => {
  const { client, device } = await bench({ keys: [KEY.publicKey], slotBytes: 4000 });
  const models = new ModelGroup(client);
  device.models.counterFloor = 2;
  await t.throwsAsync(models.upload(model(1, 8000)), { code: 'mcu-image-too-large' });
  for (const [file, code] of [
    [model(1, 500, 1), 'mcu-downgrade-refused'],
    [model(0, 500, 2), 'mcu-image-refused'],
  ] as const) {
    await models.upload(file);
    await t.throwsAsync(models.test(hashOf(file)), { code });
  }
  const unsigned = model(3, 500, 2);
  unsigned[unsigned.byteLength - 1]! ^= 1;
  await models.upload(unsigned);
  await t.throwsAsync(models.test(hashOf(unsigned)), { code: 'mcu-signature-refused' });
});
