#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { DunlinError, ERROR_EXIT_STATUS, errnoOf, errorMessage } from '../core/index.ts';
import type { CommandFactory, CommandIo } from './command.ts';

/** Loaded when asked for: `inspect` need not wait for MQTT and TUF. */
const COMMANDS: Record<string, { summary: string; load: () => Promise<CommandFactory> }> = {
  demo: {
    summary: 'the guided tour: a broker, a release repository and an agent on this machine',
    load: async () => (await import('./demo.ts')).demoCommand,
  },
  agent: {
    summary: 'run the agent of a gateway',
    load: async () => (await import('./agent.ts')).agentCommand,
  },
  inspect: {
    summary: 'what is in a .tflite file',
    load: async () => (await import('./inspect.ts')).inspectCommand,
  },
  run: {
    summary: 'run a .tflite file on an .npy array',
    load: async () => (await import('./run.ts')).runCommand,
  },
  optimize: {
    summary: 'quantize a float .tflite file, and say what that costs and loses',
    load: async () => (await import('./optimize.ts')).optimizeCommand,
  },
  compare: {
    summary: 'compare two .tflite files on the same inputs, layer by layer',
    load: async () => (await import('./compare.ts')).compareCommand,
  },
  repack: {
    summary: 'make a .tflite file smaller without changing what it computes',
    load: async () => (await import('./repack.ts')).repackCommand,
  },
  compile: {
    summary: 'compile an int8 .tflite file to an execution plan for a microcontroller',
    load: async () => (await import('./compile.ts')).compileCommand,
  },
  plan: {
    summary: 'run an execution plan here or on a microcontroller in QEMU',
    load: async () => (await import('./plan.ts')).planCommand,
  },
  devices: {
    summary: 'what inference can run on here',
    load: async () => (await import('./devices.ts')).devicesCommand,
  },
  mcu: {
    summary: 'microcontrollers on serial lines: list, flash, models, self-tests, log',
    load: async () => (await import('./mcu/mcu.ts')).mcuCommand,
  },
  keys: {
    summary: "make a fleet's signing keys",
    load: async () => (await import('./keys.ts')).keysCommand,
  },
  release: {
    summary: 'build, publish, refresh and list releases',
    load: async () => (await import('./release.ts')).releaseCommand,
  },
  assign: {
    summary: 'say what a device or a group should run',
    load: async () => (await import('./assign.ts')).assignCommand,
  },
};

const INTERNAL_ERROR_STATUS = 1;
/** As a shell says it of SIGINT. */
const INTERRUPTED_STATUS = 130;
const USAGE_STATUS = ERROR_EXIT_STATUS.usage;

async function main(argv: readonly string[], io: CommandIo): Promise<number> {
  const program = new Command('dunlin')
    .description('Runs int8 models at the edge and keeps them right there.')
    .version(packageVersion(), '--version')
    .enablePositionalOptions()
    .addHelpText('after', '\nExit status: docs/EXIT-CODES.md. First steps: dunlin demo');
  const wanted = argv.find((word) => !word.startsWith('-'));
  const chosen = argv[0] === 'help' ? argv[1] : wanted;
  for (const [name, { summary, load }] of Object.entries(COMMANDS)) {
    if (name === chosen) program.addCommand((await load())(io).summary(summary));
    else program.command(name).summary(summary);
  }
  throwInsteadOfExit(program);
  try {
    await program.parseAsync([...argv], { from: 'user' });
    return 0;
  } catch (error) {
    return report(error, io);
  }
}

function throwInsteadOfExit(command: Command): void {
  command.exitOverride().configureOutput({
    outputError: (text, write) =>
      write(`dunlin: ${text.replace(/^error: /, '').trim()}; see --help [usage]\n`),
  });
  for (const child of command.commands) throwInsteadOfExit(child);
}

function report(error: unknown, io: CommandIo): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : USAGE_STATUS;
  if (io.signal.aborted) return INTERRUPTED_STATUS;
  if (error instanceof DunlinError) {
    io.err(`dunlin: ${errorMessage(error)} [${error.code}]\n`);
    return ERROR_EXIT_STATUS[error.code];
  }
  if (error instanceof Error && 'syscall' in error) {
    // A full disk, a missing permission: the machine's affair, and the message names the file.
    io.err(`dunlin: ${errorMessage(error)} [file-unreadable]\n`);
    return ERROR_EXIT_STATUS['file-unreadable'];
  }
  io.err(`dunlin: internal error: ${errorMessage(error)}\n`);
  if (io.env['DUNLIN_DEBUG'] !== undefined && error instanceof Error) io.err(`${error.stack}\n`);
  return INTERNAL_ERROR_STATUS;
}

function packageVersion(): string {
  const text = readFileSync(new URL('../../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

// A reader that has heard enough (`| head`) is no fault.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error) => {
    if (errnoOf(error) !== 'EPIPE') throw error;
    process.exit(0);
  });
}
const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => stop.abort(new Error(signal)));
}
process.exitCode = await main(process.argv.slice(2), {
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
  env: process.env,
  interactive: process.stderr.isTTY === true,
  signal: stop.signal,
});
