import { Command } from 'commander';
import { errorMessage, systemClock } from '../../core/index.ts';
import { isLineError, ModelGroup, type ModelLog, type SmpClient } from '../../mcu/index.ts';
import type { CommandIo } from '../command.ts';
import { type LineOptions, PORT_HELP, withDevice, withLineOptions } from './connection.ts';

const POLL_MS = 500;
const REOPEN_MS = 1_000;
/** Answers without an end, from a device that numbers its lines ever on. */
const MAX_ROUNDS = 10_000;
const LEVELS = ['error', 'warn', 'info', 'debug'] as const;

const HELP = `
The lines that the device still keeps, oldest first: milliseconds since its reset, level, text. --follow goes on until
Ctrl-C, over resets and replugging. --json prints one JSON object a line.

Examples:
  dunlin mcu log J-Link
  dunlin mcu log J-Link --follow --json | tee device.log`;

interface LogOptions extends LineOptions {
  readonly follow: boolean;
}

export function logCommand(io: CommandIo): Command {
  const command = new Command('log')
    .description('what a device has logged')
    .argument('<port>', PORT_HELP)
    .option('--follow', 'go on with what it logs from now on', false);
  return withLineOptions(command)
    .addHelpText('after', HELP)
    .action((port: string, options: LogOptions) => log(io, port, options));
}

async function log(io: CommandIo, port: string, options: LogOptions): Promise<void> {
  await withDevice(io, port, options, async ({ client }) => {
    const reader = new LogReader(io, new ModelGroup(client), options.json);
    if (!options.follow) return await reader.readAll();
    try {
      await follow(io, client, reader);
    } catch (error) {
      // Ctrl-C is how following ends.
      if (!io.signal.aborted) throw error;
    }
  });
}

async function follow(io: CommandIo, client: SmpClient, reader: LogReader): Promise<never> {
  let isLost = false;
  for (;;) {
    try {
      await client.open();
      await reader.readAll();
      isLost = false;
      await systemClock.sleep(POLL_MS, io.signal);
    } catch (error) {
      if (io.signal.aborted || !isLineError(error)) throw error;
      if (!isLost) io.err(`note: ${errorMessage(error)}; waiting for it\n`);
      isLost = true;
      await client.close();
      await systemClock.sleep(REOPEN_MS, io.signal);
    }
  }
}

/** Invariant: `#since` is the number of the first line that was not printed yet. */
class LogReader {
  readonly #io: CommandIo;
  readonly #models: ModelGroup;
  readonly #json: boolean;
  #since = 0;

  constructor(io: CommandIo, models: ModelGroup, json: boolean) {
    this.#io = io;
    this.#models = models;
    this.#json = json;
  }

  /** Up to the end of what there is now. */
  async readAll(): Promise<void> {
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const answer = await this.#models.readLog(this.#since, this.#io.signal);
      if (answer.next < this.#since) {
        // Numbers start at 0 with each reset.
        this.#io.err('note: the device was reset\n');
        this.#since = 0;
        continue;
      }
      this.#print(answer);
      const isEnd = answer.next === this.#since || answer.lines.length === 0;
      this.#since = answer.next;
      if (isEnd) return;
    }
  }

  #print({ lines, lost }: ModelLog): void {
    if (lost !== undefined && lost > 0) this.#io.err(`note: ${lost} older lines are lost\n`);
    for (const { n, ms, level, text } of lines) {
      const name = LEVELS[level] ?? `level ${level}`;
      this.#io.out(
        this.#json
          ? `${JSON.stringify({ number: n, uptimeMs: ms, level: name, text })}\n`
          : `${(ms / 1000).toFixed(3).padStart(10)} ${name.padEnd(5)} ${text}\n`,
      );
    }
  }
}
