import { access, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DunlinError } from '../../core/index.ts';

/** What a program of the machine came to. */
export interface ProgramResult {
  readonly status: number | null;
  readonly stdout: Uint8Array;
  readonly stderr: string;
}

/** Runs a program to its end, or kills it after a time. @throws DunlinError file-unreadable if there is none */
export type RunProgram = (
  command: string,
  args: readonly string[],
  limits: { readonly timeoutMs: number; readonly maxOutputBytes: number },
) => Promise<ProgramResult>;

/** What is known of a run; on a host instructions and stack are not. */
export interface PlanRunStatistics {
  readonly instructions?: number;
  readonly setupInstructions?: number;
  /** data + bss + arena. */
  readonly ramBytes?: number;
  readonly arenaBytes: number;
  /** High-water mark of the engine's stack. */
  readonly stackBytes?: number;
  readonly engineFlashBytes?: number;
  readonly planBytes: number;
  /** Instructions (on a host nanoseconds) of each step. */
  readonly steps?: readonly number[];
}

export interface PlanRun {
  /** All outputs of a sample in order, sample by sample. */
  readonly outputs: Uint8Array;
  readonly statistics: PlanRunStatistics;
}

export interface BoardRunRequest {
  readonly plan: Uint8Array;
  /** All inputs of a sample in order, sample by sample. */
  readonly inputs: Uint8Array;
  readonly profile: boolean;
  readonly runProgram: RunProgram;
  /** Firmware and process that `make firmware` has built, if not those. */
  readonly buildDirectory?: string;
}

const BUILD = fileURLToPath(new URL('../../../../firmware/build', import.meta.url));
const RUN_TIMEOUT_MS = 600_000;
const MAX_OUTPUT_BYTES = 1024 * 1024 * 1024;

/** firmware/boards/mps2-an386/request.h. */
const REQUEST = {
  magic: 0x51455244,
  profile: 1,
  address: 0x21000000,
  planAddress: 0x21001000,
  inputsAddress: 0x21800000,
  outputsAddress: 0x21c00000,
  stepsAddress: 0x21f80000,
} as const;

/** enum engine_status of firmware/engine/engine.h, and what a runner adds. */
const FAILURES: ReadonlyMap<number, string> = new Map([
  [1, 'the plan is cut off'],
  [2, 'not an execution plan'],
  [3, 'a plan of a version that the engine does not know'],
  [4, 'the plan has changed: its CRC does not hold'],
  [5, 'the plan has a table outside itself'],
  [6, 'the plan or the arena is misaligned'],
  [7, 'the arena is too small for the plan'],
  [8, 'a kind of step that the engine was built without'],
  [9, 'a step with an offset or size outside its buffer'],
  [64, 'the inputs do not make whole samples'],
  [65, 'no room for the outputs'],
]);

const fail = (detail: string): never => {
  throw new DunlinError(`the engine: ${detail}`, { code: 'inference-refused' });
};

