import { Command } from 'commander';
import { DunlinError } from '../../core/index.ts';
import { type GoldenVector, ModelGroup } from '../../mcu/index.ts';
import type { CommandIo } from '../command.ts';
import { type LineOptions, PORT_HELP, withDevice, withLineOptions } from './connection.ts';
import { madeGolden, readGolden, readModelFile, releaseGoldenPath } from './model-file.ts';
import { durationText, medianOf } from './text.ts';

const HELP = `
The model that runs (the one on trial, where there is one) has to give every golden vector's outputs byte for byte. The
first that differs is named, with how many bytes differ and by how much. Nothing on the device changes, except that a
model on trial that passes may be confirmed, and one that fails may not.

Examples:
  dunlin mcu selftest J-Link --release repo/releases/motor/1.4.0
  dunlin mcu selftest J-Link --golden golden.npz --json
  dunlin mcu selftest J-Link --model model.plan        # made-up inputs, outputs of the plan's oracle`;

interface SelfTestOptions extends LineOptions {
  readonly golden?: string;
  readonly release?: string;
  readonly model?: string;
}

export function selfTestCommand(io: CommandIo): Command {
  const command = new Command('selftest')
    .description('run golden vectors on a device')
    .argument('<port>', PORT_HELP)
    .option('--golden <npz>', 'golden vectors of a release')
    .option('--release <dir>', "a release's directory, for its golden vectors")
    .option('--model <file>', 'a .plan, a .tflite or a container: vectors are made of it');
  return withLineOptions(command)
    .addHelpText('after', HELP)
    .action((port: string, options: SelfTestOptions) => selfTest(io, port, options));
}

async function selfTest(io: CommandIo, port: string, options: SelfTestOptions): Promise<void> {
  const vectors = await vectorsOf(options);
  const durationsUs = await withDevice(io, port, options, ({ client }) =>
    new ModelGroup(client).selfTest(vectors, io.signal),
  );
  const medianUs = medianOf(durationsUs);
  if (options.json) {
    io.out(`${JSON.stringify({ port, vectors: vectors.length, passed: true, medianUs })}\n`);
    return;
  }
  const time = medianUs === null ? '' : `, ${durationText(medianUs)} each`;
  io.out(`${port}: ${vectors.length} golden vectors, every byte right${time}\n`);
}

async function vectorsOf({ golden, release, model }: SelfTestOptions): Promise<GoldenVector[]> {
  const named = [golden, release, model].filter((option) => option !== undefined);
  if (named.length !== 1) {
    throw new DunlinError('say what to run: --golden, --release or --model', { code: 'usage' });
  }
  if (model !== undefined) return madeGolden(await readModelFile(model));
  return await readGolden(golden ?? (await releaseGoldenPath(release!)));
}
