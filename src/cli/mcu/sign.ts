import { basename } from 'node:path';
import { Command, Option } from 'commander';
import { DunlinError, nodeFiles, readNamedFile, writeFileAtomic } from '../../core/index.ts';
import {
  type FirmwareLayout,
  MAX_IMAGE_BYTES,
  mcubootVersionText,
  parseMcubootImage,
  signFirmware,
  signModel,
} from '../../mcu/index.ts';
import { readSmpBoard } from '../../plan/index.ts';
import type { CommandIo } from '../command.ts';
import { integerValue } from '../option-values.ts';
import { readSigning, type SigningOptions, withSigningOptions } from './flash.ts';
import { hexText } from './text.ts';

/** What Zephyr leaves in front of its vector table. Kconfig.zephyr, TEXT_SECTION_OFFSET */
const DEFAULT_HEADER_BYTES = 0x200;

const HELP = `
Makes the bytes that imgtool makes of the same: header, payload, security counter, SHA-256, key hash, Ed25519 signature.
Firmware is a .bin, .hex or ELF file; --board knows its header and where it has to be linked, else --header-bytes says
how much of the slot the header takes (${DEFAULT_HEADER_BYTES} as in Zephyr). A model is a .plan or a .tflite.

Examples:
  dunlin mcu sign zephyr.hex --out app.bin --kind firmware --board nrf52840-dk --key mcu.key.json --version 1.4.0
  dunlin mcu sign model.plan --out mcu.plan --kind model --key mcu.key.json --version 1.4.0 --security-counter 2`;

interface SignOptions extends SigningOptions {
  readonly out: string;
  readonly kind: 'firmware' | 'model';
  readonly board?: string;
  readonly headerBytes?: string;
  readonly json: boolean;
}

export function signCommand(io: CommandIo): Command {
  const command = new Command('sign')
    .description('make a signed container of firmware or of a model, without a device')
    .argument('<file>', 'what a linker or dunlin compile left, or a .tflite')
    .requiredOption('-o, --out <file>', 'where the container goes')
    .addOption(
      new Option('--kind <kind>', 'what it is')
        .choices(['firmware', 'model'])
        .makeOptionMandatory(),
    )
    .option('--board <name>', 'of firmware: a profile of devices/boards')
    .option('--header-bytes <n>', 'of firmware without --board: from the slot to the code');
  return withSigningOptions(command)
    .option('--json', 'print one JSON document', false)
    .addHelpText('after', HELP)
    .action((file: string, options: SignOptions) => signFile(io, file, options));
}

async function signFile(io: CommandIo, path: string, options: SignOptions): Promise<void> {
  const { kind, out } = options;
  const what = basename(path);
  const signing = await readSigning(io, options);
  if (signing === undefined) throw usage('name the key: --key mcu.key.json (dunlin keys init)');
  const file = await readNamedFile(path, MAX_IMAGE_BYTES);
  const container =
    kind === 'model'
      ? signModel(file, signing)
      : signFirmware(file, what, await layoutOf(options), signing);
  await writeFileAtomic(nodeFiles, out, container);
  const { hash, version } = parseMcubootImage(container, out);
  const report = {
    ...{ file: out, kind, version: mcubootVersionText(version) },
    securityCounter: signing.securityCounter,
    ...{ sizeBytes: container.byteLength, hashHex: hexText(hash) },
  };
  if (options.json) io.out(`${JSON.stringify(report)}\n`);
  else io.out(`${out}: ${kind} ${report.version}, ${report.sizeBytes} bytes\n${report.hashHex}\n`);
}

async function layoutOf({ board, headerBytes }: SignOptions): Promise<FirmwareLayout> {
  if (board !== undefined) {
    if (headerBytes === undefined) return (await readSmpBoard(board)).smp.image;
    throw usage('--board knows the header; leave --header-bytes out');
  }
  const bytes =
    headerBytes === undefined ? DEFAULT_HEADER_BYTES : integerValue(headerBytes, '--header-bytes');
  if (bytes >= 32 && bytes <= 0xffff && bytes % 4 === 0) {
    return { payload: 'segments', headerBytes: bytes };
  }
  throw usage('--header-bytes: a multiple of 4 from 32 to 65532');
}

function usage(message: string): DunlinError {
  return new DunlinError(message, { code: 'usage' });
}
