import { Command } from 'commander';
import { nodeFiles, systemClock } from '../core/index.ts';
import { DAY_MS, DEFAULT_LIFETIMES, initKeys } from '../release/index.ts';
import type { CommandFactory, CommandIo } from './command.ts';
import { daysMs } from './option-values.ts';
import { PASSPHRASE_OPTION, type PassphraseOptions, readPassphrase } from './passphrase.ts';

const INIT_HELP = `
Makes five Ed25519 keys and the first root.json:
  offline  root, targets                     encrypted with a passphrase. A release is signed with them, so keep them
                                             off the network, on a medium that is in a drawer.
  online   snapshot, timestamp, assignment   for the machine that publishes. Alone they make no device run anything.
  <online>/root.json                         what a device trusts: copy it to each and name it in the agent's
                                             configuration (trust.rootFile).
Keys that are there are never overwritten.

Examples:
  dunlin keys init --offline /media/usb/keys --online keys --fleet plant
  dunlin keys init --offline /media/usb/keys --online keys --passphrase-file passphrase.txt --json`;

interface InitOptions extends PassphraseOptions {
  readonly offline: string;
  readonly online: string;
  readonly fleet?: string;
  readonly rootDays: string;
  readonly json: boolean;
}

/** `dunlin keys`: a fleet's signing keys. */
export const keysCommand: CommandFactory = (io) =>
  new Command('keys').description("a fleet's signing keys").addCommand(
    new Command('init')
      .description('make the keys of a new fleet')
      .requiredOption('--offline <dir>', 'where the encrypted root and targets keys go')
      .requiredOption('--online <dir>', 'where the other keys and root.json go')
      .option('--fleet <name>', 'the fleet, so that publishing need not be told')
      .option(...PASSPHRASE_OPTION)
      .option(
        '--root-days <n>',
        'how long root.json holds',
        String(DEFAULT_LIFETIMES.rootMs / DAY_MS),
      )
      .option('--json', 'print the key ids as one JSON document', false)
      .addHelpText('after', INIT_HELP)
      .action((options: InitOptions) => init(io, options)),
  );

async function init(io: CommandIo, options: InitOptions): Promise<void> {
  const { offline, online, fleet, json } = options;
  const rootMs = daysMs(options.rootDays, '--root-days');
  const { rootPath, keyids } = await initKeys({
    files: nodeFiles,
    offlineDir: offline,
    onlineDir: online,
    passphrase: await readPassphrase(options, io, 'new'),
    ...(fleet === undefined ? {} : { fleet }),
    nowMs: systemClock.nowMs(),
    lifetimes: { ...DEFAULT_LIFETIMES, rootMs },
  });
  if (json) {
    io.out(`${JSON.stringify({ rootFile: rootPath, keys: keyids })}\n`);
    return;
  }
  io.out(`offline keys: ${offline} (root, targets)\n`);
  io.out(`online keys:  ${online} (snapshot, timestamp, assignment)\n`);
  io.out(`devices trust ${rootPath}\n`);
}
