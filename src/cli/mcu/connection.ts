import { realpath } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { type Logger, nodeFiles, systemClock } from '../../core/index.ts';
import {
  DEFAULT_BAUD_RATE,
  kernelLineLock,
  listSerialIds,
  resolveSerialPath,
  SERIAL_BY_ID_DIR,
  SmpClient,
  serialPortLine,
} from '../../mcu/index.ts';
import type { CommandIo } from '../command.ts';
import { commandLogger } from '../command-logger.ts';
import { integerValue } from '../option-values.ts';

const DEFAULT_TIMEOUT_MS = 2_000;

/** What every command that speaks to a device has. */
export interface LineOptions {
  readonly baud?: string;
  readonly timeoutMs: string;
  readonly json: boolean;
}

export const PORT_HELP = 'the device: a path, or (a part of) a name in /dev/serial/by-id';

export function withLineOptions(command: Command, timeoutMs: number = DEFAULT_TIMEOUT_MS): Command {
  return command
    .option('--baud <n>', `speed of the line (default: the board's, else ${DEFAULT_BAUD_RATE})`)
    .option('--timeout-ms <n>', 'how long an answer may take', String(timeoutMs))
    .option('--json', 'print one JSON document', false);
}

export interface ConnectionOptions extends LineOptions {
  /** The board's speed, where it is known. */
  readonly baudRate?: number;
  readonly attempts?: number;
  readonly logger?: Logger;
}

export interface Connection {
  readonly client: SmpClient;
  /** What the wire carries one way. */
  readonly lineBytesPerSecond: number;
}

/**
 * A client on a line that nobody else has while `work` runs; the line is opened before.
 * @throws `usage`, `input-invalid`, `mcu-unreachable`, `mcu-busy`, what `work` throws
 */
export async function withDevice<T>(
  io: CommandIo,
  port: string,
  options: ConnectionOptions,
  work: (connection: Connection) => Promise<T>,
): Promise<T> {
  const baudRate =
    options.baud === undefined
      ? (options.baudRate ?? DEFAULT_BAUD_RATE)
      : integerValue(options.baud, '--baud');
  const line = serialPortLine({
    name: port,
    resolvePath: () => resolveSerialPath(nodeFiles, idOrPath(port)),
    baudRate,
    lock: kernelLineLock(`dunlin mcu (process ${process.pid})`),
  });
  const client = new SmpClient({
    line,
    clock: systemClock,
    logger: options.logger ?? commandLogger(io),
    timeoutMs: integerValue(options.timeoutMs, '--timeout-ms'),
    ...(options.attempts === undefined ? {} : { attempts: options.attempts }),
  });
  try {
    await client.open();
    return await work({ client, lineBytesPerSecond: line.bytesPerSecond });
  } finally {
    await client.close();
  }
}

/** What has a slash is a path, wherever this process stands; nothing in /dev/serial/by-id has one. */
function idOrPath(port: string): string {
  return port.includes('/') ? resolve(port) : port;
}

/** The device's name that outlives a replugging, where it has one: two names of one device are one device. */
export async function stableName(port: string): Promise<string> {
  try {
    const path = await resolveSerialPath(nodeFiles, idOrPath(port));
    const device = await realpath(path);
    for (const id of await listSerialIds(nodeFiles)) {
      if ((await realpath(`${SERIAL_BY_ID_DIR}/${id}`)) === device) return id;
    }
    return path;
  } catch {
    // Unplugged: opening it says so.
    return idOrPath(port);
  }
}
