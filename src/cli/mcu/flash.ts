import { createPublicKey, type KeyObject } from 'node:crypto';
import { basename } from 'node:path';
import { Command } from 'commander';
import { DunlinError, readNamedFile } from '../../core/index.ts';
import {
  looksLikeMcuboot,
  MAX_IMAGE_BYTES,
  openContainer,
  parseMcubootVersion,
  signFirmware,
} from '../../mcu/index.ts';
import { readSmpBoard, type SmpBoard } from '../../plan/index.ts';
import type { CommandIo } from '../command.ts';
import { MCU_KEY_HELP, readMcuKey } from '../mcu-key.ts';
import { counterValue } from '../option-values.ts';
import { PASSPHRASE_OPTION, type PassphraseOptions } from '../passphrase.ts';
import { type LineOptions, PORT_HELP, withDevice, withLineOptions } from './connection.ts';
import { describeFlash, type FlashReport, FlashRun } from './flash-job.ts';

const HELP = `
FILE is a signed image as MCUboot and Dunlin's bootloader take it, or, with --key, a .bin, .hex or ELF file that is
signed on the way. The device is asked which board it is before anything is erased. Then: upload into the slot that
does not run, test, reset; and once the new firmware answers, confirm. Until then any reset brings back the old one.

A job that was cut off (line, power, Ctrl-C) is written down under $XDG_STATE_HOME/dunlin/mcu; --resume finishes it, a
model's too, sending only what the device has not got yet.

Examples:
  dunlin mcu flash J-Link zephyr.signed.bin --board nrf52840-dk
  dunlin mcu flash /dev/ttyACM0 zephyr.hex --board nrf52840-dk --key keys/offline/mcu.key.json --version 1.4.0
  dunlin mcu flash J-Link --resume --json`;

/** What signing on the way takes, of firmware and of models. */
export interface SigningOptions extends PassphraseOptions {
  readonly key?: string;
  readonly version: string;
  readonly securityCounter: string;
}

export function withSigningOptions(command: Command): Command {
  return command
    .option('--key <file>', MCU_KEY_HELP)
    .option(...PASSPHRASE_OPTION)
    .option('--version <major.minor.patch>', 'of what is signed here', '0.0.0')
    .option('--security-counter <n>', 'of what is signed here, against downgrades', '0');
}

interface FlashOptions extends LineOptions, SigningOptions {
  readonly board?: string;
  readonly resume: boolean;
}

export function flashCommand(io: CommandIo): Command {
  const command = new Command('flash')
    .description('bring firmware into a device, try it, and make the device keep it')
    .argument('<port>', PORT_HELP)
    .argument('[file]', 'a signed image, or what a linker left')
    .option('--board <name>', 'what the firmware is for, a profile of devices/boards')
    .option('--resume', 'finish the job that was cut off on this device', false);
  return withLineOptions(withSigningOptions(command))
    .addHelpText('after', HELP)
    .action((port: string, file: string | undefined, options: FlashOptions) =>
      flash(io, port, file, options),
    );
}

async function flash(
  io: CommandIo,
  port: string,
  file: string | undefined,
  options: FlashOptions,
): Promise<void> {
  if (options.resume) {
    if (file !== undefined) throw usage('--resume has its file from the job; leave it out');
    return await resume(io, port, options);
  }
  if (file === undefined) throw usage('name a file, or --resume');
  if (options.board === undefined) throw usage('say what the firmware is for: --board <name>');
  const board = await readSmpBoard(options.board);
  const image = await firmwareOf(io, file, board, options);
  const { names, baudRate } = board.smp;
  const report = await withDevice(io, port, { ...options, baudRate }, ({ client }) =>
    new FlashRun(io, port).flash(client, {
      kind: 'firmware',
      boards: names,
      file: image,
      golden: [],
    }),
  );
  print(io, options, report);
}

async function resume(io: CommandIo, port: string, options: FlashOptions): Promise<void> {
  const report = await withDevice(io, port, options, ({ client }) =>
    new FlashRun(io, port).resume(client),
  );
  if (report !== undefined) return print(io, options, report);
  io.out(
    options.json ? `${JSON.stringify({ port, kind: null })}\n` : `${port}: nothing to resume\n`,
  );
}

/** A signed image: the file, or what is made of it with the key. */
async function firmwareOf(
  io: CommandIo,
  path: string,
  board: SmpBoard,
  options: SigningOptions,
): Promise<Uint8Array> {
  const what = basename(path);
  const file = await readNamedFile(path, MAX_IMAGE_BYTES);
  const signing = await readSigning(io, options);
  if (looksLikeMcuboot(file)) {
    openContainer(file, what, 'firmware', publicKeysOf(signing?.privateKey));
    return file;
  }
  if (signing === undefined) throw unsigned(what);
  return signFirmware(file, what, board.smp.image, signing);
}

/** Undefined without a key. @throws `usage`, `input-invalid`, what reading the key throws */
export async function readSigning(io: CommandIo, options: SigningOptions) {
  const version = parseMcubootVersion(options.version);
  const securityCounter = counterValue(options.securityCounter, '--security-counter');
  if (options.key === undefined) return undefined;
  const privateKey = await readMcuKey(options.key, options, io);
  return { version, securityCounter, privateKey };
}

/** What a file that is signed already has to be signed with, where a key is named. */
export function publicKeysOf(privateKey: KeyObject | undefined): KeyObject[] | undefined {
  return privateKey === undefined ? undefined : [createPublicKey(privateKey)];
}

export function unsigned(what: string): DunlinError {
  return new DunlinError(
    `${what}: not signed, and devices take signed files only; name the key with --key (dunlin keys init makes it)`,
    { code: 'untrusted-signature' },
  );
}

export function print(io: CommandIo, { json }: LineOptions, report: FlashReport): void {
  io.out(json ? `${JSON.stringify(report)}\n` : describeFlash(report));
}

function usage(message: string): DunlinError {
  return new DunlinError(message, { code: 'usage' });
}
