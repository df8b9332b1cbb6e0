import { closeSync, openSync, writeSync } from 'node:fs';
import test from 'ava';
import { buildMcubootImage, reset } from '../../src/mcu/index.ts';
import { KEY } from './device.ts';
import { gateway, jobOf, until } from './real/gateway.ts';
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
  const statistics = await until(() => gate.models.readStatistics());
  t.is(statistics.cause, 'watchdog');
});

test('mps2-an386: confirmed firmware that hangs is replaced in the moment that the bootloader listens', async (t) => {
  const gate = await gateway(BOARD);
  t.teardown(() => gate.dispose());
  await gate.device.powerOn();
  await gate.flasher.flash(gate.firmwareJob('1.0.0'));
  await gate.images.upload(oneInstruction(HANGS, 2));
  const stored = (await gate.images.readState()).find(({ slot }) => slot === 1);
  await gate.images.confirm(stored!.hash);
  await reset(gate.client);
  await t.throwsAsync(gate.flasher.identify(), { code: 'mcu-silent' });

  await until(() => gate.flasher.flash(gate.firmwareJob('3.0.0')));
  const [image] = await gate.images.readState();
  t.like(image, { version: '3.0.0', active: true, confirmed: true });
});

/* firmware/boards/flash_map.h */
const SECTOR_BYTES = 4096;
const SLOT_SECTORS = { primary: 130, secondary: 129 };
const LARGEST_BODY_BYTES = 127 * SECTOR_BYTES;
/** A trailer without flags: a test is asked for. docs/bootloader.md, "Trailer". */
const TRAILER_MAGIC = Buffer.from('77c295f360d2ef7f3552500f2cb67980', 'hex');

test('mps2-an386: two images that fill their slots are checked before the watchdog bites', async (t) => {
  const gate = await gateway(BOARD, { isPaced: true });
  t.teardown(() => gate.dispose());
  const { body, headerBytes } = gate.device.firmware;
  const image = (major: number): Uint8Array =>
    buildMcubootImage({
      body: Buffer.concat([body, Buffer.alloc(LARGEST_BODY_BYTES - body.byteLength)]),
      headerBytes,
      version: { major, minor: 0, revision: 0, build: 0 },
      securityCounter: 0,
      privateKey: KEY.privateKey,
    });
  const { primary, secondary } = SLOT_SECTORS;
  const flash = openSync(gate.device.flashPath, 'r+');
  writeSync(flash, image(1), 0, undefined, 0);
  writeSync(flash, image(2), 0, undefined, primary * SECTOR_BYTES);
  const end = (primary + secondary) * SECTOR_BYTES;
  writeSync(flash, TRAILER_MAGIC, 0, undefined, end - TRAILER_MAGIC.byteLength);
  closeSync(flash);
  await gate.device.powerOn();
  await gate.client.open();
  // Checks and swap take some seconds of the board's, and QEMU may take more for them.
  const started = gate.images.readState().catch(() => gate.images.readState());
  const [running] = await started;
  t.like(running, { version: '2.0.0', active: true, confirmed: false });
  t.like(await gate.models.readStatistics(), { resets: 1, cause: 'power' });
});
