import { Command } from 'commander';
import { DunlinError, type ErrorCode, nodeFiles, silentLogger } from '../../core/index.ts';
import { listSerialIds, SERIAL_BY_ID_DIR } from '../../mcu/index.ts';
import type { CommandIo } from '../command.ts';
import { table } from '../table.ts';
import { type LineOptions, withDevice, withLineOptions } from './connection.ts';
import { readFacts, runningVersion } from './device-facts.ts';

/** A device that is there answers in a few milliseconds, and the others are to be named soon. */
const ASK_TIMEOUT_MS = 700;
/** A line that was garbled by what was on it before gets a second chance. */
const ASK_ATTEMPTS = 2;

const HELP = `
Every serial device that has a name in /dev/serial/by-id, or those that are named, is opened and asked, one after the
other. Opening resets many boards (Arduino); --no-ask only lists names.

Examples:
  dunlin mcu list
  dunlin mcu list --no-ask
  dunlin mcu list /dev/ttyAMA0 /dev/ttyUSB0 --baud 1000000 --json`;

interface ListOptions extends LineOptions {
  readonly ask: boolean;
}

interface Listed {
  readonly port: string;
  /** Not asked: absent. */
  readonly answers?: boolean;
  readonly board?: string | null;
  readonly bootloader?: string | null;
  readonly firmware?: string | null;
  readonly model?: string | null;
  /** Why it does not answer. */
  readonly reason?: ErrorCode;
  readonly message?: string;
}

export function listCommand(io: CommandIo): Command {
  const command = new Command('list')
    .description('serial devices, and which of them answer')
    .argument('[ports...]', 'these, instead of all that are plugged in')
    .option('--no-ask', 'only list names, open nothing');
  return withLineOptions(command, ASK_TIMEOUT_MS)
    .addHelpText('after', HELP)
    .action((ports: string[], options: ListOptions) => list(io, ports, options));
}

async function list(io: CommandIo, named: readonly string[], options: ListOptions): Promise<void> {
  const ports = named.length > 0 ? named : await listSerialIds(nodeFiles);
  const devices: Listed[] = [];
  for (const port of ports) {
    io.signal.throwIfAborted();
    devices.push(options.ask ? await ask(io, port, options) : { port });
  }
  if (options.json) {
    io.out(`${JSON.stringify({ devices })}\n`);
    return;
  }
  io.out(devices.length === 0 ? `${SERIAL_BY_ID_DIR}: no serial device\n` : describe(devices));
}

async function ask(io: CommandIo, port: string, options: ListOptions): Promise<Listed> {
  try {
    const line = { ...options, attempts: ASK_ATTEMPTS, logger: silentLogger };
    const facts = await withDevice(io, port, line, ({ client }) => readFacts(client, io.signal));
    return {
      port,
      answers: true,
      board: facts.board ?? null,
      bootloader: facts.bootloader ?? null,
      firmware: runningVersion(facts.images) ?? null,
      model: runningVersion(facts.models?.slots) ?? null,
    };
  } catch (error) {
    if (!(error instanceof DunlinError) || error.code === 'usage') throw error;
    return { port, answers: false, reason: error.code, message: error.message };
  }
}

function describe(devices: readonly Listed[]): string {
  if (devices.every(({ answers }) => answers === undefined)) {
    return `${devices.map(({ port }) => port).join('\n')}\n`;
  }
  const head = ['device', 'board', 'bootloader', 'firmware', 'model'];
  const rows = devices.map(({ port, answers, board, bootloader, firmware, model, reason }) =>
    answers === true
      ? [port, ...[board, bootloader, firmware, model].map((value) => value ?? '-')]
      : [port, `no answer [${reason}]`, '', '', ''],
  );
  return `${table([head, ...rows]).join('\n')}\n`;
}
