import test from 'ava';
import { silentLogger } from '../../src/core/index.ts';
import {
  type FlashJob,
  FlashJournal,
  type FlashProgress,
  SmpClient,
  SmpFlasher,
} from '../../src/mcu/index.ts';
import { CrashFiles, PowerCut, SURVIVALS } from '../fakes/crash-files.ts';
import { EagerClock } from '../fakes/eager-clock.ts';
import { MemoryLine } from '../fakes/memory-line.ts';
import { SmpDevice } from '../fakes/smp-device.ts';
import { DeviceError, type SmpDeviceOptions } from '../fakes/smp-upload.ts';
import { firmware, golden, hashOf, KEY, model } from './device.ts';

const DIR = '/state/mcu-line';

async function disk(): Promise<CrashFiles> {
  const files = new CrashFiles();
  await files.makeDirectory('/state');
  await files.syncDirectory('/');
  return files;
}

/** A gateway with one device; `restart` is the same disk, or what a power cut left of it, and a new process. */
async function gateway(options: SmpDeviceOptions = {}) {
  const clock = new EagerClock();
  const line = new MemoryLine(clock);
  const device = new SmpDevice(line, { keys: [KEY.publicKey], ...options }).install(firmware(1));
  const files = await disk();
  const start = (storage: CrashFiles) => {
    const client = new SmpClient({ line, clock, logger: silentLogger, timeoutMs: 500 });
    const common = { client, files: storage, clock, logger: silentLogger };
    const flasher = new SmpFlasher({ ...common, journalDir: DIR, keys: [KEY.publicKey] });
    return { client, flasher };
  };
  return { clock, line, device, files, start, ...start(files) };
}

const job = (file: Uint8Array, kind: FlashJob['kind'] = 'firmware', key = 0): FlashJob => ({
  kind,
  boards: ['native'],
  file,
  golden: key === 0 ? [] : golden(key),
});
const modelJob = (key: number, file = model(key)): FlashJob => job(file, 'model', key);
const runs = (device: SmpDevice): string =>
  `${device.running?.version.major}${device.slots[0]!.confirmed ? '' : ' on trial'}`;

test('firmware: sent, tested, reset, confirmed; progress with rate and time left', async (t) => {
  const { flasher, device, files } = await gateway();
  const seen: FlashProgress[] = [];
  const result = await flasher.flash(job(firmware(2, 9000)), { onProgress: (p) => seen.push(p) });
  t.deepEqual(result, {
    kind: 'firmware',
    version: '2.0.0',
    hashHex: Buffer.from(hashOf(firmware(2, 9000))).toString('hex'),
  });
  t.is(runs(device), '2');
  const steps = [...new Set(seen.map(({ step }) => step))];
  t.deepEqual(steps, ['upload', 'test', 'reset', 'confirm', 'done']);
  t.deepEqual(await files.list(DIR), ['journal.json']);
  t.is(await flasher.resume(), undefined);
});

test('a model: sent, tested with its golden vectors, confirmed; nothing reboots', async (t) => {
  const { flasher, device } = await gateway();
  await flasher.flash(modelJob(5));
  await flasher.flash(modelJob(6));
  t.is(device.resets, 0);
  t.deepEqual(
    Buffer.from(device.models.slots[device.models.confirmedSlot]!),
    Buffer.from(model(6)),
  );
  t.is(device.models.trialSlot, -1);
});

test('what is confirmed already is not sent again', async (t) => {
  const { flasher, device } = await gateway();
  await flasher.flash(job(firmware(1)));
  t.is(device.resets, 0);
  t.false(device.log.includes('1:1w'));
});

test('nothing is sent to another board, to one that does not say, and nothing that is too large', async (t) => {
  for (const [options, file, code] of [
    [{ board: 'mps2-an386' }, firmware(2), 'mcu-wrong-board'],
    [{ unknown: ['64:0', '0:7'] }, firmware(2), 'mcu-wrong-board'],
    [{ slotBytes: 2000 }, firmware(2), 'mcu-image-too-large'],
    [{}, firmware(2).subarray(0, 900), 'image-malformed'],
    [
      {},
      Buffer.concat([firmware(2).subarray(0, 600), firmware(3).subarray(600)]),
      'digest-mismatch',
    ],
  ] as const) {
    const { flasher, device, files } = await gateway(options);
    await t.throwsAsync(flasher.flash(job(file)), { code });
    t.false(
      device.log.some((name) => name.endsWith('w')),
      code,
    );
    t.deepEqual(await files.list(DIR), []);
  }
});

