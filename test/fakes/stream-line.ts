import { constants, openSync } from 'node:fs';
import { connect } from 'node:net';
import type { Duplex } from 'node:stream';
import { ReadStream, WriteStream } from 'node:tty';
import { DunlinError, errnoOf } from '../../src/core/index.ts';
import type { LineListener, SerialLine } from '../../src/mcu/index.ts';

/** What a line is made of: bytes come in until the peer is gone. */
interface Stream {
  write(bytes: Uint8Array, done: (error?: Error | null) => void): unknown;
  onData(listener: (bytes: Uint8Array) => void): void;
  onGone(listener: (cause: unknown) => void): void;
  close(): void;
}

/**
 * A serial line to a real device of the tests, where `serialport` cannot be used: it works on the main thread
 * alone, and ava's test files are threads.
 */
class StreamLine implements SerialLine {
  readonly name: string;
  readonly bytesPerSecond = 11_520;
  readonly #connect: () => Promise<Stream>;
  #stream: Stream | undefined;

  constructor(name: string, open: () => Promise<Stream>) {
    this.name = name;
    this.#connect = open;
  }

  async open(listener: LineListener): Promise<void> {
    await this.close();
    const stream = await this.#connect().catch((cause) => {
      throw new DunlinError(`${this.name}: ${cause}`, { code: 'mcu-unreachable', cause });
    });
    this.#stream = stream;
    stream.onData((bytes) => {
      if (this.#stream === stream) listener.data(bytes);
    });
    stream.onGone((cause) => {
      if (this.#stream !== stream) return;
      this.#stream = undefined;
      stream.close();
      listener.vanished(cause);
    });
  }

  write(bytes: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#stream === undefined) return reject(new Error('not open'));
      this.#stream.write(bytes, (error) => (error ? reject(error) : resolve()));
    });
  }

  async close(): Promise<void> {
    const stream = this.#stream;
    this.#stream = undefined;
    stream?.close();
  }
}

const START_TRIES = 100;
const START_PAUSE_MS = 20;

/** QEMU's UART as a Unix socket; its name is there a moment before it listens. */
export function socketLine(path: string): SerialLine {
  return new StreamLine('qemu', async () => {
    for (let tries = 1; ; tries++) {
      try {
        return duplex(await connected(path));
      } catch (error) {
        if (errnoOf(error) !== 'ECONNREFUSED' || tries === START_TRIES) throw error;
        await new Promise((resolve) => setTimeout(resolve, START_PAUSE_MS));
      }
    }
  });
}

function connected(path: string): Promise<Duplex> {
  const socket = connect(path);
  return new Promise((resolve, reject) => {
    socket.once('connect', () => resolve(socket));
    socket.once('error', reject);
  });
}

function duplex(socket: Duplex): Stream {
  return {
    write: (bytes, done) => socket.write(bytes, done),
    onData: (listener) => socket.on('data', listener),
    onGone: (listener) => {
      socket.on('error', listener);
      socket.on('close', () => listener('closed'));
    },
    close: () => socket.destroy(),
  };
}

/** A terminal of this machine: raw already, since its device has made it so. */
export function terminalLine(path: string): SerialLine {
  return new StreamLine('native', async () => {
    const flags = constants.O_RDWR | constants.O_NOCTTY | constants.O_NONBLOCK;
    const input = new ReadStream(openSync(path, flags));
    const output = new WriteStream(openSync(path, flags));
    return {
      write: (bytes, done) => output.write(bytes, done),
      onData: (listener) => input.on('data', listener),
      onGone: (listener) => {
        input.on('error', listener);
        input.on('close', () => listener('closed'));
        output.on('error', listener);
      },
      close: () => {
        input.destroy();
        output.destroy();
      },
    };
  });
}
