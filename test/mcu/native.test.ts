import test from 'ava';
import { systemClock } from '../../src/core/index.ts';
import { buildMcubootImage } from '../../src/mcu/index.ts';
import { KEY } from './device.ts';
import { gateway, jobOf } from './real/gateway.ts';
import { testBoard } from './real/sequence.ts';

const BOARD = 'native';
testBoard(BOARD);

/** Several times what the bootloader listens. */
const LISTENS_MS = 30_000;

test('native: a first firmware that cannot start is not confirmed, and makes way for the next', async (t) => {
  const gate = await gateway(BOARD);
  t.teardown(() => gate.dispose());
  await gate.device.powerOn();
  const broken = buildMcubootImage({
    body: new Uint8Array(5_000).fill(1),
    version: { major: 9, minor: 0, revision: 0, build: 0 },
    securityCounter: 0,
    privateKey: KEY.privateKey,
  });
  await t.throwsAsync(gate.flasher.flash(jobOf('firmware', BOARD, broken)));
  const deadlineMs = systemClock.monotonicMs() + LISTENS_MS;
  for (;;) {
    try {
      await gate.flasher.flash(gate.firmwareJob('1.0.0'));
      break;
    } catch (error) {
      if (systemClock.monotonicMs() > deadlineMs) throw error;
    }
  }
  const [image] = await gate.images.readState();
  t.like(image, { version: '1.0.0', active: true, confirmed: true });
});