test('a model that fails its self-test is withdrawn: the one before runs', async (t) => {
  const { flasher, device } = await gateway();
  await flasher.flash(modelJob(5));
  await t.throwsAsync(flasher.flash({ ...modelJob(6), golden: golden(7) }), {
    code: 'golden-mismatch',
    message: /memory: 6\.0\.0 not installed: golden vector 0/,
  });
  t.is(device.models.trialSlot, -1);
  t.is(device.models.slots[device.models.activeSlot]![32], 5);
  t.is(await flasher.resume(), undefined);
  await t.throwsAsync(flasher.flash(job(model(8), 'model')), { code: 'input-invalid' });
});

test('what the device refuses for good is over, with the code of the refusal', async (t) => {
  const { flasher, device } = await gateway();
  await flasher.flash(modelJob(5, model(5, 2000, 4)));
  for (const [file, code] of [
    [model(6, 2000, 3), 'mcu-downgrade-refused'],
    [model(0, 2000, 4), 'mcu-image-refused'],
  ] as const) {
    await t.throwsAsync(flasher.flash(modelJob(1, file)), { code });
    t.is(device.models.slots[device.models.activeSlot]![32], 5);
  }
});

test('firmware that crashes is reverted by the bootloader, tried again, and given up', async (t) => {
  const { flasher, device } = await gateway();
  device.firstBoot = 'crashes';
  await t.throwsAsync(flasher.flash(job(firmware(2))), { code: 'mcu-reverted' });
  t.is(runs(device), '1');
});

test('firmware that the bootloader throws out is given up at once', async (t) => {
  const { flasher, device } = await gateway();
  device.install(firmware(1, 3000, 9));
  await t.throwsAsync(flasher.flash(job(firmware(2, 3000, 5))), { code: 'mcu-reverted' });
  t.is(runs(device), '1');
  t.is(device.resets, 1);
});

test('firmware whose golden vectors differ goes back', async (t) => {
  const { flasher, device } = await gateway();
  await flasher.flash(modelJob(5));
  device.models.isFaulty = true;
  await t.throwsAsync(flasher.flash({ ...job(firmware(2)), golden: golden(5) }), {
    code: 'golden-mismatch',
  });
  t.is(runs(device), '1');
  device.models.isFaulty = false;
  await flasher.flash({ ...job(firmware(3)), golden: golden(5) });
  t.is(runs(device), '3');
});

test('a line that is cut at any place, and a device that drops it at resets, are met again', async (t) => {
  for (let cut = 500; cut < 16_000; cut += 1_500) {
    const { flasher, device, line } = await gateway({ bufferCount: 4 });
    device.cutsAtReset = true;
    line.cutAfterBytes = cut;
    line.refuseOpens = 0;
    await flasher.flash(job(firmware(2, 9000)));
    t.is(runs(device), '2', `${cut}`);
  }
});

test('a line that stays away leaves the job to resume', async (t) => {
  const { flasher, device, line, start, files } = await gateway();
  line.cutAfterBytes = 6_000;
  const flashed = flasher.flash(job(firmware(2, 9000)), {
    onProgress: () => {
      line.refuseOpens = 9;
    },
  });
  await t.throwsAsync(flashed, { code: 'mcu-unreachable' });
  t.is(runs(device), '1');
  line.refuseOpens = 0;
  t.is((await start(files).flasher.resume())?.version, '2.0.0');
  t.is(runs(device), '2');
});

