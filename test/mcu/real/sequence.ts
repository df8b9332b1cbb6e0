import test from 'ava';
import { systemClock } from '../../../src/core/index.ts';
import { type FlashOptions, readInfo, reset, SmpFlasher } from '../../../src/mcu/index.ts';
import { coin } from '../device.ts';
import type { RealBoard } from './devices.ts';
import { type Gateway, gateway, jobOf, motorModel, STRANGER, until } from './gateway.ts';

const MIB = 1024 * 1024;
/** What a model-only update may send of the plan's bytes, before framing: lines carry 93 bytes in 127. */
const MAX_OVERHEAD = 1.05;
const FRAMING_SHARE = 93 / 127;

const OTHER: Record<RealBoard, RealBoard> = { native: 'mps2-an386', 'mps2-an386': 'native' };

/** Powers the device when so much of an upload is there. */
const at = (share: number, act: () => unknown): FlashOptions => {
  let isDone = false;
  return {
    onProgress: ({ step, doneBytes, totalBytes }) => {
      if (isDone || step !== 'upload' || doneBytes < share * totalBytes) return;
      isDone = true;
      act();
    },
  };
};

async function running(gate: Gateway) {
  const images = await gate.images.readState();
  const { slots } = await gate.models.readState();
  const active = slots.find((slot) => slot.active === true);
  return {
    firmware: images.find((image) => image.active === true)?.version,
    isConfirmed: images.find((image) => image.active === true)?.confirmed,
    model: active?.version,
    isModelConfirmed: active?.confirmed,
  };
}

/** Firmware 1.0.0 and the motor's first model. */
async function installed(board: RealBoard): Promise<Gateway> {
  const gate = await gateway(board);
  await gate.device.powerOn();
  await gate.flasher.flash(gate.firmwareJob('1.0.0', { counter: 1 }));
  const { file, golden } = motorModel('v1', { counter: 1 });
  await gate.flasher.flash(jobOf('model', board, file, golden));
  return gate;
}
const V1 = { firmware: '1.0.0', isConfirmed: true, model: '1.0.0', isModelConfirmed: true };

