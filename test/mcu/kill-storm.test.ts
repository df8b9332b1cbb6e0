import { readFileSync } from 'node:fs';
import test, { type ExecutionContext } from 'ava';
import { systemClock } from '../../src/core/index.ts';
import type { FlashJob, FlashProgress } from '../../src/mcu/index.ts';
import { coin } from './device.ts';
import type { RealBoard } from './real/devices.ts';
import { type Gateway, gateway, jobOf, motorModel } from './real/gateway.ts';

/** `make soak` sets it to 100. */
const KILLS = Number(process.env['DUNLIN_SOAK_KILLS'] ?? 3);
const SEED = 5;
/** The bootloader's swap is done soon after a reset: half of the kills fall there, most of them at once. */
const SWAP_MS = 250;

/* firmware/boards/flash_map.h and docs/bootloader.md, "Trailer". */
const PRIMARY_BYTES = 130 * 4096;
const TRAILER_MAGIC = Buffer.from('77c295f360d2ef7f3552500f2cb67980', 'hex');

/** Whether the power went in the midst of a swap: a trailer with its magic that says neither that it is done. */
function isMidSwap(gate: Gateway): boolean {
  const flash = readFileSync(gate.device.flashPath).subarray(0, PRIMARY_BYTES);
  const isWhole = flash.subarray(-16).equals(TRAILER_MAGIC);
  return isWhole && flash[PRIMARY_BYTES - 32] !== 1 && (flash[PRIMARY_BYTES - 40] ?? 0xff) <= 4;
}

/** Cuts the power at a random point of a job that takes so long. @returns whether the job was over before */
async function cutIn(
  gate: Gateway,
  job: FlashJob,
  random: () => number,
  longestMs: number,
): Promise<boolean> {
  const abort = new AbortController();
  const isAtSwap = job.kind === 'firmware' && random() < 0.5;
  let cut: Promise<void> | undefined;
  const cutAfter = (delayMs: number): void => {
    cut ??= systemClock.sleep(delayMs).then(async () => {
      abort.abort(new Error('power cut'));
      await gate.device.powerOff();
    });
  };
  if (!isAtSwap) cutAfter(random() * longestMs);
  const onProgress = ({ step }: FlashProgress): void => {
    if (step === 'reset') cutAfter(random() ** 3 * SWAP_MS);
  };
  const isDone = await gate.flasher.flash(job, { signal: abort.signal, onProgress }).then(
    () => true,
    () => false,
  );
  cutAfter(0);
  await cut;
  return isDone;
}

async function storm(t: ExecutionContext, board: RealBoard): Promise<void> {
  const random = coin(SEED);
  const gate = await gateway(board);
  t.teardown(() => gate.dispose());
  await gate.device.powerOn();
  const startMs = systemClock.monotonicMs();
  await gate.flasher.flash(gate.firmwareJob('1.0.0'));
  const longestMs = systemClock.monotonicMs() - startMs;
  const models = [motorModel('v1'), motorModel('v2')] as const;
  await gate.flasher.flash(jobOf('model', board, models[0].file, models[0].golden));
  const versions = { firmware: '1.0.0', model: '1.0.0' };
  let over = 0;
  let midSwap = 0;
  for (let kill = 1; kill <= KILLS; kill++) {
    const kind = random() < 0.6 ? 'firmware' : 'model';
    const next =
      kind === 'firmware' ? `1.0.${kill}` : versions.model === '1.0.0' ? '2.0.0' : '1.0.0';
    const { file, golden } = models[next === '2.0.0' ? 1 : 0];
    const job = kind === 'firmware' ? gate.firmwareJob(next) : jobOf('model', board, file, golden);
    over += Number(await cutIn(gate, job, random, longestMs));
    midSwap += Number(isMidSwap(gate));
    await gate.device.powerOn();
    await gate.client.close();
    await gate.client.open();
    const [first] = await gate.images.readState();
    t.true(first?.active, `kill ${kill}: firmware runs`);
    const runs = [versions.firmware, ...(kind === 'firmware' ? [next] : [])];
    t.true(runs.includes(first!.version), `kill ${kill}: ${first!.version} of ${runs}`);
    const { slots } = await gate.models.readState();
    const model = slots.find(({ active }) => active === true)?.version;
    t.true(
      model === versions.model || (kind === 'model' && model === next),
      `kill ${kill}: ${model}`,
    );
    await gate.flasher.resume();
    await gate.flasher.flash(job);
    versions[kind] = next;
  }
  t.log(`${KILLS} kills, ${midSwap} in a swap, ${over} after the end`);
}

test(`native: killed at random points of upgrades, valid firmware and a valid model run`, (t) =>
  storm(t, 'native'));
test.serial(
  `mps2-an386: killed at random points of upgrades, valid firmware and a valid model run`,
  (t) => storm(t, 'mps2-an386'),
);
