import { Command } from 'commander';
import { DunlinError } from '../../core/index.ts';
import { type GoldenVector, ModelGroup, openContainer, signModel } from '../../mcu/index.ts';
import { readSmpBoard } from '../../plan/index.ts';
import type { CommandIo } from '../command.ts';
import { type LineOptions, PORT_HELP, withDevice, withLineOptions } from './connection.ts';
import {
  print,
  publicKeysOf,
  readSigning,
  type SigningOptions,
  unsigned,
  withSigningOptions,
} from './flash.ts';
import { FlashRun } from './flash-job.ts';
import {
  type ModelFile,
  madeGolden,
  readGolden,
  readModelFile,
  releaseGoldenPath,
  releaseModelPath,
  requireWidths,
} from './model-file.ts';

const HELP = `
FILE is a signed container (mcu.plan or model.tflite of a release, or of dunlin mcu sign), or, with --key, a .plan of
dunlin compile or a .tflite, signed on the way. It goes into the slot that is not confirmed; the device loads it, runs
the golden vectors, and keeps it only when every byte is right. Nothing is reset, and the firmware stays as it is.

  --golden    golden.npz of a release: inputs, and what must come out.
  --release   a release's directory (<repo>/releases/<model>/<version>): the golden vectors, and the file too where none
              is named.
Without either, eight inputs are made up and the outputs are those of the plan's oracle on this machine: it shows that
the device computes what this file says, not that the file is the model that you wanted.

Examples:
  dunlin mcu model J-Link --release repo/releases/motor/1.4.0
  dunlin mcu model /dev/ttyACM0 model.plan --key keys/offline/mcu.key.json --version 1.4.0`;

interface ModelOptions extends LineOptions, SigningOptions {
  readonly board?: string;
  readonly golden?: string;
  readonly release?: string;
}

export function modelCommand(io: CommandIo): Command {
  const command = new Command('model')
    .description('bring a model into a device, test it there, and make the device keep it')
    .argument('<port>', PORT_HELP)
    .argument('[file]', 'a signed container, or a .plan or .tflite with --key')
    .option('--golden <npz>', 'golden vectors of a release')
    .option('--release <dir>', 'a release: its golden vectors, and its model')
    .option('--board <name>', 'only if the device is this board');
  return withLineOptions(withSigningOptions(command))
    .addHelpText('after', HELP)
    .action((port: string, file: string | undefined, options: ModelOptions) =>
      flashModel(io, port, file, options),
    );
}

async function flashModel(
  io: CommandIo,
  port: string,
  path: string | undefined,
  options: ModelOptions,
): Promise<void> {
  const { release, golden } = options;
  if (path === undefined && release === undefined) throw usage('name a file, or --release <dir>');
  if (release !== undefined && golden !== undefined) {
    throw usage('--release has golden vectors of its own; leave --golden out');
  }
  const board = options.board === undefined ? undefined : await readSmpBoard(options.board);
  // Whatever is wrong with the files is said before the line is opened.
  const named = path === undefined ? undefined : await prepare(io, path, options);
  const speed = board === undefined ? {} : { baudRate: board.smp.baudRate };
  const report = await withDevice(io, port, { ...options, ...speed }, async ({ client }) => {
    const state = await new ModelGroup(client).readState(io.signal);
    const prepared =
      named ?? (await prepare(io, await releaseModelPath(release!, state.engine), options));
    return await new FlashRun(io, port).flash(client, {
      kind: 'model',
      boards: board?.smp.names ?? [state.board],
      file: prepared.container,
      golden: prepared.golden,
    });
  });
  print(io, options, report);
}

interface Prepared {
  readonly container: Uint8Array;
  readonly golden: readonly GoldenVector[];
}

async function prepare(io: CommandIo, path: string, options: ModelOptions): Promise<Prepared> {
  const file = await readModelFile(path);
  const { release } = options;
  const golden =
    options.golden ?? (release === undefined ? undefined : await releaseGoldenPath(release));
  const vectors = golden === undefined ? madeGolden(file) : await readGolden(golden);
  requireWidths(file, vectors);
  return { container: await containerOf(io, file, options), golden: vectors };
}

async function containerOf(
  io: CommandIo,
  file: ModelFile,
  options: SigningOptions,
): Promise<Uint8Array> {
  const signing = await readSigning(io, options);
  if (file.isContainer) {
    openContainer(file.bytes, file.what, 'model', publicKeysOf(signing?.privateKey));
    return file.bytes;
  }
  if (signing === undefined) throw unsigned(file.what);
  return signModel(file.payload, signing);
}

function usage(message: string): DunlinError {
  return new DunlinError(message, { code: 'usage' });
}
