import { basename } from 'node:path';
import { type Command, Option } from 'commander';
import { DunlinError } from '../core/index.ts';
import { readSmpBoard } from '../plan/index.ts';
import type { McuFirmware, McuOptions } from '../release/index.ts';
import type { CommandIo } from './command.ts';
import { MCU_KEY_HELP, readMcuKey } from './mcu-key.ts';
import { collect, counterValue } from './option-values.ts';
import { PASSPHRASE_OPTION, type PassphraseOptions } from './passphrase.ts';
import { PLAN_TARGET_NAMES, type PlanTargetName, planTarget } from './plan-target.ts';
import { readReleaseFile } from './release-source.ts';

/** What of `dunlin release build` is for microcontrollers. */
export interface ReleaseMcuOptions extends PassphraseOptions {
  readonly mcu?: PlanTargetName;
  readonly mcuPlan?: string;
  readonly mcuTflite: boolean;
  readonly firmware: readonly string[];
  readonly mcuKey?: string;
  readonly securityCounter: string;
}

export const RELEASE_MCU_HELP = `
Microcontrollers behind a gateway get theirs from the same release, signed with a key of their own (--mcu-key). All of
it has the release's version where that is major.minor.patch, else 0.0.0; devices do not compare versions.
  --mcu              the model, compiled to an execution plan for this target (dunlin compile); its golden outputs are
                     exact, and a device runs them before it keeps the model.
  --mcu-plan         a plan that was compiled already.
  --mcu-tflite       the .tflite itself, for firmware whose engine is TFLite Micro.
  --firmware         firmware for a board of devices/boards: a signed image as it is, or a .bin, .hex or ELF file that
                     is signed here. May be repeated, for several boards.
  --security-counter what a device has confirmed once is the lowest that it takes from then on. Raise it to lock out
                     releases with a hole; equal ones can be rolled back.`;

export const RELEASE_MCU_EXAMPLE = `
  dunlin release build --repo repo --model motor --version 1.4.0 --from optimized --labels labels.json \\
    --mcu cortex-m4 --firmware nrf52840-dk=zephyr.hex --mcu-key /media/usb/keys/mcu.key.json`;

export function withMcuOptions(command: Command): Command {
  return command
    .addOption(
      new Option('--mcu <target>', 'for microcontrollers: the model as a plan for this target')
        .choices(PLAN_TARGET_NAMES)
        .conflicts('mcuPlan'),
    )
    .option('--mcu-plan <file>', 'for microcontrollers: a plan of dunlin compile')
    .option('--mcu-tflite', 'for firmware with TFLite Micro: the model as it is', false)
    .option('--firmware <board=file>', 'firmware for a board; may be repeated', collect, [])
    .option('--mcu-key <file>', MCU_KEY_HELP)
    .option(...PASSPHRASE_OPTION)
    .option('--security-counter <n>', 'against downgrades of microcontrollers', '0');
}

/** Undefined where nothing is for microcontrollers. @throws `usage`, what reading files and keys throws */
export async function readMcuOptions(
  io: CommandIo,
  options: ReleaseMcuOptions,
): Promise<McuOptions | undefined> {
  const { mcu, mcuPlan, mcuTflite, mcuKey } = options;
  const securityCounter = counterValue(options.securityCounter, '--security-counter');
  const firmware: McuFirmware[] = [];
  for (const pair of options.firmware) firmware.push(await readFirmware(pair));
  if (mcu === undefined && mcuPlan === undefined && !mcuTflite && firmware.length === 0) {
    if (mcuKey === undefined) return undefined;
    throw usage('--mcu-key signs --mcu, --mcu-plan, --mcu-tflite or --firmware, and there is none');
  }
  const plan = mcuPlan === undefined ? undefined : await readReleaseFile(mcuPlan);
  return {
    ...(mcu === undefined ? {} : { plan: planTarget(mcu) }),
    ...(plan === undefined ? {} : { plan }),
    tflite: mcuTflite,
    firmware,
    ...(mcuKey === undefined ? {} : { privateKey: await readMcuKey(mcuKey, options, io) }),
    securityCounter,
  };
}

async function readFirmware(pair: string): Promise<McuFirmware> {
  const [name = '', ...rest] = pair.split('=');
  const path = rest.join('=');
  if (name === '' || path === '') throw usage(`--firmware ${pair}: write board=file`);
  const board = await readSmpBoard(name);
  return { board, file: await readReleaseFile(path), what: basename(path) };
}

function usage(message: string): DunlinError {
  return new DunlinError(message, { code: 'usage' });
}
