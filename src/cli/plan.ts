import { basename } from 'node:path';
import { Command, Option } from 'commander';
import {
  DunlinError,
  errorMessage,
  formatNpy,
  nodeFiles,
  parseNpy,
  readNamedFile,
  writeFileAtomic,
} from '../core/index.ts';
import { cutIntoInputs } from '../inference/index.ts';
import {
  decodePlan,
  type Plan,
  type PlanIo,
  type PlanRunStatistics,
  planOracle,
  runInQemu,
  runOnHost,
} from '../plan/index.ts';
import type { CommandIo } from './command.ts';
import { runProgramUntil } from './run-program.ts';
import { grouped } from './table.ts';

const MAX_PLAN_BYTES = 256 * 1024 * 1024;
const MAX_INPUT_BYTES = 1024 * 1024 * 1024;
const PLACES = ['reference', 'native', 'mps2-an386'] as const;

interface RunOptions {
  readonly input: readonly string[];
  readonly on: (typeof PLACES)[number];
  readonly output: readonly string[];
  readonly json: boolean;
}

const append = (value: string, before: readonly string[]): string[] => [...before, value];

/** `dunlin plan run`: an execution plan over an array of samples. */
export function planCommand(io: CommandIo): Command {
  const plan = new Command('plan').description('run execution plans (see dunlin compile)');
  plan
    .command('run')
    .description('run a plan on samples: in TypeScript, in the engine here, or in QEMU')
    .argument('<plan>', 'a .plan file')
    .requiredOption(
      '--input <x.npy>',
      "samples: int8 as the model's input wants them, or float32; once for each input of the plan",
      append,
      [],
    )
    .addOption(new Option('--on <where>', 'what runs it').choices(PLACES).default('reference'))
    .option('--output <y.npy>', 'where to write the int8 results; once for each output', append, [])
    .option('--json', 'print one JSON document', false)
    .addHelpText(
      'after',
      `
  reference    the TypeScript oracle, which does what the plan says in the order in which an engine does it
  native       firmware/engine as a process of this machine (make firmware)
  mps2-an386   firmware/engine on a Cortex-M4 in QEMU (make firmware, Debian package qemu-system-arm):
               counts instructions, and measures stack, RAM and flash

All three give the same bytes.

Examples:
  dunlin plan run model.plan --input x.npy --on mps2-an386 --json
  dunlin plan run model.plan --input x.npy --on native --output y.npy`,
    )
    .action((file: string, options: RunOptions) => run(io, file, options));
  return plan;
}

async function run(io: CommandIo, file: string, options: RunOptions): Promise<void> {
  const what = basename(file);
  const bytes = await readNamedFile(file, MAX_PLAN_BYTES);
  const plan = decodePlan(bytes, what);
  requireCount(what, 'input', plan.inputs.length, options.input.length);
  if (options.output.length > 0) {
    requireCount(what, 'output', plan.outputs.length, options.output.length);
  }
  const inputs = await readInputs(plan, options.input);
  const { outputs, statistics } = await runOn(io, options.on, plan, bytes, inputs);
  for (const [index, path] of options.output.entries()) {
    await writeOutput(path, plan, index, inputs.samples, outputs);
  }
  report(io, options, inputs.samples, statistics);
}

function requireCount(what: string, end: string, expected: number, found: number): void {
  if (expected === found) return;
  throw new DunlinError(
    `${what}: has ${expected} ${end}s; give --${end} ${expected} times, in their order (not ${found})`,
    { code: 'usage' },
  );
}

interface Samples {
  readonly samples: number;
  /** All inputs of a sample in order, sample by sample. */
  readonly bytes: Uint8Array;
}

const sumOfSizes = (ends: readonly PlanIo[]): number =>
  ends.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);

/** Samples of one input of the plan: int8 as it is, float32 in the input's own steps. */
async function readInput(io: PlanIo, file: string): Promise<Uint8Array[]> {
  const array = parseNpy(await readNamedFile(file, MAX_INPUT_BYTES), file);
  const { sizeBytes, shape, scale, zeroPoint } = io;
  const spec = {
    name: file,
    type: 'int8',
    shape,
    lengthBytes: sizeBytes,
    scale,
    zeroPoint,
  } as const;
  return cutIntoInputs(array, spec, file);
}