test('a device may be away after a reset as long as it may take, and longer leaves the job to resume', async (t) => {
  const { flasher, device, line, clock, start, files } = await gateway();
  device.cutsAtReset = true;
  const awayFor = (tries: number) => ({
    onProgress: ({ step }: FlashProgress): void => {
      if (step === 'reset') line.refuseOpens = tries;
    },
  });
  // Two a second for 50 s of the 60 that a swap may take.
  await flasher.flash(job(firmware(2)), awayFor(100));
  t.is(runs(device), '2');

  const startedMs = clock.monotonicMs();
  const flashed = flasher.flash(job(firmware(3)), awayFor(Number.POSITIVE_INFINITY));
  await t.throwsAsync(flashed, { code: 'mcu-unreachable' });
  t.true(clock.monotonicMs() - startedMs >= 60_000);
  line.refuseOpens = 0;
  t.is((await start(files).flasher.resume())?.version, '3.0.0');
  t.is(runs(device), '3');
});

test('another board in the place of the first is left alone', async (t) => {
  const { flasher, device, line, start, files } = await gateway();
  line.cutAfterBytes = 6_000;
  const onProgress = (): void => {
    line.refuseOpens = 9;
  };
  await t.throwsAsync(flasher.flash(job(firmware(2, 9000)), { onProgress }));
  line.refuseOpens = 0;
  const other = new SmpDevice(line, { board: 'mps2-an386' }).install(firmware(7));
  await t.throwsAsync(start(files).flasher.resume(), { code: 'mcu-wrong-board' });
  t.false(other.log.some((name) => name.endsWith('w')));
  line.peer = device;
  await start(files).flasher.resume();
  t.is(runs(device), '2');
});

test('a job whose file has rotted is given up, and its trial ended', async (t) => {
  const { flasher, device, files, start } = await gateway();
  device.silent = ({ group, id, operation, body }) =>
    group === 1 && id === 0 && operation === 2 && body.includes(0xf5);
  await t.throwsAsync(flasher.flash(job(firmware(2))), { code: 'mcu-silent' });
  t.is(runs(device), '2 on trial');
  device.silent = () => false;
  const [payload] = (await files.list(DIR)).filter((name) => name.endsWith('.job'));
  files.rot(`${DIR}/${payload}`, 100);
  await t.throwsAsync(start(files).flasher.resume(), { code: 'digest-mismatch' });
  t.is(runs(device), '1');
  t.is(await start(files).flasher.resume(), undefined);
});

test('an abort leaves the job to resume', async (t) => {
  const { flasher, device } = await gateway();
  const abort = new AbortController();
  const flashed = flasher.flash(job(firmware(2)), {
    signal: abort.signal,
    onProgress: ({ doneBytes }) => doneBytes > 1000 && abort.abort(new Error('enough')),
  });
  await t.throwsAsync(flashed, { message: 'enough' });
  t.is((await flasher.resume())?.version, '2.0.0');
  t.is(runs(device), '2');
});

test('a device that is busy for a while, and one where another image waits', async (t) => {
  const { flasher, device, files } = await gateway();
  let busy = 2;
  device.before = ({ group, id }) => {
    if (group === 1 && id === 1 && busy-- > 0) throw new DeviceError(10);
  };
  await flasher.flash(job(firmware(2)));
  t.is(runs(device), '2');
  device.slots[1]!.pending = true;
  await flasher.flash(job(firmware(3)));
  t.is(runs(device), '3');
  t.deepEqual(await files.list(DIR), ['journal.json']);
});

test('a model over a line that loses every fifth answer', async (t) => {
  const { flasher, device, line } = await gateway({ bufferCount: 4 });
  let count = 0;
  line.toHost = (bytes) => (++count % 5 === 0 ? new Uint8Array() : bytes);
  await flasher.flash(modelJob(5));
  t.is(device.models.slots[device.models.confirmedSlot]![32], 5);
});

