import { isMainThread } from 'node:worker_threads';
import type { SerialPort } from 'serialport';
import { DunlinError, errorMessage } from '../../core/index.ts';
import { endAtHangUp } from './hang-up.ts';
import type { LineListener, SerialLine } from './line.ts';
import type { LineLock, LockLine } from './line-lock.ts';

export const DEFAULT_BAUD_RATE = 115_200;
/** A start bit, 8 data bits, a stop bit. */
const BITS_PER_BYTE = 10;

export interface SerialPortLineOptions {
  /** For people: the name in the configuration. */
  readonly name: string;
  /** Asked at every opening, since a device comes back elsewhere. @throws `mcu-unreachable` */
  readonly resolvePath: () => Promise<string>;
  readonly baudRate?: number;
  readonly lock: LockLine;
}

/**
 * A line on a real serial port. `serialport` is loaded when the first one is opened.
 * Invariant: `#open` is set from a successful opening until the port is closed or gone, and holds the lock.
 */
class SerialPortLine implements SerialLine {
  readonly name: string;
  readonly bytesPerSecond: number;
  readonly #options: SerialPortLineOptions;
  #open: (OpenPort & { readonly lock: LineLock }) | undefined;

  constructor(options: SerialPortLineOptions) {
    this.#options = options;
    this.name = options.name;
    this.bytesPerSecond = this.#baudRate / BITS_PER_BYTE;
  }

  get #baudRate(): number {
    return this.#options.baudRate ?? DEFAULT_BAUD_RATE;
  }

  async open(listener: LineListener): Promise<void> {
    await this.close();
    const path = await this.#options.resolvePath();
    const lock = await this.#options.lock(path);
    try {
      const { port, settled } = await openPort(path, this.#baudRate);
      const open = { port, settled, lock };
      this.#open = open;
      const gone = (cause: unknown): void => {
        if (this.#open !== open) return;
        this.#open = undefined;
        if (port.isOpen) port.close(() => {});
        void lock.release();
        listener.vanished(cause);
      };
      port.on('data', (bytes: Buffer) => {
        if (this.#open === open) listener.data(bytes);
      });
      port.on('close', (error: unknown) => gone(error ?? 'closed'));
      port.on('end', () => gone('hung up'));
      port.on('error', gone);
    } catch (error) {
      await lock.release();
      throw error;
    }
  }

  async write(bytes: Uint8Array): Promise<void> {
    const port = this.#open?.port;
    if (port === undefined) throw new DunlinError(`${this.name}: not open`, CLOSED);
    await new Promise<void>((resolve, reject) => {
      port.write(Buffer.from(bytes), (error) => {
        if (error) reject(new DunlinError(`${this.name}: ${error.message}`, CLOSED));
        else resolve();
      });
    });
  }

  async close(): Promise<void> {
    const open = this.#open;
    if (open === undefined) return;
    this.#open = undefined;
    await new Promise<void>((resolve) => {
      // Errors while closing mean that it is closed.
      open.port.close(() => resolve());
    });
    await open.settled();
    await open.lock.release();
  }
}

interface OpenPort {
  readonly port: SerialPort;
  /** Of a closed port: nothing of it is left. */
  readonly settled: () => Promise<void>;
}

const CLOSED = { code: 'mcu-unreachable' } as const;

/** A line that is not open yet. For agent, demo and cli: others are given a `SerialLine`. */
export function serialPortLine(options: SerialPortLineOptions): SerialLine {
  return new SerialPortLine(options);
}

/** The binding polls on the main thread's loop whatever thread it was loaded in, and the process dies of it. */
async function openPort(path: string, baudRate: number): Promise<OpenPort> {
  if (!isMainThread) throw new Error('serial ports work in the main thread alone');
  const { SerialPort: Port } = await import('serialport');
  const port = new Port({ path, baudRate, autoOpen: false, lock: true });
  await new Promise<void>((resolve, reject) => {
    port.open((error) => {
      if (error) reject(openError(path, error));
      else resolve();
    });
  });
  return { port, settled: endAtHangUp(port) };
}

/** The binding says what went wrong in words alone. */
function openError(path: string, cause: Error): DunlinError {
  const message = errorMessage(cause);
  if (/busy|temporarily unavailable|cannot lock/i.test(message)) {
    return new DunlinError(`${path}: in use by another program`, { code: 'mcu-busy', cause });
  }
  const advice = /permission/i.test(message) ? '; is this user in the group dialout?' : '';
  return new DunlinError(`${path}: cannot be opened: ${message}${advice}`, {
    code: 'mcu-unreachable',
    cause,
  });
}
