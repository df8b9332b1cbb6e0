import { extname } from 'node:path';
import { Command } from 'commander';
import {
  DunlinError,
  formatNpy,
  type NpyArray,
  nodeFiles,
  parseNpy,
  readNamedFile,
  systemClock,
  writeFileAtomic,
} from '../../core/index.ts';
import { type McuInference, ModelGroup } from '../../mcu/index.ts';
import type { PlanIo } from '../../plan/index.ts';
import type { CommandIo } from '../command.ts';
import { ProgressLine } from '../progress-line.ts';
import { type LineOptions, PORT_HELP, withDevice, withLineOptions } from './connection.ts';
import { planOfFile, readModelFile } from './model-file.ts';
import { durationText, medianOf } from './text.ts';

const MAX_INPUT_BYTES = 256 * 1024 * 1024;
/** Values of a sample that are shown; --output has all. */
const MAX_VALUES_SHOWN = 16;
const MAX_SAMPLES_SHOWN = 32;
const INT8 = { low: -128, high: 127 } as const;

const HELP = `
--input is an .npy of [count, …] or a .csv with a sample a line. int8 values go to the device as they are. Others are
taken in the steps of the model's input, which the device does not know: name the model with --model (a .plan, a
.tflite, or a signed container of one).

Examples:
  dunlin mcu infer J-Link --input x.npy --output y.npy
  dunlin mcu infer J-Link --input x.csv --model model.plan --json`;

interface InferOptions extends LineOptions {
  readonly input: string;
  readonly output?: string;
  readonly model?: string;
}

export function inferCommand(io: CommandIo): Command {
  const command = new Command('infer')
    .description('run the model of a device on samples')
    .argument('<port>', PORT_HELP)
    .requiredOption('--input <file>', 'samples: .npy or .csv')
    .option('--output <npy>', 'where to write the int8 outputs, [count, bytes]')
    .option('--model <file>', 'the model, for samples that are not int8');
  return withLineOptions(command)
    .addHelpText('after', HELP)
    .action((port: string, options: InferOptions) => infer(io, port, options));
}

async function infer(io: CommandIo, port: string, options: InferOptions): Promise<void> {
  const end = options.model === undefined ? undefined : await inputEnd(options.model);
  const progress = new ProgressLine(io, systemClock.monotonicMs);
  const results = await withDevice(io, port, options, async ({ client }) => {
    const models = new ModelGroup(client);
    const { in: inputBytes } = await models.readState(io.signal);
    if (inputBytes === undefined) throw noModel(port);
    const samples = await readInputs(options.input, inputBytes, end);
    const outputs: McuInference[] = [];
    for (const [index, sample] of samples.entries()) {
      outputs.push(await models.infer(sample, io.signal));
      progress.show('inferring', index + 1, samples.length);
    }
    progress.end();
    return outputs;
  });
  if (options.output !== undefined) await writeOutputs(options.output, results);
  if (options.json) io.out(`${JSON.stringify(jsonOf(port, results))}\n`);
  else io.out(describe(port, results));
}

async function inputEnd(path: string): Promise<PlanIo> {
  const { inputs } = planOfFile(await readModelFile(path));
  const [end, another] = inputs;
  if (end !== undefined && another === undefined) return end;
  throw invalid(
    `${path}: has ${inputs.length} inputs; give int8 samples with all of them in a row`,
  );
}

/** Each as the device takes it. */
async function readInputs(
  path: string,
  inputBytes: number,
  end: PlanIo | undefined,
): Promise<Uint8Array[]> {
  if (end !== undefined && end.sizeBytes !== inputBytes) {
    throw invalid(
      `the device's model takes ${inputBytes} bytes, that of --model ${end.sizeBytes}: not the same model`,
    );
  }
  const { cutIntoInputs } = await import('../../inference/index.ts');
  const array = await readArray(path, inputBytes);
  const { scale, zeroPoint } = end ?? { scale: 1, zeroPoint: 0 };
  if (end === undefined) requireInt8(array, path);
  const size = array.shape.reduce((product, length) => product * length, 1);
  if (size === 0 || size % inputBytes !== 0) {
    throw invalid(`${path}: ${size} values do not make samples of ${inputBytes}`);
  }
  const flat = { ...array, shape: [size / inputBytes, inputBytes] } as NpyArray;
  const spec = {
    name: path,
    type: 'int8',
    shape: [1, inputBytes],
    lengthBytes: inputBytes,
  } as const;
  return cutIntoInputs(flat, { ...spec, scale, zeroPoint }, path);
}

async function readArray(path: string, inputBytes: number): Promise<NpyArray> {
  if (extname(path).toLowerCase() === '.npy') {
    return parseNpy(await readNamedFile(path, MAX_INPUT_BYTES), path);
  }
  const input = { name: 'input', shape: [1, inputBytes] };
  const { readSamples } = await import('../../optimize/index.ts');
  const { values, count } = await readSamples(path, input, {
    use: 'evaluation',
    imageRange: { low: 0, high: 1 },
  });
  return { type: 'float32', shape: [count, inputBytes], data: values };
}

/** Text has no types: what is written there may be int8. */
function requireInt8({ type, data }: NpyArray, path: string): void {
  if (type === 'int8') return;
  const isWhole = (value: number): boolean =>
    Number.isInteger(value) && value >= INT8.low && value <= INT8.high;
  if (extname(path).toLowerCase() !== '.npy' && (data as Float32Array).every(isWhole)) return;
  throw invalid(`${path}: values that are not int8; name the model with --model`);
}

async function writeOutputs(path: string, results: readonly McuInference[]): Promise<void> {
  const bytes = results.map(({ output }) => output);
  const data = new Int8Array(Buffer.concat(bytes));
  const shape = [results.length, data.length / results.length];
  await writeFileAtomic(nodeFiles, path, formatNpy({ type: 'int8', shape, data }));
}

function jsonOf(port: string, results: readonly McuInference[]) {
  const samples = results.map(({ output, durationUs, cycles }) => ({
    output: [...Int8Array.from(output)],
    durationUs: durationUs ?? null,
    cycles: cycles ?? null,
  }));
  return { port, samples };
}

function describe(port: string, results: readonly McuInference[]): string {
  const lines = results.slice(0, MAX_SAMPLES_SHOWN).map(({ output }, index) => {
    const values = Int8Array.from(output);
    const more = values.length > MAX_VALUES_SHOWN ? ' …' : '';
    const largest = values.indexOf(Math.max(...values));
    return `${index}: ${values.slice(0, MAX_VALUES_SHOWN).join(' ')}${more}  (largest: ${largest})`;
  });
  const hidden = results.length - lines.length;
  const medianUs = medianOf(results.map(({ durationUs }) => durationUs));
  const time = medianUs === null ? '' : `, ${durationText(medianUs)} each on the device`;
  return [
    ...lines,
    ...(hidden > 0 ? [`… ${hidden} more`] : []),
    `${port}: ${results.length} samples${time}`,
    '',
  ].join('\n');
}

function noModel(port: string): DunlinError {
  return new DunlinError(`${port}: no model runs on it; bring one with dunlin mcu model`, {
    code: 'mcu-refused',
  });
}

function invalid(message: string): DunlinError {
  return new DunlinError(message, { code: 'input-invalid' });
}
