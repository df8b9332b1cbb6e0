import { generateKeyPairSync } from 'node:crypto';
import test from 'ava';
import { DeviceError } from '../fakes/smp-upload.ts';
import {
  firmware,
  KEY,
  keyFile,
  McuBench,
  MODEL_COMMANDS,
  mcuRelease,
  model,
} from './mcu-bench.ts';

const V1 = mcuRelease({ version: '1', key: 5 });
const V2 = mcuRelease({ version: '2', key: 6 });
const BAD = mcuRelease({ version: '3', key: 7, goldenKey: 8 });

test('v1, then v2: tried with its golden vectors, confirmed, committed by its inferences', async (t) => {
  const bench = await McuBench.open(t);
  bench.assign(V1);
  await bench.until('v1', () => bench.active() === '1 on probation');
  t.is(bench.runs(), 5);
  await bench.committed('1');
  bench.assign(V2);
  await bench.committed('2');
  t.is(bench.runs(), 6);
  t.is(bench.device().resets, 0, 'a model reboots nothing');
  const seen = bench.reporter.events.filter(({ model: of }) => of !== undefined);
  t.deepEqual(
    seen.map(({ name, model: of, microcontroller }) => [name, of?.version, microcontroller]),
    ['1', '2'].flatMap((version) =>
      ['update-started', 'update-activated', 'update-committed'].map((name) => [
        name,
        version,
        'left',
      ]),
    ),
  );
});

test('a model that fails its self-test is refused once; the one before runs on', async (t) => {
  const bench = await McuBench.open(t);
  bench.assign(V1);
  await bench.committed('1');
  bench.assign(BAD);
  const { state } = bench.keeper();
  t.is(state.release.update, null);
  await bench.until(
    'the refusal',
    () => bench.keeper().state.release.update?.phase === 'refused' && !bench.keeper().state.step,
  );
  t.like(bench.keeper().state.release.update, { version: '3', reason: 'golden-mismatch' });
  t.is(bench.active(), '1');
  t.is(bench.runs(), 5);
  t.is(bench.device().models.trialSlot, -1);
  const sent = bench.device().log.filter((name) => name === '64:1w').length;
  bench.assign(BAD);
  await bench.stop();
  await bench.start();
  bench.assign(BAD);
  await bench.until('a connection', () => bench.keeper().state.online);
  await bench.until('numbers', () => bench.keeper().state.statistics !== undefined);
  t.is(bench.device().log.filter((name) => name === '64:1w').length, sent, 'not tried again');
  t.is(bench.reporter.named('update-refused').length, 1);
  bench.assign(V2);
  await bench.committed('2');
});

test('firmware goes first, once, and is reset into; the model after it', async (t) => {
  const bench = await McuBench.open(t);
  bench.assign(mcuRelease({ version: '1', key: 5, firmware: firmware(2) }));
  await bench.committed('1');
  const { log } = bench.device();
  t.is(bench.firmwareOf(), '2');
  t.is(bench.device().resets, 1);
  t.true(log.indexOf('0:5w') > log.indexOf('1:1w'));
  t.true(log.indexOf('64:1w') > log.indexOf('0:5w'));
  const sent = log.filter((name) => name === '1:1w').length;
  bench.assign(mcuRelease({ version: '2', key: 6, firmware: firmware(2) }));
  await bench.committed('2');
  t.is(log.filter((name) => name === '1:1w').length, sent, 'what runs is not sent');
  t.is(bench.device().resets, 1);
});

test('a release whose model is refused takes its firmware back', async (t) => {
  const bench = await McuBench.open(t);
  bench.assign(mcuRelease({ version: '1', key: 5, firmware: firmware(2) }));
  await bench.committed('1');
  bench.assign(mcuRelease({ version: '3', key: 7, goldenKey: 8, firmware: firmware(3) }));
  await bench.until('the refusal', () => bench.reporter.named('update-refused').length > 0);
  await bench.until('all as before', () => bench.active() === '1');
  t.is(bench.firmwareOf(), '2');
  t.is(bench.runs(), 5);
});

test('firmware that does not come up is reverted, and refused', async (t) => {
  const bench = await McuBench.open(t);
  bench.assign(V1);
  await bench.committed('1');
  bench.device().firstBoot = 'crashes';
  bench.assign(mcuRelease({ version: '2', key: 6, firmware: firmware(2) }));
  await bench.until('the refusal', () => bench.reporter.named('update-refused').length > 0);
  t.is(bench.reporter.named('update-refused')[0]?.reason, 'mcu-reverted');
  await bench.until('v1', () => bench.active() === '1');
  t.is(bench.firmwareOf(), '1');
  t.is(bench.runs(), 5);
});

