import test from 'ava';
import { DunlinError } from '../../../src/core/index.ts';
import {
  boardNames,
  ENGINE_FLASH_BYTES,
  ENGINE_STACK_BYTES,
  readBoard,
  requireRoom,
} from '../../../src/plan/index.ts';

test('every profile is read, and says where its facts are from', async (t) => {
  const names = await boardNames();
  t.true(names.includes('mps2-an386') && names.length >= 4, names.join(', '));
  for (const name of names) {
    const board = await readBoard(name);
    t.is(board.name, name);
    t.true(board.sources.length > 0 && board.ramBytes > ENGINE_STACK_BYTES);
    t.true(board.flashBytes > ENGINE_FLASH_BYTES);
  }
});

test('a board without a profile is refused with those that there are', async (t) => {
  for (const name of ['arduino', '../boards/mps2-an386', 'MPS2', '', 'mps2-an386.yaml']) {
    const error = await t.throwsAsync(() => readBoard(name), { instanceOf: DunlinError });
    t.is(error.code, 'usage');
    t.true(error.message.includes('there are profiles of'), error.message);
    t.true(error.message.includes('mps2-an386, nrf52840-dk'), error.message);
  }
});

test('a plan has room down to the last byte, and is refused with the numbers', async (t) => {
  const board = await readBoard('nrf52840-dk');
  const plan = (flash: number, ram: number) => ({
    bytes: { length: board.flashBytes - ENGINE_FLASH_BYTES + flash } as Uint8Array,
    arenaBytes: board.ramBytes - ENGINE_STACK_BYTES + ram,
  });
  t.notThrows(() => requireRoom(plan(0, 0), board, 'm.tflite'));
  for (const [flash, ram, kinds] of [
    [1, 0, ['flash']],
    [0, 1, ['RAM']],
    [1, 1, ['flash', 'RAM']],
  ] as const) {
    const own = plan(flash, ram);
    const error = t.throws(() => requireRoom(own, board, 'm.tflite'), { instanceOf: DunlinError });
    t.is(error.code, 'model-too-large');
    t.regex(error.message, /^m\.tflite: does not fit on nrf52840-dk: /);
    const [flashNumbers, ramNumbers] = [
      `${own.bytes.length} bytes of flash and ${ENGINE_FLASH_BYTES}`,
      `${own.arenaBytes} bytes of RAM and ${ENGINE_STACK_BYTES}`,
    ];
    t.is(
      error.message.includes(flashNumbers),
      kinds.some((kind) => kind === 'flash'),
    );
    t.is(
      error.message.includes(ramNumbers),
      kinds.some((kind) => kind === 'RAM'),
    );
  }
});
