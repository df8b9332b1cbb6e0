import { writeFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { Command, Option } from 'commander';
import {
  createLogger,
  DunlinError,
  errorMessage,
  formatNpy,
  parseNpy,
  readNamedFile,
  systemClock,
} from '../core/index.ts';
import {
  cutIntoInputs,
  type EdgeTpuUse,
  type ExecutionPath,
  findDelegate,
  findEdgeTpus,
  librarySearchFolders,
  type OutputArray,
  outputArray,
  percentile,
  runBatch,
  Sandbox,
  useEdgeTpu,
} from '../inference/index.ts';
import type { CommandIo } from './command.ts';

const MAX_MODEL_BYTES = 64 * 1024 * 1024;
const MAX_INPUT_BYTES = 1024 * 1024 * 1024;
const MAX_ROWS_SHOWN = 10;

interface RunOptions {
  readonly input: string;
  readonly output?: string;
  readonly raw: boolean;
  readonly json: boolean;
  readonly path: 'auto' | ExecutionPath;
}

interface RowSummary {
  /** The index of the largest value, and the value. */
  readonly top: number;
  readonly value: number;
}

/** `dunlin run`: a model over an array of samples, in the sandbox. */
export function runCommand(io: CommandIo): Command {
  return new Command('run')
    .description('run a model on the samples of an .npy file, in the sandbox')
    .argument('<model>', 'a .tflite file')
    .requiredOption(
      '--input <x.npy>',
      'samples: float32 is quantized for the model, its own type is taken as it is',
    )
    .option('--output <y.npy>', 'where to write the results: float32, dequantized')
    .option('--raw', "write the output tensor's own type instead", false)
    .option('--json', 'print one JSON document', false)
    .addOption(
      new Option('--path <path>', 'what executes the model')
        .choices(['auto', 'xnn', 'stock', 'edgetpu'])
        .default('auto'),
    )
    .addHelpText(
      'after',
      `
Examples:
  dunlin run model.tflite --input windows.npy
  dunlin run model.tflite --input windows.npy --output results.npy --json
  dunlin run model.tflite --input windows.npy --path stock   # the runtime's own kernels`,
    )
    .action((file: string, options: RunOptions) => run(io, file, options));
}

async function run(io: CommandIo, file: string, options: RunOptions): Promise<void> {
  const what = basename(file);
  const model = await readNamedFile(file, MAX_MODEL_BYTES);
  const array = parseNpy(await readNamedFile(options.input, MAX_INPUT_BYTES), options.input);
  const logger = createLogger({
    level: 'warn',
    format: 'text',
    nowMs: () => systemClock.nowMs(),
    write: (line) => io.err(`${line}\n`),
  });
  const device = edgeTpuOf(io, options);
  const sandbox = await Sandbox.load({
    model,
    what,
    path: options.path,
    ...(device === undefined ? {} : { device }),
    clock: systemClock,
    logger,
  });
  try {
    const inputs = cutIntoInputs(array, soleInput(sandbox, what), options.input);
    const { outputs, latenciesUs } = await runBatch(sandbox, inputs, io.signal);
    const spec = sandbox.outputs[0]!;
    const result = outputArray(outputs[0]!, spec, inputs.length, options.raw);
    if (options.output !== undefined) await writeResult(options.output, result);
    report(io, options, sandbox, {
      count: inputs.length,
      p50Us: round(percentile(latenciesUs, 0.5)),
      p99Us: round(percentile(latenciesUs, 0.99)),
      result,
    });
  } finally {
    await sandbox.close();
  }
}

/** The Edge TPU, where it is asked for or may be needed; undefined where `auto` finds none. */
function edgeTpuOf(io: CommandIo, options: RunOptions): EdgeTpuUse | undefined {
  if (options.path === 'stock' || options.path === 'xnn') return undefined;
  const delegate = findDelegate(librarySearchFolders(io.env));
  try {
    return useEdgeTpu(findEdgeTpus(), delegate);
  } catch (error) {
    if (options.path === 'edgetpu') throw error;
    return undefined;
  }
}

function soleInput(sandbox: Sandbox, what: string): Sandbox['inputs'][number] {
  const { inputs, outputs } = sandbox;
  if (inputs.length === 1 && outputs.length === 1) return inputs[0]!;
  throw new DunlinError(
    `${what}: has ${inputs.length} inputs and ${outputs.length} outputs; dunlin run takes models with one of each`,
    { code: 'model-unsupported' },
  );
}

async function writeResult(path: string, result: OutputArray): Promise<void> {
  try {
    await writeFile(path, formatNpy(result));
  } catch (cause) {
    throw new DunlinError(`${path}: cannot be written (${errorMessage(cause)})`, {
      code: 'file-unreadable',
      cause,
    });
  }
}

interface Report {
  readonly count: number;
  readonly p50Us: number;
  readonly p99Us: number;
  readonly result: OutputArray;
}

function report(io: CommandIo, options: RunOptions, sandbox: Sandbox, found: Report): void {
  const { count, p50Us, p99Us, result } = found;
  const { path, pathReason, delegation } = sandbox;
  const rows = options.output === undefined ? summarize(result) : undefined;
  if (options.json) {
    const document = {
      path,
      pathReason,
      ...(delegation === undefined ? {} : { delegation }),
      count,
      latency: { p50Us, p99Us },
      output: { type: result.type, shape: result.shape },
      ...(rows === undefined ? { file: options.output } : { results: rows }),
    };
    io.out(`${JSON.stringify(document)}\n`);
    return;
  }
  io.out(
    `${count} inferences on the ${path} path (${pathReason}): p50 ${p50Us} us, p99 ${p99Us} us\n`,
  );
  if (rows === undefined) {
    io.out(`${options.output}: ${result.type} (${result.shape.join(', ')})\n`);
    return;
  }
  for (const [index, { top, value }] of rows.entries()) {
    io.out(`  sample ${index}: largest output ${top} (${value})\n`);
  }
  const left = result.shape[0]! - rows.length;
  if (left > 0) io.out(`  and ${left} more; --output FILE writes them all\n`);
}

/** The first rows' largest values. */
function summarize({ shape, data }: OutputArray): RowSummary[] {
  const rowCount = shape[0] ?? 1;
  const width = data.length / rowCount;
  return Array.from({ length: Math.min(rowCount, MAX_ROWS_SHOWN) }, (_, index) => {
    const row = Float64Array.from(data.subarray(index * width, (index + 1) * width));
    const top = row.indexOf(Math.max(...row));
    return { top, value: round(row[top] ?? Number.NaN) };
  });
}

function round(value: number): number {
  return Number(value.toPrecision(6));
}
