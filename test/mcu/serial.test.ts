import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { stat } from 'node:fs/promises';
import { connect } from 'node:net';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import test from 'ava';
import {
  kernelLineLock,
  listSerialIds,
  resolveSerialPath,
  SERIAL_BY_ID_DIR,
} from '../../src/mcu/index.ts';
import { CrashFiles } from '../fakes/crash-files.ts';

const NRF = 'usb-SEGGER_J-Link_000683123456-if00';
const UNO = 'usb-Arduino__www.arduino.cc__0043_9563-if00';

async function disk(...names: string[]): Promise<CrashFiles> {
  const files = new CrashFiles();
  await files.makeDirectory(SERIAL_BY_ID_DIR);
  for (const name of names) await files.write(`${SERIAL_BY_ID_DIR}/${name}`, new Uint8Array());
  return files;
}

test('a device is found by its name, by a part of it, and by a path', async (t) => {
  const files = await disk(NRF, UNO);
  t.deepEqual(await listSerialIds(files), [UNO, NRF]);
  t.is(await resolveSerialPath(files, NRF), `${SERIAL_BY_ID_DIR}/${NRF}`);
  t.is(await resolveSerialPath(files, 'J-Link'), `${SERIAL_BY_ID_DIR}/${NRF}`);
  t.is(await resolveSerialPath(files, '/dev/ttyAMA0'), '/dev/ttyAMA0');
  await t.throwsAsync(resolveSerialPath(files, 'usb'), { code: 'input-invalid' });
  await t.throwsAsync(resolveSerialPath(files, 'Teensy'), {
    code: 'mcu-unreachable',
    message: /there are: usb-Arduino/,
  });
  await t.throwsAsync(resolveSerialPath(new CrashFiles(), 'Teensy'), {
    code: 'mcu-unreachable',
    message: /none is plugged in/,
  });
});

test('one holder at a time, who says who it is, and nothing is left behind', async (t) => {
  const first = await kernelLineLock('agent (process 1)')('/dev/null');
  await t.throwsAsync(kernelLineLock('cli')('/dev/null'), {
    code: 'mcu-busy',
    message: '/dev/null: in use by agent (process 1)',
  });
  const other = await kernelLineLock('cli')('/dev/zero');
  await first.release();
  const second = await kernelLineLock('cli')('/dev/null');
  await second.release();
  await other.release();
  await t.throwsAsync(kernelLineLock('cli')('/dev/none'), { code: 'mcu-unreachable' });
});

test('whoever asks and stays does not hold up the release', async (t) => {
  const lock = await kernelLineLock('agent')('/dev/zero');
  const { rdev } = await stat('/dev/zero');
  const asks = connect({ path: `\0dunlin-line-${rdev}`, allowHalfOpen: true });
  asks.resume();
  await once(asks, 'end');
  await lock.release();
  asks.destroy();
  t.pass();
});

test('a real port, in a process of its own since test files run in threads', async (t) => {
  const child = fileURLToPath(new URL('./serial-port-child.js', import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [child], { timeout: 60_000 });
  t.deepEqual(stdout.trim().split('\n'), [
    'echo 200',
    'second mcu-busy: in use by the test',
    'reopened again',
    'unplugged mcu-unreachable',
    'open mcu-unreachable',
    'closed in the midst',
    'noticed without a write',
    'write mcu-unreachable',
    'foreign mcu-busy: in use by another program',
    'no port mcu-unreachable',
  ]);
});
