import { stat } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';
import { DunlinError, errnoOf } from '../../core/index.ts';

/** How long to wait for the holder to say who it is. */
const ASK_TIMEOUT_MS = 500;
const MAX_HOLDER_CHARACTERS = 80;

export interface LineLock {
  release(): Promise<void>;
}

/** Takes the only right to open a device. */
export type LockLine = (path: string) => Promise<LineLock>;

/**
 * One process at a time per serial device, whoever runs it and wherever its state is: the lock is an abstract Unix
 * socket named by the device's number, so the kernel gives it to one process only and takes it back when that
 * dies. (A lock file would outlive a kill, and two processes with two state directories would not meet at it.) It is
 * taken before the port is opened, since opening one resets many boards. The port itself is locked by flock(2)
 * besides, against programs that are not Dunlin.
 * @param holder what others read when they are refused: "agent (process 123)"
 * @throws `mcu-busy`, naming who holds it; `mcu-unreachable` when there is no such device
 */
export function kernelLineLock(holder: string): LockLine {
  return async (path) => {
    const name = `\0dunlin-line-${await deviceNumber(path)}`;
    const server = createServer((socket) => {
      socket.on('error', () => {});
      // Whoever asks and does not go would hold up the release.
      socket.setTimeout(ASK_TIMEOUT_MS, () => socket.destroy());
      socket.end(holder.slice(0, MAX_HOLDER_CHARACTERS));
    });
    try {
      await listen(server, name);
    } catch (cause) {
      if (errnoOf(cause) !== 'EADDRINUSE') throw cause;
      throw new DunlinError(`${path}: in use by ${await askHolder(name)}`, {
        code: 'mcu-busy',
        cause,
      });
    }
    server.unref();
    return {
      release: () =>
        new Promise((resolve) => {
          server.close(() => resolve());
        }),
    };
  };
}

async function deviceNumber(path: string): Promise<string> {
  try {
    const { rdev, dev, ino } = await stat(path);
    return rdev === 0 ? `${dev}-${ino}` : `${rdev}`;
  } catch (cause) {
    throw new DunlinError(`${path}: no such serial device`, { code: 'mcu-unreachable', cause });
  }
}

function listen(server: Server, name: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(name, () => {
      server.off('error', reject);
      server.on('error', () => {});
      resolve();
    });
  });
}

function askHolder(name: string): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    const socket = connect(name);
    const end = (): void => {
      socket.destroy();
      const readable = text.replace(/\p{C}/gu, '?').slice(0, MAX_HOLDER_CHARACTERS);
      resolve(readable === '' ? 'another process' : readable);
    };
    socket.setTimeout(ASK_TIMEOUT_MS, end);
    socket.on('data', (bytes) => {
      text += bytes.toString('latin1');
      if (text.length > MAX_HOLDER_CHARACTERS) end();
    });
    socket.on('end', end);
    socket.on('error', end);
  });
}