test('the model is the one for the engine that the device has', async (t) => {
  const bench = await McuBench.open(t);
  bench.device().models.engine = 'tflm';
  bench.assign(mcuRelease({ version: '1', key: 5, artifact: 'model.tflite' }));
  await bench.committed('1');
  t.is(bench.runs(), 5);
  t.is(bench.keeper().state.release.active?.path, 'tflm');
  bench.assign(V2);
  await bench.until('the refusal', () => bench.reporter.named('update-refused').length > 0);
  t.is(bench.reporter.named('update-refused')[0]?.reason, 'release-missing');
  t.is(bench.runs(), 5);
});

test('failures and resets on probation bring the release before back, out of its slot', async (t) => {
  for (const fault of ['failures', 'resets'] as const) {
    const bench = await McuBench.open(t);
    bench.assign(V1);
    await bench.committed('1');
    bench.assign(V2);
    await bench.until('v2', () => bench.active() === '2 on probation');
    await bench.until('a first look', () => bench.keeper().state.statistics?.trials === 0);
    const uploads = () => bench.device().log.filter((name) => name === '64:1w').length;
    const sent = uploads();
    let steps = 0;
    await bench.until('the rollback', () => {
      if (fault === 'failures') bench.infer('left', { bad: 1 });
      else if (++steps % 50 === 0) {
        const { statistics } = bench.device().models;
        Object.assign(statistics, { resets: statistics.resets + 1, cause: 'watchdog', runs: 0 });
      }
      return bench.reporter.named('update-rolled-back').length > 0;
    });
    await bench.until('v1', () => bench.active() === '1');
    t.is(bench.runs(), 5, fault);
    t.is(uploads(), sent, 'its slot held it');
    t.like(bench.keeper().state.release.update, {
      version: '2',
      phase: 'refused',
      reason: 'probation-failed',
    });
    t.is(bench.reporter.named('microcontroller-reset').length > 0, fault === 'resets');
    await bench.stop();
  }
});

test('a device that infers nothing ends its probation by time', async (t) => {
  const bench = await McuBench.open(t, { mcu: { probationMs: 60_000 } });
  bench.assign(V1);
  await bench.until('v1 committed', () => bench.active() === '1');
  t.is(bench.reporter.named('update-committed').length, 1);
});

test('an unplugged device: the state says so, and it is brought along when it is back', async (t) => {
  const bench = await McuBench.open(t);
  const line = bench.line();
  await bench.until('a connection', () => bench.keeper().state.online);
  line.refuseOpens = 20;
  line.cut();
  await bench.until('the loss', () => !bench.keeper().state.online);
  t.is(bench.keeper().state.reason, 'mcu-unreachable');
  t.is(bench.keeper().state.line.losses, 1);
  bench.assign(V1);
  await bench.committed('1');
  t.true(bench.keeper().state.online);
  t.is(bench.keeper().state.reason, undefined);
  t.is(bench.reporter.named('microcontroller-lost').length, 1, 'reported once');
  t.is(bench.reporter.named('microcontroller-connected').length, 2);
});

test('unplugged in the middle of a model, and of firmware', async (t) => {
  for (let cut = 1_000; cut < 12_000; cut += 1_500) {
    const bench = await McuBench.open(t);
    bench.assign(V1);
    await bench.committed('1');
    const line = bench.line();
    bench.device().cutsAtReset = true;
    line.cutAfterBytes = line.writtenBytes + cut;
    line.refuseOpens = 0;
    bench.assign(mcuRelease({ version: '2', key: 6, firmware: firmware(2) }));
    await bench.until('the cut', () => line.cutAfterBytes === Number.POSITIVE_INFINITY);
    line.refuseOpens = 30;
    await bench.committed('2');
    t.is(bench.runs(), 6, `${cut}`);
    t.is(bench.firmwareOf(), '2');
    await bench.stop();
  }
});

test('the wrong board is left alone; its replacement is brought along', async (t) => {
  const bench = await McuBench.open(t, { devices: { left: { board: 'nrf52840-dk' } } });
  await bench.until('the reason', () => bench.keeper().state.reason === 'mcu-wrong-board');
  bench.assign(V1);
  const looks = bench.line().opens;
  await bench.until('more looks', () => bench.line().opens > looks + 2);
  t.like(bench.keeper().state, { online: false, reason: 'mcu-wrong-board' });
  t.false(bench.device().log.some((name) => name.endsWith('w')));
  bench.exchange('left', {});
  await bench.committed('1');
});

test('a downgrade that the device refuses leaves the newer one running', async (t) => {
  const bench = await McuBench.open(t);
  bench.assign(mcuRelease({ version: '2', key: 6, file: model(6, 2000, 9) }));
  await bench.committed('2');
  bench.assign(V1);
  await bench.until('the refusal', () => bench.reporter.named('update-refused').length > 0);
  t.is(bench.reporter.named('update-refused')[0]?.reason, 'mcu-downgrade-refused');
  await bench.until('v2', () => bench.active() === '2');
  t.is(bench.runs(), 6);
});

