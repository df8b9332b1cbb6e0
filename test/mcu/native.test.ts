import test from 'ava';
import { buildMcubootImage } from '../../src/mcu/index.ts';
import { KEY } from './device.ts';
import { gateway, jobOf, until } from './real/gateway.ts';
import { testBoard } from './real/sequence.ts';

const BOARD = 'native';
testBoard(BOARD);

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
  await until(() => gate.flasher.flash(gate.firmwareJob('1.0.0')));
  const [image] = await gate.images.readState();
  t.like(image, { version: '1.0.0', active: true, confirmed: true });
});
