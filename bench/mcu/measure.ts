/** Compiles a model, runs it in QEMU and counts. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runProgramUntil } from '../../src/cli/run-program.ts';
import {
  type CompiledPlan,
  compileModel,
  decodePlan,
  type PlanRunStatistics,
  runInQemu,
} from '../../src/plan/index.ts';
import type { TfliteModel } from '../../src/tflite/index.ts';
import { fnv1a, lcg } from '../../test/plan/lcg.ts';
import { payloadBytes } from './layers.ts';
import { type EngineTrace, engineSymbols, TraceReader, traced } from './trace.ts';

const FIRMWARE = fileURLToPath(new URL('../../../firmware', import.meta.url));
const RUNNER = join(FIRMWARE, 'build/mps2-an386/runner.elf');
/** Of the inputs, as tflite-micro.json says. */
const SEEDS = [12345, 12346, 12347];

const runProgram = runProgramUntil(new AbortController().signal);

/** What QEMU's board counts. */
export type BoardStatistics = Required<PlanRunStatistics>;

/** One operation of the plan. */
export interface OperationCost {
  readonly label: string;
  readonly kind: string;
  readonly macs: number;
  readonly instructions: number;
}

export interface Measured {
  readonly plan: CompiledPlan;
  readonly payloadBytes: number;
  readonly statistics: BoardStatistics;
  /** FNV-1a over the outputs of three inputs. */
  readonly checksum: string;
  readonly operations: readonly OperationCost[];
}

/** Bytes of one sample for each seed. */
function samplesOf(plan: CompiledPlan): Uint8Array[] {
  const { inputs } = decodePlan(plan.bytes, 'the compiled plan');
  const sizeBytes = inputs.reduce((sum, input) => sum + input.sizeBytes, 0);
  return SEEDS.map((seed) => {
    const next = lcg(seed);
    return Uint8Array.from({ length: sizeBytes }, () => next() >>> 24);
  });
}

function sumOfSteps<T>(
  { operations }: CompiledPlan,
  steps: readonly T[],
  sum: (own: readonly T[]) => number,
): number[] {
  let at = 0;
  return operations.map(({ stepCount }) => {
    at += stepCount;
    return sum(steps.slice(at - stepCount, at));
  });
}

export async function measure(model: TfliteModel, what: string): Promise<Measured> {
  const plan = compileModel(model, 'CORTEX_M4', what);
  const inputs = Buffer.concat(samplesOf(plan));
  const run = await runInQemu({ plan: plan.bytes, inputs, profile: true, runProgram });
  const statistics = run.statistics as BoardStatistics;
  const instructions = sumOfSteps(plan, statistics.steps, (own) =>
    own.reduce((sum, count) => sum + count, 0),
  );
  return {
    plan,
    payloadBytes: payloadBytes(model),
    statistics,
    checksum: fnv1a([run.outputs]),
    operations: plan.operations.map(({ label, kind, macs, layout }, index) => ({
      label: label.replace('operator ', ''),
      kind: kind + (layout === undefined || layout === 'DENSE' ? '' : ` ${layout.toLowerCase()}`),
      macs,
      instructions: instructions[index]!,
    })),
  };
}

/**
 * Flash of an engine that has the plan's kinds of steps alone; builds it, and runs the plan on it.
 */
export async function leanFlashBytes({ plan, checksum }: Measured): Promise<number> {
  const { steps } = decodePlan(plan.bytes, 'the compiled plan');
  const kinds = [...new Set(steps.map(({ kind }) => kind))].sort();
  execFileSync('make', ['-C', FIRMWARE, `KINDS=${kinds.join(' ')}`], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const { outputs, statistics } = await runInQemu({
    plan: plan.bytes,
    inputs: Buffer.concat(samplesOf(plan)),
    profile: false,
    runProgram,
    buildDirectory: join(FIRMWARE, 'build/kinds', kinds.join('+')),
  });
  if (fnv1a([outputs]) !== checksum) throw new Error(`${kinds}: other outputs than of all kinds`);
  return statistics.engineFlashBytes!;
}

export interface CycleEstimate extends EngineTrace {
  /** Instructions counted from blocks, less those counted by the clock. */
  readonly deviation: number;
  /** The largest of a step's, either way. */
  readonly stepDeviation: number;
  /** Cycles of each operation of the plan. */
  readonly operationCycles: readonly number[];
}

/**
 * What one inference takes on a Cortex-M4 without wait states: runs it once more, and looks at
 * every block.
 */
export async function estimateCycles({ plan }: Measured): Promise<CycleEstimate> {
  const reader = new TraceReader(engineSymbols(RUNNER));
  const inputs = samplesOf(plan)[0]!;
  const request = { plan: plan.bytes, inputs, profile: true, runProgram: traced(reader) };
  const statistics = (await runInQemu(request)).statistics as BoardStatistics;
  const trace = reader.result();
  const deviations = trace.steps.map((work, index) => work.instructions - statistics.steps[index]!);
  const cycles = sumOfSteps(plan, trace.steps, (own) =>
    own.reduce((sum, work) => sum + work.cycles, 0),
  );
  return {
    ...trace,
    deviation: trace.run.instructions - statistics.instructions,
    stepDeviation: Math.max(...deviations.map(Math.abs)),
    operationCycles: cycles,
  };
}