test('a rollback that the device refuses is a fault, said once, and nothing flaps', async (t) => {
  const bench = await McuBench.open(t);
  bench.assign(V1);
  await bench.committed('1');
  const v2 = mcuRelease({ version: '2', key: 6, file: model(6, 2000, 9) });
  bench.assign(v2);
  await bench.until('v2', () => bench.active() === '2 on probation');
  await bench.until('the rollback', () => {
    bench.infer('left', { bad: 1 });
    return bench.reporter.named('update-rolled-back').length > 0;
  });
  await bench.until('the fault', () => bench.keeper().state.reason === 'mcu-downgrade-refused');
  t.is(bench.active(), 'none', 'what was rolled back is not said to be in service');
  t.is(bench.keeper().state.running?.model?.version, '6.0.0');
  bench.assign(v2);
  const before = bench.device().log.length;
  await bench.until('looks', () => bench.device().log.length > before + 40);
  t.is(bench.reporter.named('microcontroller-fault').length, 1);
  t.is(bench.reporter.named('update-started').length, 2);
});

test('what a key of ours did not sign is not even sent', async (t) => {
  const other = generateKeyPairSync('ed25519').publicKey;
  for (const [key, isOurs] of [
    [KEY.publicKey, true],
    [other, false],
  ] as const) {
    const signedBy = await keyFile(t, key.export({ type: 'spki', format: 'pem' }).toString());
    const bench = await McuBench.open(t, { signedBy });
    bench.assign(V1);
    if (isOurs) await bench.committed('1');
    else await bench.until('no', () => bench.reporter.named('update-refused').length > 0);
    t.is(
      bench.device().log.some((name) => name.endsWith('w')),
      isOurs,
    );
    await bench.stop();
  }
});

test('a device that was changed by others, or exchanged, is brought back', async (t) => {
  const bench = await McuBench.open(t);
  bench.assign(V1);
  await bench.committed('1');
  const { models } = bench.device();
  models.slots[models.confirmedSlot as 0 | 1] = undefined;
  models.confirmedSlot = -1;
  await bench.until('v1 again', () => bench.runs() === 5 && bench.active() === '1');
  t.is(bench.reporter.named('update-activated').length, 1, 'no update of its own');
});

test('a device with MCUboot and no model group gets firmware alone, and ends its probation by time', async (t) => {
  const bench = await McuBench.open(t, {
    devices: { left: { board: 'nrf52840dk', unknown: MODEL_COMMANDS } },
    device: { board: 'nrf52840-dk' },
    mcu: { probationMs: 60_000 },
  });
  const board = 'nrf52840-dk';
  bench.assign(mcuRelease({ version: '1', key: 5, firmware: firmware(2), board }));
  await bench.until('v1', () => bench.active() === '1');
  t.is(bench.firmwareOf(), '2');
  t.deepEqual(bench.device().models.slots, [undefined, undefined]);
  t.like(bench.keeper().state.running, { firmware: { version: '2.0.0' } });
});

test('an agent that stops in the middle goes on at its next start, without a broker', async (t) => {
  for (const step of ['upload', 'reset', 'self-test'] as const) {
    const bench = await McuBench.open(t);
    bench.assign(V1);
    await bench.committed('1');
    bench.assign(mcuRelease({ version: '2', key: 6, firmware: firmware(2) }));
    await bench.until(step, () => bench.keeper().state.step === step);
    await bench.stop();
    await bench.start();
    await bench.committed('2');
    t.is(bench.runs(), 6, step);
    t.is(bench.firmwareOf(), '2');
    await bench.stop();
  }
});

test('an assignment that goes back to what runs ends what was said about the other', async (t) => {
  const bench = await McuBench.open(t);
  bench.assign(V1);
  await bench.committed('1');
  const lost = mcuRelease({ version: '2', key: 6 });
  bench.assign({ ...lost, chunks: new Map() });
  await bench.until('the failure', () => bench.keeper().state.release.update?.phase === 'failed');
  t.is(bench.keeper().state.release.update?.reason, 'transfer-failed');
  bench.assign(V1);
  await bench.until('nothing said', () => bench.keeper().state.release.update === null);
});

test('passes of the updater that bring nothing new do not shorten the pauses between tries', async (t) => {
  const bench = await McuBench.open(t);
  let tries = 0;
  bench.device().before = ({ group, id }) => {
    if (group !== 64 || id !== 1) return;
    tries += 1;
    throw new DeviceError(8);
  };
  const startedMs = bench.clock.monotonicMs();
  bench.assign(V1);
  let told = 0;
  await bench.until('six tries', () => {
    if (tries > told && bench.keeper().state.release.update?.phase === 'failed') {
      told = tries;
      bench.assign(V1);
    }
    return tries >= 6;
  });
  t.true(bench.clock.monotonicMs() - startedMs >= 31_000);
});
