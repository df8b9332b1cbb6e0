import { errorCode, errorMessage, silentLogger, systemClock } from '../../src/core/index.ts';
import {
  decodePacket,
  echo,
  encodePacket,
  encodePacketLines,
  kernelLineLock,
  PacketDecoder,
  SmpClient,
  serialPortLine,
} from '../../src/mcu/index.ts';
import { openPty, type Pty } from '../fakes/pty.ts';

/** What serial.test.ts expects line by line: a line on a real serial port, against a device behind a pty. */

const CLOSINGS = 200;
const nobody = { data: () => {}, vanished: () => {} };

function lineTo(path: string, holder: string) {
  const lock = kernelLineLock(holder);
  return serialPortLine({ name: 'pty', resolvePath: async () => path, lock });
}

function answerEchoes(pty: Pty): void {
  const decoder = new PacketDecoder((bytes) => {
    const { group, sequence, id, body } = decodePacket(bytes)!;
    const answer = Buffer.from(body);
    // {"d": text} becomes {"r": text}.
    answer[2] = 'r'.charCodeAt(0);
    const packet = { operation: 3, version: 1, group, sequence, id, body: answer };
    pty.write(encodePacketLines(encodePacket(packet)));
  });
  pty.onData((bytes) => decoder.push(bytes));
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
    return 'nothing was wrong';
  } catch (error) {
    const tail = / in use by .*$/.exec(errorMessage(error))?.[0];
    return `${errorCode(error)}${tail === undefined ? '' : `:${tail}`}`;
  }
}

async function talk(): Promise<void> {
  const pty = await openPty();
  answerEchoes(pty);
  const line = lineTo(pty.path, 'the test');
  const client = new SmpClient({ line, clock: systemClock, logger: silentLogger });
  await client.open();
  console.log(`echo ${(await echo(client, 'x'.repeat(200))).length}`);
  console.log(`second ${await codeOf(lineTo(pty.path, 'another').open(nobody))}`);
  await client.close();
  await client.open();
  console.log(`reopened ${await echo(client, 'again')}`);
  const lost = (async () => {
    for (;;) await echo(client, 'x');
  })();
  const code = codeOf(lost);
  await pty.close();
  console.log(`unplugged ${await code}`);
  console.log(`open ${await codeOf(client.open())}`);
}

async function vanish(): Promise<void> {
  const pty = await openPty();
  const line = lineTo(pty.path, 'the test');
  const vanished = new Promise((vanish) => {
    void line.open({ data: () => {}, vanished: vanish }).then(() => pty.close());
  });
  await vanished;
  console.log('noticed without a write');
  console.log(`write ${await codeOf(line.write(Buffer.from('x')))}`);
  await line.close();
}

/** Another program has the port: it asked for it alone, as ours does, and knows nothing of our lock. */
async function foreign(): Promise<void> {
  const pty = await openPty();
  const { SerialPort } = await import('serialport');
  const port = new SerialPort({ path: pty.path, baudRate: 9600, autoOpen: false, lock: true });
  await new Promise((resolve) => port.open(resolve));
  console.log(`foreign ${await codeOf(lineTo(pty.path, 'the test').open(nobody))}`);
  port.close();
  await pty.close();
}

/** Closing while bytes come in: what was reading must not poll a port that is gone. A crash is of the process. */
async function closeInTheMidst(): Promise<void> {
  const pty = await openPty();
  answerEchoes(pty);
  const client = new SmpClient({
    line: lineTo(pty.path, 'the test'),
    clock: systemClock,
    logger: silentLogger,
  });
  for (let round = 0; round < CLOSINGS; round++) {
    await client.open();
    await echo(client, 'x');
    const lost = codeOf(echo(client, 'x'.repeat(200)));
    for (let turn = 0; turn < round % 8; turn++) await new Promise(setImmediate);
    await client.close();
    await lost;
  }
  await pty.close();
  console.log('closed in the midst');
}

await talk();
await closeInTheMidst();
await vanish();
await foreign();
console.log(`no port ${await codeOf(lineTo('/dev/null', 'the test').open(nobody))}`);
