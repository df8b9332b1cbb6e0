import { DunlinError, errorCode, formatNpz, type Logger, type NpyArray } from '../core/index.ts';
import {
  cutIntoInputs,
  type ExecutionPath,
  type LoadedModel,
  type LoadModel,
  outputArray,
  percentile,
  runBatch,
} from '../inference/index.ts';
import { GOLDEN_EXPECTED, GOLDEN_INPUT } from '../mcu/index.ts';
import { logitsFile } from '../tflite/index.ts';
import type { ReleaseDocument } from '../update/index.ts';
import type { McuGolden } from './mcu.ts';

/** Builds differ by a step or two on one path (other SIMD, other rounding); a wrong model by dozens. */
export const DEFAULT_TOLERANCE_STEPS = 4;
/** An output without quantization has no steps: its range is cut into as many as int8 has. */
const STEPS_OF_FLOAT = 256;
/** The budget when none is named: a gateway is slower than the machine that builds the release. */
const LATENCY_HEADROOM = 20;
const MIN_LATENCY_BUDGET_US = 10_000;
const MIN_LATENCY_RUNS = 30;
const MAX_GOLDEN_INPUTS = 4096;
/** What loading says where a path is not to be had, as opposed to a model that fails on it. */
const NO_SUCH_PATH: ReadonlySet<unknown> = new Set([
  'inference-refused',
  'inference-unavailable',
  'edgetpu-unavailable',
]);

export interface GoldenOptions {
  readonly cpu: Uint8Array;
  readonly edgetpu?: Uint8Array;
  /** The model that the expected outputs are taken from, when not from the release's own. */
  readonly reference?: Uint8Array;
  /** [count, …input]; float32 or the model's own type. */
  readonly inputs: NpyArray;
  /** Allowed difference, in quantization steps of the compared tensor. */
  readonly toleranceSteps: number;
  /** Largest median latency on a device. */
  readonly latencyBudgetUs?: number;
  readonly mcu?: McuGolden;
  readonly load: LoadModel;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

export interface Golden {
  readonly document: ReleaseDocument['golden'];
  readonly npz: Uint8Array;
}

/**
 * Runs the golden inputs on every path that this machine has, and keeps what comes out. Where the model ends in a
 * softmax the values before it are kept: softmax stretches a step of difference to dozens.
 * @throws `input-invalid` when inputs and model do not fit, what loading and inference throw
 */
export async function makeGolden(options: GoldenOptions): Promise<Golden> {
  const { cpu, edgetpu, reference, inputs, mcu, load, logger } = options;
  const source = reference ?? cpu;
  const logits = logitsFile(source, 'model');
  const runs: (readonly [ExecutionPath, Uint8Array])[] = [
    ['stock', logits ?? source],
    ['xnn', logits ?? source],
  ];
  const compiled = edgetpu === undefined ? undefined : (logitsFile(edgetpu, 'model') ?? edgetpu);
  const sameEnd =
    edgetpu !== undefined &&
    (logitsFile(edgetpu, 'model') === undefined) === (logits === undefined);
  if (compiled !== undefined && sameEnd && reference === undefined)
    runs.push(['edgetpu', compiled]);
  const arrays = new Map<string, NpyArray>();
  const paths: ReleaseDocument['golden']['paths'] = {};
  for (const [path, model] of runs) {
    const loaded = await load(model, 'golden', path).catch((error: unknown) => {
      if (path === 'stock' || !NO_SUCH_PATH.has(errorCode(error))) throw error;
      logger.info(`no golden outputs of the path ${path} from this machine`);
      return undefined;
    });
    if (loaded === undefined) continue;
    try {
      if (loaded.path !== path) continue;
      const expected = await expectedOutputs(loaded, options);
      arrays.set(`expected_${path}`, expected.outputs);
      paths[path] = { toleranceAbs: options.toleranceSteps * expected.stepSize };
    } finally {
      await loaded.close();
    }
  }
  if (mcu !== undefined) {
    arrays.set(GOLDEN_INPUT, mcu.input);
    arrays.set(GOLDEN_EXPECTED, mcu.expected);
    paths.mcu = { toleranceAbs: 0 };
  }
  const { count, latencyBudgetUs } = await measure(options);
  const sample = { ...inputs, shape: [count, inputs.data.length / count] };
  return {
    document: { count, on: logits === undefined ? 'output' : 'logits', paths, latencyBudgetUs },
    npz: formatNpz(new Map([['input', sample], ...arrays])),
  };
}

async function expectedOutputs(model: LoadedModel, { inputs, signal }: GoldenOptions) {
  const output = single(model.outputs);
  const samples = cutIntoInputs(inputs, single(model.inputs), 'golden inputs');
  const { outputs } = await runBatch(model, samples, signal);
  const { data } = outputArray(outputs[0]!, output, samples.length, false);
  const values = Float32Array.from(data);
  const largest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  if (!values.every(Number.isFinite)) {
    throw invalid('the model gives no finite outputs for the golden inputs');
  }
  return {
    outputs: {
      type: 'float32' as const,
      shape: [samples.length, values.length / samples.length],
      data: values,
    },
    stepSize: output.scale ?? (2 * largest) / STEPS_OF_FLOAT,
  };
}

/** The stock kernels are the slowest: a device may have nothing better. */
async function measure(
  options: GoldenOptions,
): Promise<{ readonly count: number; readonly latencyBudgetUs: number }> {
  const { cpu, inputs, load, signal } = options;
  const model = await load(cpu, 'model', 'stock');
  try {
    const samples = cutIntoInputs(inputs, single(model.inputs), 'golden inputs');
    const count = samples.length;
    if (count > MAX_GOLDEN_INPUTS)
      throw invalid(`${count} golden inputs; at most ${MAX_GOLDEN_INPUTS}`);
    single(model.outputs);
    if (options.latencyBudgetUs !== undefined) {
      return { count, latencyBudgetUs: options.latencyBudgetUs };
    }
    const runs = Math.max(MIN_LATENCY_RUNS, count);
    const repeated = Array.from({ length: runs }, (_, index) => samples[index % count]!);
    const p50Us = percentile((await runBatch(model, repeated, signal)).latenciesUs, 0.5);
    return { count, latencyBudgetUs: latencyBudgetUs(p50Us) };
  } finally {
    await model.close();
  }
}

/** Rounded up to 1, 2 or 5 times a power of ten, so that two builds of one model agree. */
export function latencyBudgetUs(p50Us: number): number {
  const wanted = Math.max(MIN_LATENCY_BUDGET_US, p50Us * LATENCY_HEADROOM);
  const power = 10 ** Math.floor(Math.log10(wanted));
  return [1, 2, 5, 10].map((step) => step * power).find((budget) => budget >= wanted)!;
}

/** An agent serves models of one input and one output. */
function single<T>(specs: readonly T[]): T {
  if (specs.length === 1) return specs[0]!;
  throw invalid(
    `the model has ${specs.length} inputs or outputs; an agent serves models with one of each`,
  );
}

function invalid(message: string): DunlinError {
  return new DunlinError(message, { code: 'input-invalid' });
}