async function inDirectory<T>(work: (directory: string) => Promise<T>): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), 'dunlin-plan-'));
  try {
    return await work(directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** The line of JSON that a runner answers with, and where it ends. */
function parseReport({ status, stdout, stderr }: ProgramResult): {
  readonly report: Readonly<Record<string, unknown>>;
  readonly end: number;
} {
  const end = stdout.indexOf(0x0a);
  let report: Readonly<Record<string, unknown>> = {};
  try {
    report = JSON.parse(Buffer.from(stdout.subarray(0, Math.max(0, end))).toString('utf8'));
  } catch {
    fail(`no answer (status ${status}) ${stderr.trim()}`);
  }
  const { error } = report;
  if (typeof error === 'number') fail(FAILURES.get(error) ?? `status ${error} ${stderr.trim()}`);
  if (status !== 0) fail(`status ${status} ${stderr.trim()}`);
  return { report, end: end + 1 };
}

const numberOf = (report: Readonly<Record<string, unknown>>, name: string): number => {
  const value = report[name];
  return typeof value === 'number' ? value : fail(`its answer has no ${name}`);
};

const LIMITS = { timeoutMs: RUN_TIMEOUT_MS, maxOutputBytes: MAX_OUTPUT_BYTES };

/** The engine as a process of this machine. @throws DunlinError inference-refused */
export function runOnHost(request: BoardRunRequest): Promise<PlanRun> {
  const program = join(request.buildDirectory ?? BUILD, 'native/dunlin-plan-native');
  return inDirectory(async (directory) => {
    const [plan, inputs, outputs] = ['plan', 'inputs', 'outputs'].map((name) =>
      join(directory, name),
    ) as [string, string, string];
    await writeFile(plan, request.plan);
    await writeFile(inputs, request.inputs);
    const profile = request.profile ? ['--profile'] : [];
    const result = await request.runProgram(program, [plan, inputs, outputs, ...profile], LIMITS);
    const { report } = parseReport(result);
    const steps = request.profile ? { steps: report['stepNanoseconds'] as number[] } : {};
    const arenaBytes = numberOf(report, 'arenaBytes');
    const statistics = { arenaBytes, planBytes: request.plan.length, ...steps };
    return { outputs: await readFile(outputs), statistics };
  });
}

function requestOf({ plan, inputs, profile }: BoardRunRequest): Uint8Array {
  const room = (name: string, sizeBytes: number, from: number, to: number): void => {
    if (sizeBytes > to - from)
      fail(`${name} of ${sizeBytes} bytes; QEMU's board takes ${to - from}`);
  };
  room('a plan', plan.length, REQUEST.planAddress, REQUEST.inputsAddress);
  room('inputs', inputs.length, REQUEST.inputsAddress, REQUEST.outputsAddress);
  const words = [REQUEST.magic, plan.length, inputs.length, 0, profile ? REQUEST.profile : 0];
  const bytes = new Uint8Array(words.length * 4);
  const view = new DataView(bytes.buffer);
  for (const [index, word] of words.entries()) view.setUint32(4 * index, word, true);
  return bytes;
}

/**
 * The engine as firmware of a Cortex-M4 (mps2-an386) that QEMU emulates, one instruction a nanosecond.
 * @throws DunlinError inference-refused; file-unreadable without QEMU or firmware
 */
export async function runInQemu(request: BoardRunRequest): Promise<PlanRun> {
  const firmware = join(request.buildDirectory ?? BUILD, 'mps2-an386/runner.elf');
  await access(firmware).catch((cause: unknown) => {
    const message = `${firmware}: not there; build it with \`make firmware\``;
    throw new DunlinError(message, { code: 'file-unreadable', cause });
  });
  return inDirectory(async (directory) => {
    const parts = [
      [join(directory, 'request'), requestOf(request), REQUEST.address],
      [join(directory, 'plan'), request.plan, REQUEST.planAddress],
      [join(directory, 'inputs'), request.inputs, REQUEST.inputsAddress],
    ] as const;
    for (const [file, bytes] of parts) await writeFile(file, bytes);
    const loaders = parts.flatMap(([file, , address]) => [
      '-device',
      `loader,file=${file},addr=0x${address.toString(16)},force-raw=on`,
    ]);
    const machine = ['-M', 'mps2-an386', '-cpu', 'cortex-m4', '-icount', 'shift=0'];
    const ends = ['-display', 'none', '-monitor', 'none', '-serial', 'stdio'];
    const exits = ['-semihosting-config', 'enable=on,target=native', '-kernel', firmware];
    const args = [...machine, ...ends, ...exits, ...loaders];
    const result = await request.runProgram('qemu-system-arm', args, LIMITS);
    const { report, end } = parseReport(result);
    const arenaBytes = numberOf(report, 'arenaBytes');
    const data = numberOf(report, 'dataBytes') + numberOf(report, 'bssBytes');
    const statistics = {
      instructions: numberOf(report, 'instructions'),
      setupInstructions: numberOf(report, 'setupInstructions'),
      ramBytes: data + arenaBytes,
      arenaBytes,
      stackBytes: numberOf(report, 'stackBytes'),
      engineFlashBytes: numberOf(report, 'engineFlashBytes'),
      planBytes: request.plan.length,
      ...(request.profile ? { steps: report['steps'] as number[] } : {}),
    };
    return { outputs: result.stdout.subarray(end), statistics };
  });
}
