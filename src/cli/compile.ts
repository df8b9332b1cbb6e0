import { basename } from 'node:path';
import { Command, Option } from 'commander';
import {
  DunlinError,
  errorMessage,
  nodeFiles,
  readNamedFile,
  writeFileAtomic,
} from '../core/index.ts';
import {
  type BoardProfile,
  boardNames,
  type CompiledPlan,
  compileModel,
  type PlanRun,
  readBoard,
  requireRoom,
} from '../plan/index.ts';
import { MAX_MODEL_BYTES, parseModel } from '../tflite/index.ts';
import type { CommandIo } from './command.ts';
import { PLAN_TARGET_NAMES, type PlanTargetName, planTarget } from './plan-target.ts';
import { grouped, table } from './table.ts';
import { zeroInference } from './zero-inference.ts';

interface CommandOptions {
  readonly target?: PlanTargetName;
  readonly board?: string;
  readonly out?: string;
  readonly smallest: boolean;
  readonly profile: boolean;
  readonly json: boolean;
}

/** `dunlin compile`: an int8 model as an execution plan for a microcontroller. */
export function compileCommand(io: CommandIo): Command {
  return new Command('compile')
    .description('compile a fully int8 .tflite file to an execution plan for a microcontroller')
    .argument('<model>', 'a .tflite file whose inputs, outputs and operators are int8')
    .addOption(new Option('--target <target>', 'what the plan is for').choices(PLAN_TARGET_NAMES))
    .option('--board <name>', 'a profile of devices/boards: its target, and whether it has room')
    .option('--out <file>', 'where to write it (default: <model>.plan beside it)')
    .option(
      '--smallest',
      'store pruned weights sparse wherever that is smaller, even if slower',
      false,
    )
    .option('--profile', 'run it in QEMU and say how many instructions each operator takes', false)
    .option('--json', 'print one JSON document', false)
    .addHelpText(
      'after',
      `
A plan is what firmware/engine runs in place from flash: docs/plan-format.md. It computes what TFLite Micro's reference
kernels compute, byte for byte; its arena and flash are known here, and an operator that no plan has is refused here.

  native      portable C on any processor      cortex-m4   with the DSP instructions (SMLAD)
  cortex-m0   portable C                       cortex-m55  as cortex-m4

Every engine runs every plan; the target decides how weights lie and when pruned ones are stored sparse.

Examples:
  dunlin compile model.tflite --target cortex-m4 --out model.plan
  dunlin compile model.tflite --board nrf52840-dk
  dunlin compile model.tflite --target cortex-m4 --profile        # needs qemu-system-arm and make firmware`,
    )
    .action((file: string, options: CommandOptions) => compile(io, file, options));
}

async function compile(io: CommandIo, file: string, options: CommandOptions): Promise<void> {
  const what = basename(file);
  const board = options.board === undefined ? undefined : await readBoard(options.board);
  const target = options.target ?? board?.target;
  if (target === undefined) {
    throw new DunlinError(
      `say what the plan is for: --target ${PLAN_TARGET_NAMES.join('|')}, or ` +
        `--board ${(await boardNames()).join('|')}`,
      { code: 'usage' },
    );
  }
  const model = parseModel(await readNamedFile(file, MAX_MODEL_BYTES), what);
  const plan = compileModel(model, planTarget(target), what, { smallest: options.smallest });
  if (board !== undefined) requireRoom(plan, board, what);
  const out = options.out ?? file.replace(/(\.tflite)?$/, '.plan');
  const profile = options.profile ? await zeroInference(plan.bytes, true, io.signal) : undefined;
  try {
    await writeFileAtomic(nodeFiles, out, plan.bytes);
  } catch (cause) {
    const message = `${out}: cannot be written (${errorMessage(cause)})`;
    throw new DunlinError(message, { code: 'file-unreadable', cause });
  }
  const report = options.json ? jsonOf(out, target, plan, board, profile) : undefined;
  io.out(report ?? textOf(out, target, plan, board, profile));
}

/** Instructions of each operation, whose steps follow one another. */
function instructionsOf(plan: CompiledPlan, profile: PlanRun | undefined): number[] | undefined {
  const steps = profile?.statistics.steps;
  if (steps === undefined) return undefined;
  let at = 0;
  return plan.operations.map(({ stepCount }) => {
    const own = steps.slice(at, at + stepCount);
    at += stepCount;
    return own.reduce((sum, count) => sum + count, 0);
  });
}

function jsonOf(
  file: string,
  target: string,
  plan: CompiledPlan,
  board: BoardProfile | undefined,
  profile: PlanRun | undefined,
): string {
  const instructions = instructionsOf(plan, profile);
  const operators = plan.operations.map(({ stepCount: _, ...operation }, index) => ({
    ...operation,
    ...(instructions === undefined ? {} : { instructions: instructions[index] }),
  }));
  const document = {
    file,
    target,
    ...(board === undefined ? {} : { board: board.name }),
    planBytes: plan.bytes.length,
    arenaBytes: plan.arenaBytes,
    liveBytes: plan.liveBytes,
    macs: plan.macs,
    deadChannels: plan.deadChannels,
    ...(profile === undefined ? {} : { instructions: profile.statistics.instructions }),
    operators,
  };
  return `${JSON.stringify(document)}\n`;
}

function textOf(
  file: string,
  target: string,
  plan: CompiledPlan,
  board: BoardProfile | undefined,
  profile: PlanRun | undefined,
): string {
  const instructions = instructionsOf(plan, profile);
  const counts = (index: number): string[] =>
    instructions === undefined ? [] : [grouped(instructions[index]!)];
  const rows = plan.operations.map(
    ({ label, kind, macs, flashBytes, arenaBytes, layout }, index) => [
      label.replace('operator ', ''),
      kind + (layout === undefined || layout === 'DENSE' ? '' : ` ${layout.toLowerCase()}`),
      grouped(macs),
      grouped(flashBytes),
      grouped(arenaBytes),
      ...counts(index),
    ],
  );
  const head = ['operator', 'step', 'MACs', 'flash bytes', 'arena bytes'];
  const lines = table([
    [...head, ...(instructions === undefined ? [] : ['instructions'])],
    ...rows,
  ]);
  const { deadChannels, arenaBytes, liveBytes } = plan;
  const dead = deadChannels === 0 ? '' : `, ${deadChannels} dead channels taken out`;
  const total = profile?.statistics.instructions;
  return [
    ...lines,
    '',
    `${file}: for ${target}, ${grouped(plan.bytes.length)} bytes of flash, ${grouped(plan.macs)} MACs${dead}`,
    `arena: ${grouped(arenaBytes)} bytes of RAM (without outputs over inputs ${grouped(liveBytes)} and scratch)`,
    ...(total === undefined ? [] : [`one inference on mps2-an386: ${grouped(total)} instructions`]),
    ...(board === undefined
      ? []
      : [
          `${board.name}: has room (${grouped(board.flashBytes)} bytes of flash, ${grouped(board.ramBytes)} of RAM)`,
        ]),
    '',
  ].join('\n');
}
