import { basename } from 'node:path';
import { Command } from 'commander';
import { DunlinError, readNamedFile } from '../core/index.ts';
import {
  describeModel,
  MAX_MODEL_BYTES,
  type ModelDescription,
  parseModel,
  type TensorDescription,
  type TfliteModel,
  verifyModel,
} from '../tflite/index.ts';
import type { CommandIo } from './command.ts';
import { grouped, table } from './table.ts';

interface InspectOptions {
  readonly json: boolean;
}

/** Why Dunlin would not run the model; undefined when it would. */
interface Refusal {
  readonly code: string;
  readonly message: string;
}

/** `dunlin inspect`: what is in a `.tflite` file, and whether Dunlin would run it. */
export function inspectCommand(io: CommandIo): Command {
  return new Command('inspect')
    .description('show what is in a .tflite file, and whether Dunlin would run it')
    .argument('<model>', 'a .tflite file')
    .option('--json', 'print one JSON document', false)
    .addHelpText(
      'after',
      `
Examples:
  dunlin inspect model.tflite
  dunlin inspect model.tflite --json | jq .fullyInt8

A model that is well-formed and cannot be run (an operator that Dunlin does not know) is shown
with the reason, with exit status 0; a file that is no sound model ends with status 4.`,
    )
    .action((file: string, options: InspectOptions) => inspect(io, file, options));
}

async function inspect(io: CommandIo, file: string, options: InspectOptions): Promise<void> {
  const what = basename(file);
  const bytes = await readNamedFile(file, MAX_MODEL_BYTES);
  const model = parseModel(bytes, what);
  const refusal = refusalOf(model, what);
  const description = describeModel(model, bytes);
  io.out(
    options.json
      ? `${JSON.stringify({ ...description, runnable: refusal === undefined, ...(refusal && { refusal }) })}\n`
      : formatDescription(what, description, refusal),
  );
}

function refusalOf(model: TfliteModel, what: string): Refusal | undefined {
  try {
    verifyModel(model, what);
    return undefined;
  } catch (error) {
    if (!(error instanceof DunlinError) || error.code === 'model-malformed') throw error;
    return { code: error.code, message: error.message };
  }
}

function formatDescription(
  what: string,
  description: ModelDescription,
  refusal: Refusal | undefined,
): string {
  const kind = description.edgetpu
    ? 'compiled for the Edge TPU'
    : description.fullyInt8
      ? 'fully int8'
      : 'not fully int8';
  const lines = [
    `${what}: ${grouped(description.sizeBytes)} bytes, ${kind}`,
    '',
    ...table([
      ['', 'name', 'type', 'shape', 'scale', 'zero point'],
      ...description.inputs.map((tensor) => ['input', ...tensorCells(tensor)]),
      ...description.outputs.map((tensor) => ['output', ...tensorCells(tensor)]),
    ]),
    '',
    ...table([
      ['operator', 'version', 'count', 'MACs'],
      ...description.operators.map(({ name, version, count, macs }) => [
        name,
        `${version}`,
        `${count}`,
        grouped(macs),
      ]),
    ]),
    '',
    `parameters ${grouped(description.parameterCount)}, MACs ${grouped(description.macs)}, ` +
      `zero weights ${(100 * description.sparsity).toFixed(1)} %`,
  ];
  if (refusal !== undefined) lines.push(`cannot be run: ${refusal.message} [${refusal.code}]`);
  return `${lines.join('\n')}\n`;
}

function tensorCells({ name, type, shape, scale, zeroPoint }: TensorDescription): string[] {
  return [
    name,
    type,
    shape.length === 0 ? 'scalar' : shape.join('x'),
    scale === undefined ? '-' : scale.toPrecision(6),
    zeroPoint === undefined ? '-' : `${zeroPoint}`,
  ];
}