async function readInputs(plan: Plan, files: readonly string[]): Promise<Samples> {
  const inputs: Uint8Array[][] = [];
  for (const [index, file] of files.entries()) {
    inputs.push(await readInput(plan.inputs[index]!, file));
  }
  const samples = inputs[0]?.length ?? 0;
  const other = inputs.findIndex((input) => input.length !== samples);
  if (other !== -1) {
    throw new DunlinError(
      `${files[other]}: ${inputs[other]!.length} samples; ${files[0]} has ${samples}`,
      { code: 'input-invalid' },
    );
  }
  const order = Array.from({ length: samples }, (_, sample) =>
    inputs.map((input) => input[sample]!),
  );
  return { samples, bytes: Buffer.concat(order.flat()) };
}

interface Run {
  /** All outputs of a sample in order, sample by sample. */
  readonly outputs: Uint8Array;
  readonly statistics: PlanRunStatistics;
}

async function runOn(
  io: CommandIo,
  on: RunOptions['on'],
  plan: Plan,
  bytes: Uint8Array,
  inputs: Samples,
): Promise<Run> {
  if (on === 'reference') return runInOracle(plan, inputs);
  const runProgram = runProgramUntil(io.signal);
  const request = { plan: bytes, inputs: inputs.bytes, profile: false, runProgram };
  return on === 'native' ? runOnHost(request) : runInQemu(request);
}

function runInOracle(plan: Plan, { samples, bytes }: Samples): Run {
  const oracle = planOracle(plan);
  const [inputBytes, outputBytes] = [sumOfSizes(plan.inputs), sumOfSizes(plan.outputs)];
  const outputs = new Uint8Array(samples * outputBytes);
  for (let sample = 0; sample < samples; sample++) {
    let at = bytes.byteOffset + sample * inputBytes;
    const own = plan.inputs.map(({ sizeBytes }) => {
      const values = new Int8Array(bytes.buffer, at, sizeBytes);
      at += sizeBytes;
      return values;
    });
    let to = sample * outputBytes;
    for (const values of oracle.run(own)) {
      outputs.set(values, to);
      to += values.length;
    }
  }
  const statistics = { arenaBytes: plan.arenaBytes, planBytes: plan.bytes.length };
  return { outputs, statistics };
}

async function writeOutput(
  path: string,
  plan: Plan,
  index: number,
  samples: number,
  outputs: Uint8Array,
): Promise<void> {
  const before = sumOfSizes(plan.outputs.slice(0, index));
  const { sizeBytes, shape } = plan.outputs[index]!;
  const data = new Int8Array(samples * sizeBytes);
  for (let sample = 0; sample < samples; sample++) {
    const first = sample * sumOfSizes(plan.outputs) + before;
    data.set(outputs.subarray(first, first + sizeBytes), sample * sizeBytes);
  }
  const own = shape[0] === 1 ? shape.slice(1) : shape;
  try {
    const array = formatNpy({ type: 'int8', shape: [samples, ...own], data });
    await writeFileAtomic(nodeFiles, path, array);
  } catch (cause) {
    const message = `${path}: cannot be written (${errorMessage(cause)})`;
    throw new DunlinError(message, { code: 'file-unreadable', cause });
  }
}

/** What is known of a run, with its unit. */
const FIGURES = [
  ['instructions', 'instructions of one inference'],
  ['setupInstructions', 'instructions of the set-up'],
  ['ramBytes', 'bytes of RAM (data, bss, arena)'],
  ['arenaBytes', 'bytes of arena'],
  ['stackBytes', 'bytes of stack'],
  ['engineFlashBytes', 'bytes of flash for the engine'],
  ['planBytes', 'bytes of flash for the plan'],
] as const;

function report(
  io: CommandIo,
  { on, output, json }: RunOptions,
  samples: number,
  statistics: PlanRunStatistics,
): void {
  if (json) {
    io.out(`${JSON.stringify({ on, samples, ...statistics })}\n`);
    return;
  }
  io.out(`${samples} samples on ${on}\n`);
  for (const [name, what] of FIGURES) {
    const value = statistics[name];
    if (value !== undefined) io.out(`  ${grouped(value).padStart(12)} ${what}\n`);
  }
  for (const path of output) io.out(`${path}: int8\n`);
}
