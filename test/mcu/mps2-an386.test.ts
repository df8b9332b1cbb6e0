import test from 'ava';
import { buildMcubootImage } from '../../src/mcu/index.ts';
import { KEY } from './device.ts';
import { gateway, jobOf } from './real/gateway.ts';
import { testBoard } from './real/sequence.ts';

const BOARD = 'mps2-an386';
testBoard(BOARD);

const HEADER_BYTES = 512;
const PRIMARY_ADDRESS = 0x2100_0000;
const STACK_END = 0x2000_4000;
const VECTORS = 64;
/** Thumb: a branch to itself. */
const HANGS = 0xe7fe;

/** Signed firmware that does nothing but one instruction; its faults start it again. */
function oneInstruction(instruction: number, version: number): Uint8Array {
  const body = Buffer.alloc(VECTORS * 4 + 4);
  const code = PRIMARY_ADDRESS + HEADER_BYTES + VECTORS * 4 + 1;
  body.writeUInt32LE(STACK_END, 0);
  for (let vector = 1; vector < VECTORS; vector++) body.writeUInt32LE(code, vector * 4);
  body.writeUInt16LE(instruction, VECTORS * 4);
  return buildMcubootImage({
    body,
    version: { major: version, minor: 0, revision: 0, build: 0 },
    headerBytes: HEADER_BYTES,
    securityCounter: 0,
    privateKey: KEY.privateKey,
  });
}

test('mps2-an386: signed firmware that hangs is reset by the watchdog and reverted', async (t) => {
  const gate = await gateway(BOARD);
  t.teardown(() => gate.dispose());
  await gate.device.powerOn();
  await gate.flasher.flash(gate.firmwareJob('1.0.0'));
  await t.throwsAsync(gate.flasher.flash(jobOf('firmware', BOARD, oneInstruction(HANGS, 2))), {
    code: 'mcu-reverted',
  });
  const [image] = await gate.images.readState();
  t.like(image, { version: '1.0.0', active: true, confirmed: true });
  t.is((await gate.models.readStatistics()).cause, 'watchdog');
});