/** The same for every board of ours: bootloader, real signatures, flash that outlives the power. */
export function testBoard(board: RealBoard): void {
  test(`${board}: erased flash takes firmware; models come and go without a reset`, async (t) => {
    const gate = await gateway(board);
    t.teardown(() => gate.dispose());
    await gate.device.powerOn();
    await gate.client.open();
    t.is(await readInfo(gate.client, 'i'), board);
    t.deepEqual(await gate.images.readState(), []);
    await gate.flasher.flash(gate.firmwareJob('1.0.0'));
    t.like(await running(gate), { firmware: '1.0.0', isConfirmed: true, model: undefined });

    const before = await gate.models.readStatistics();
    for (const version of ['v1', 'v2'] as const) {
      const { file, plan, golden } = motorModel(version);
      const sentBytes = await sentBy(gate, () => gate.models.upload(file));
      t.true(sentBytes * FRAMING_SHARE <= MAX_OVERHEAD * plan.byteLength, `${sentBytes}`);
      await gate.flasher.flash(jobOf('model', board, file, golden));
      for (const { input, output } of golden) {
        const inference = await gate.models.infer(input);
        t.deepEqual(Buffer.from(inference.output), Buffer.from(output));
      }
    }
    const { file, golden } = motorModel('v1');
    const bad = golden.map(({ input, output }) => ({ input, output: output.map((b) => b ^ 1) }));
    await t.throwsAsync(gate.flasher.flash(jobOf('model', board, file, bad)), {
      code: 'golden-mismatch',
    });
    t.like(await running(gate), { model: '2.0.0', isModelConfirmed: true });
    const after = await gate.models.readStatistics();
    t.is(after.resets, before.resets);
    t.like(after, { failures: 0, reverts: 1, trials: 3, lines: 0 });
    t.true(after.runs > before.runs);

    await reset(gate.client);
    await gate.flasher.flash(gate.firmwareJob('1.1.0'));
    t.deepEqual(await running(gate), { ...V1, firmware: '1.1.0', model: '2.0.0' });
    const { lines } = await gate.models.readLog(0);
    t.true(lines.some(({ text }) => text.includes('model of slot')));
  });

  test(`${board}: power cut in an upload of firmware and of a model: finished after the return`, async (t) => {
    const gate = await installed(board);
    t.teardown(() => gate.dispose());
    const next = motorModel('v2', { counter: 1 });
    const jobs = [
      gate.firmwareJob('2.0.0', { counter: 1 }),
      jobOf('model', board, next.file, next.golden),
    ];
    for (const job of jobs) {
      const cut = gate.flasher.flash(
        job,
        at(0.5, () => void gate.device.powerOff()),
      );
      await t.throwsAsync(cut, { code: 'mcu-unreachable' });
      await gate.device.powerOn();
      t.not(await gate.flasher.resume(), undefined);
    }
    t.deepEqual(await running(gate), { ...V1, firmware: '2.0.0', model: '2.0.0' });
  });

  test(`${board}: what is on trial when the power goes does not come back`, async (t) => {
    const gate = await installed(board);
    t.teardown(() => gate.dispose());
    const { file } = motorModel('v2', { counter: 1 });
    const { hashHex } = await storeModel(gate, file);
    await gate.models.test(Buffer.from(hashHex, 'hex'));
    t.like(await running(gate), { model: '2.0.0', isModelConfirmed: false });
    await restart(gate);
    t.deepEqual(await running(gate), V1);

    const job = gate.firmwareJob('2.0.0', { counter: 1 });
    await gate.images.upload(job.file);
    const [, stored] = await gate.images.readState();
    await gate.images.test(stored!.hash!);
    await restart(gate);
    t.like(await running(gate), { firmware: '2.0.0', isConfirmed: false });
    await restart(gate);
    t.deepEqual(await running(gate), V1);
  });

  test(`${board}: every refusal has its code, and leaves what ran`, async (t) => {
    const gate = await installed(board);
    t.teardown(() => gate.dispose());
    const { file, golden } = motorModel('v2');
    const strange = motorModel('v2', { counter: 1, key: STRANGER });
    const huge = new Uint8Array(MIB);
    const broken = motorModel('v2', { counter: 1 }).file.slice();
    const refused = [
      [jobOf('model', board, strange.file, golden), 'mcu-signature-refused'],
      [gate.firmwareJob('2.0.0', { counter: 1, key: STRANGER }), 'mcu-signature-refused'],
      [jobOf('model', board, file, golden), 'mcu-downgrade-refused'],
      [gate.firmwareJob('2.0.0'), 'mcu-downgrade-refused'],
      [{ ...gate.firmwareJob('2.0.0'), boards: [OTHER[board]] }, 'mcu-wrong-board'],
      [jobOf('model', board, broken.subarray(0, broken.length / 2), golden), 'image-malformed'],
      [jobOf('model', board, huge, golden), 'image-malformed'],
    ] as const;
    for (const [job, code] of refused) {
      await t.throwsAsync(gate.flasher.flash(job), { code });
      t.deepEqual(await running(gate), V1, code);
      t.is(await gate.flasher.resume(), undefined);
    }
    await restart(gate);
    t.deepEqual(await running(gate), V1);
  });

  test(`${board}: garbage on the line, a device that is silent, one that is gone`, async (t) => {
    const gate = await installed(board);
    t.teardown(() => gate.dispose());
    const random = coin(1);
    const noise = Uint8Array.from({ length: 20_000 }, () => random() * 256);
    const marked = Buffer.concat([Buffer.of(6, 9), Buffer.from('AAAA\n'), Buffer.of(4, 20)]);
    for (const garbage of [noise, marked, Buffer.alloc(5_000, 'A'), Buffer.of(6, 9, 6, 9)]) {
      await gate.device.line.write(garbage);
      await gate.device.line.write(Buffer.from('\n'));
      t.deepEqual(await running(gate), V1);
    }
    t.true((await gate.models.readStatistics()).lines > 0);

    gate.device.freeze(true);
    const impatient = new SmpFlasher({ ...gate.flasherOptions, returnTimeoutMs: 1 });
    await t.throwsAsync(impatient.identify(), { code: 'mcu-silent' });
    gate.device.freeze(false);
    await gate.client.close();
    await gate.client.open();
    t.deepEqual(await until(() => running(gate)), V1);

    await gate.device.powerOff();
    await t.throwsAsync(gate.flasher.flash(gate.firmwareJob('2.0.0')), { code: 'mcu-unreachable' });
    await gate.device.powerOn();
    await gate.client.close();
    await gate.client.open();
    t.deepEqual(await running(gate), V1);
  });
}

/** Bytes on the line to the device. */
async function sentBy({ device }: Gateway, act: () => Promise<unknown>): Promise<number> {
  const { line } = device;
  const write = line.write.bind(line);
  let sentBytes = 0;
  line.write = (bytes) => {
    sentBytes += bytes.byteLength;
    return write(bytes);
  };
  await act();
  line.write = write;
  return sentBytes;
}

async function storeModel(gate: Gateway, file: Uint8Array): Promise<{ readonly hashHex: string }> {
  await gate.models.upload(file);
  const { slots } = await gate.models.readState();
  const stored = slots.find((slot) => slot.hash !== undefined && slot.active !== true);
  return { hashHex: Buffer.from(stored!.hash!).toString('hex') };
}

async function restart(gate: Gateway): Promise<void> {
  await gate.device.powerOff();
  await gate.device.powerOn();
  await gate.client.close();
  const deadlineMs = systemClock.monotonicMs() + 10_000;
  for (;;) {
    try {
      return await gate.client.open();
    } catch (error) {
      if (systemClock.monotonicMs() > deadlineMs) throw error;
    }
  }
}