test('killed at any operation of the disk, the next start finishes, or never began', async (t) => {
  let kills = 0;
  for (const survival of SURVIVALS) {
    for (const kind of ['firmware', 'model'] as const) {
      for (let n = 1; ; n++) {
        const { flasher, client, device, files, start } = await gateway();
        await flasher.flash(modelJob(4));
        files.dieAt(n);
        const wanted = kind === 'firmware' ? job(firmware(2)) : modelJob(5);
        const cut = await flasher.flash(wanted).then(
          () => false,
          (error: unknown) => {
            if (error instanceof PowerCut) return true;
            throw error;
          },
        );
        if (!cut) break;
        kills++;
        await client.close();
        const left = files.reopen(survival, n);
        const { flasher: next, client: second } = start(left);
        const before = await new FlashJournal(left, DIR).read();
        const result = await next.resume();
        const has =
          kind === 'firmware'
            ? runs(device)
            : `${device.models.slots[device.models.activeSlot]![32]}`;
        const [old, updated] = kind === 'firmware' ? ['1', '2'] : ['4', '5'];
        const began = before !== undefined && before.version === `${updated}.0.0`;
        t.is(has, began ? updated : old, `${survival} ${kind} ${n} ${JSON.stringify(before)}`);
        t.is(result !== undefined, began && before?.phase !== 'done');
        t.is(device.models.trialSlot, -1);
        await next.flash(wanted);
        t.deepEqual(await left.list(DIR), ['journal.json']);
        await second.close();
      }
    }
  }
  t.log(`${kills} kills`);
  t.true(kills > 60);
});

test('a device that resets at any request comes out with one good image', async (t) => {
  for (let at = 1; at < 40; at += 2) {
    const { flasher, device } = await gateway();
    let requests = 0;
    device.silent = () => {
      if (++requests !== at) return false;
      device.reset();
      return true;
    };
    await flasher.flash(job(firmware(2)));
    t.is(runs(device), '2', `reset at request ${at}`);
  }
});

test('firmware that a reset took back before it was confirmed is not confirmed in its slot', async (t) => {
  const { flasher, device } = await gateway();
  device.before = ({ group, id, operation }, { confirm }) => {
    if (group !== 1 || id !== 0 || operation !== 2 || confirm !== true) return;
    // It hung over the request; what answers when that comes again is the firmware of before.
    device.before = () => {};
    device.firstBoot = 'crashes';
    device.reset();
  };
  await t.throwsAsync(flasher.flash(job(firmware(2))), { code: 'mcu-reverted' });
  t.is(runs(device), '1');
});

test('a device that resets at any request of a model is no verdict on the model', async (t) => {
  for (const before of [[], [modelJob(5)]]) {
    for (let at = 1; at < 60; at++) {
      const { flasher, device } = await gateway();
      for (const installed of before) await flasher.flash(installed);
      let requests = 0;
      device.before = () => {
        if (++requests === at) device.reset();
      };
      await flasher.flash(modelJob(6));
      t.is(device.models.slots[device.models.confirmedSlot]![32], 6, `reset at request ${at}`);
    }
  }
});

test('a file that power has left damaged in its slot is sent again', async (t) => {
  const damaged = (file: Uint8Array): Uint8Array => {
    const copy = file.slice();
    copy[copy.byteLength - 1]! ^= 0xff; // the signature's last byte
    return copy;
  };
  const { flasher, device } = await gateway();
  device.slots[1]!.file = damaged(firmware(2));
  await flasher.flash(job(firmware(2)));
  t.is(runs(device), '2');
  device.models.slots[0] = damaged(model(5));
  await flasher.flash(modelJob(5));
  t.is(device.models.slots[device.models.confirmedSlot]![32], 5);
  t.false(device.models.trialSlot >= 0);
});

test('an upload whose digest is wrong on the device comes again', async (t) => {
  const { flasher, device } = await gateway();
  let wrong = 2;
  device.before = ({ group, id }, fields) => {
    if (group !== 1 || id !== 1 || fields['off'] === 0 || wrong-- <= 0) return;
    (fields['data'] as Uint8Array)[0]! ^= 1;
  };
  await flasher.flash(job(firmware(2)));
  t.is(runs(device), '2');
});

test('a damaged journal is refused, with what to do', async (t) => {
  const { flasher, files } = await gateway();
  await flasher.flash(job(firmware(2)));
  files.rot(`${DIR}/journal.json`, 0);
  await t.throwsAsync(flasher.resume(), {
    code: 'input-invalid',
    message: /journal\.json: .*remove it, and flash again/,
  });
});
