import { Command } from 'commander';
import { nodeFiles, systemClock } from '../core/index.ts';
import { addMcuKey, DAY_MS, DEFAULT_LIFETIMES, initKeys } from '../release/index.ts';
import type { CommandFactory, CommandIo } from './command.ts';
import { daysMs } from './option-values.ts';
import { PASSPHRASE_OPTION, type PassphraseOptions, readPassphrase } from './passphrase.ts';

const INIT_HELP = `
Makes six Ed25519 keys, the first root.json and a public key for firmware:
  offline  root, targets                     encrypted with a passphrase. A release is signed with them, so keep them
                                             off the network, on a medium that is in a drawer.
           mcu                               encrypted as well: what microcontrollers run is signed with it.
  online   snapshot, timestamp, assignment   for the machine that publishes. Alone they make no device run anything.
  <online>/root.json                         what a gateway trusts: copy it to each and name it in the agent's
                                             configuration (trust.rootFile).
  <online>/mcu.pub.pem                       what a microcontroller trusts: its bootloader is given
                                             it, and MCUboot takes it as well.
Keys that are there are never overwritten.

Examples:
  dunlin keys init --offline /media/usb/keys --online keys --fleet plant
  dunlin keys init --offline /media/usb/keys --online keys --passphrase-file passphrase.txt --json`;

const ADD_MCU_HELP = `
For a fleet whose keys were made before there was a key for microcontrollers: makes <offline>/mcu.key.json, with the
passphrase of the other offline keys, and <online>/mcu.pub.pem. No gateway needs to know. Where the key is there and
only mcu.pub.pem is not, that is written again.

Example:
  dunlin keys add-mcu --offline /media/usb/keys --online keys`;

interface KeyDirectories extends PassphraseOptions {
  readonly offline: string;
  readonly online: string;
  readonly json: boolean;
}

interface InitOptions extends KeyDirectories {
  readonly fleet?: string;
  readonly rootDays: string;
}

/** `dunlin keys`: a fleet's signing keys. */
export const keysCommand: CommandFactory = (io) =>
  new Command('keys')
    .description("a fleet's signing keys")
    .addCommand(
      new Command('init')
        .description('make the keys of a new fleet')
        .requiredOption('--offline <dir>', 'where the encrypted root, targets and mcu keys go')
        .requiredOption('--online <dir>', 'where the other keys, root.json and mcu.pub.pem go')
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
    )
    .addCommand(
      new Command('add-mcu')
        .description('give a fleet that has none a key for microcontrollers')
        .requiredOption('--offline <dir>', 'the offline keys')
        .requiredOption('--online <dir>', 'where mcu.pub.pem goes')
        .option(...PASSPHRASE_OPTION)
        .option('--json', 'print the key id as one JSON document', false)
        .addHelpText('after', ADD_MCU_HELP)
        .action((options: KeyDirectories) => addMcu(io, options)),
    );

async function init(io: CommandIo, options: InitOptions): Promise<void> {
  const { offline, online, fleet, json } = options;
  const rootMs = daysMs(options.rootDays, '--root-days');
  const { rootPath, mcuPublicPath, keyids } = await initKeys({
    files: nodeFiles,
    offlineDir: offline,
    onlineDir: online,
    passphrase: await readPassphrase(options, io, 'new'),
    ...(fleet === undefined ? {} : { fleet }),
    nowMs: systemClock.nowMs(),
    lifetimes: { ...DEFAULT_LIFETIMES, rootMs },
  });
  if (json) {
    const document = { rootFile: rootPath, mcuPublicKeyFile: mcuPublicPath, keys: keyids };
    io.out(`${JSON.stringify(document)}\n`);
    return;
  }
  io.out(`offline keys: ${offline} (root, targets, mcu)\n`);
  io.out(`online keys:  ${online} (snapshot, timestamp, assignment)\n`);
  io.out(`gateways trust ${rootPath}\n`);
  io.out(`microcontrollers trust ${mcuPublicPath}\n`);
}

async function addMcu(io: CommandIo, options: KeyDirectories): Promise<void> {
  const { offline, online, json } = options;
  const { mcuPublicPath, keyid } = await addMcuKey({
    files: nodeFiles,
    offlineDir: offline,
    onlineDir: online,
    passphrase: await readPassphrase(options, io, 'open'),
  });
  if (json) {
    const document = { mcuPublicKeyFile: mcuPublicPath, keys: { mcu: keyid } };
    io.out(`${JSON.stringify(document)}\n`);
    return;
  }
  io.out(`offline key: ${offline} (mcu)\n`);
  io.out(`microcontrollers trust ${mcuPublicPath}\n`);
}
