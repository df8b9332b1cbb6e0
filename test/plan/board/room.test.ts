import test from 'ava';
import { DunlinError } from '../../../src/core/index.ts';
import {
  boardNames,
  ENGINE_FLASH_BYTES,
  ENGINE_STACK_BYTES,
  readBoard,
  readSmpBoard,
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

test('boards that take firmware over serial say how; no two of them answer with one name', async (t) => {
  const owners = new Map<string, string>();
  for (const name of await boardNames()) {
    const { smp, flashBytes, target } = await readBoard(name);
    if (smp === undefined) {
      t.is(
        (await t.throwsAsync(() => readSmpBoard(name), { instanceOf: DunlinError })).code,
        'usage',
      );
      continue;
    }
    t.deepEqual((await readSmpBoard(name)).smp, smp);
    for (const answer of smp.names) {
      t.is(owners.get(answer), undefined, answer);
      owners.set(answer, name);
    }
    const { payload, headerBytes, slotAddress, slotBytes } = smp.image;
    t.is(payload === 'file', target === 'native', 'only a process is started from a file');
    if (slotBytes === undefined) continue;
    t.true(2 * slotBytes <= flashBytes, name);
    // A process is started out of a file: there is no address that it is linked for.
    t.is(slotAddress === undefined, payload === 'file', name);
    t.true(headerBytes < slotBytes);
  }
  t.deepEqual([...owners.values()].sort(), ['mps2-an386', 'native', 'nrf52840-dk']);
});

test('a board without a profile is refused with those that there are', async (t) => {
  for (const name of ['arduino', '../boards/mps2-an386', 'MPS2', '', 'mps2-an386.yaml']) {
    const error = await t.throwsAsync(() => readBoard(name), { instanceOf: DunlinError });
    t.is(error.code, 'usage');
    t.true(error.message.includes('there are profiles of'), error.message);
    t.true(error.message.includes('mps2-an386, native, nrf52840-dk'), error.message);
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
