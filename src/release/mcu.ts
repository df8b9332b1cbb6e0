import type { KeyObject } from 'node:crypto';
import { DunlinError, type NpyArray } from '../core/index.ts';
import { cutIntoInputs } from '../inference/index.ts';
import {
  type ContainerOptions,
  looksLikeMcuboot,
  MAX_GOLDEN_VECTORS,
  mcubootVersionOf,
  openContainer,
  signFirmware,
  signModel,
} from '../mcu/index.ts';
import {
  compileModel,
  decodePlan,
  type Plan,
  type PlanTarget,
  planOracle,
  type SmpBoard,
} from '../plan/index.ts';
import { parseModel } from '../tflite/index.ts';
import {
  firmwareArtifact,
  MCU_PLAN_ARTIFACT,
  MCU_TFLITE_ARTIFACT,
  type ReleaseDocument,
} from '../update/index.ts';

/** What of a release goes to microcontrollers. */
export interface McuOptions {
  /** Compiled from the CPU's model for a target, or given. */
  readonly plan?: PlanTarget | Uint8Array;
  /** The CPU's model itself, for firmware whose engine is TFLite Micro. */
  readonly tflite: boolean;
  /** Signed images, or what a linker left. */
  readonly firmware: readonly McuFirmware[];
  /** Needed for all but signed images. */
  readonly privateKey?: KeyObject;
  readonly securityCounter: number;
}

export interface McuFirmware {
  readonly board: SmpBoard;
  readonly file: Uint8Array;
  /** For messages. */
  readonly what: string;
}

/** Bytes that go into a device, and those that must come out: int8, [count, bytes]. */
export interface McuGolden {
  readonly input: NpyArray;
  readonly expected: NpyArray;
}

export interface McuArtifacts {
  readonly files: ReadonlyMap<string, Uint8Array>;
  /** Undefined where there is no model for a device. */
  readonly golden: McuGolden | undefined;
}

export interface McuSources {
  readonly version: string;
  readonly cpu: Uint8Array;
  /** Of the CPU's model. */
  readonly input: ReleaseDocument['input'];
  /** The model whose outputs are expected, when not the release's own. */
  readonly reference: Uint8Array | undefined;
  /** Float32, or int8 as the CPU's model takes it. */
  readonly goldenInputs: NpyArray;
}

/**
 * The signed containers of a release, as slots take them, and the golden vectors for devices' self-tests: exact, since
 * every engine computes what the oracle does.
 * @throws `usage` without a key where one is needed, `model-unsupported` (no plan has an operator), `plan-malformed`,
 * `image-malformed`, `untrusted-signature`, `mcu-image-too-large`, `input-invalid`
 */
export function buildMcuArtifacts(sources: McuSources, options: McuOptions): McuArtifacts {
  const files = new Map<string, Uint8Array>();
  const plan = planOf(sources.cpu, options.plan);
  if (plan !== undefined) {
    files.set(MCU_PLAN_ARTIFACT, signModel(plan.bytes, signing(sources, options, 'the plan')));
  }
  if (options.tflite) {
    const container = signModel(sources.cpu, signing(sources, options, 'the model'));
    files.set(MCU_TFLITE_ARTIFACT, container);
  }
  for (const { board, file, what } of options.firmware) {
    const name = firmwareArtifact(board.name);
    if (files.has(name)) throw invalid(`two firmware files for ${board.name}`);
    if (looksLikeMcuboot(file)) {
      openContainer(file, what, 'firmware');
      files.set(name, file);
    } else {
      const { image } = board.smp;
      files.set(name, signFirmware(file, what, image, signing(sources, options, what)));
    }
  }
  const golden = goldenOf(sources, options, plan);
  return { files, golden };
}

function planOf(cpu: Uint8Array, plan: McuOptions['plan']): Plan | undefined {
  if (plan === undefined) return undefined;
  if (typeof plan !== 'string') return decodePlan(plan, 'the plan');
  return compiled(cpu, plan, 'the model');
}

function compiled(model: Uint8Array, target: PlanTarget, what: string): Plan {
  return decodePlan(compileModel(parseModel(model, what), target, what).bytes, what);
}

function signing(
  { version }: McuSources,
  { privateKey, securityCounter }: McuOptions,
  what: string,
): ContainerOptions {
  if (privateKey !== undefined) {
    return { version: mcubootVersionOf(version), securityCounter, privateKey };
  }
  throw new DunlinError(
    `${what}: microcontrollers take signed files only; name their key with --mcu-key, mcu.key.json of the ` +
      'offline keys (dunlin keys init makes it, dunlin keys add-mcu for a fleet that has none)',
    { code: 'usage' },
  );
}

function goldenOf(
  sources: McuSources,
  options: McuOptions,
  plan: Plan | undefined,
): McuGolden | undefined {
  if (plan === undefined && !options.tflite) return undefined;
  const own = plan ?? compiled(sources.cpu, 'NATIVE', 'the model');
  const inputs = chosen(inputsOf(sources, own));
  const { reference, cpu } = sources;
  const expected =
    reference === undefined
      ? outputsOf(own, inputs, 'the plan')
      : outputsOf(compiled(reference, 'NATIVE', 'the reference'), inputs, 'the reference');
  // One set of vectors serves both: a plan of other tools, or of another model, would fail with the other's.
  if (options.tflite && options.plan instanceof Uint8Array && reference === undefined) {
    const model = outputsOf(compiled(cpu, 'NATIVE', 'the model'), inputs, 'the model');
    const other = model.findIndex((output, index) => !output.equals(expected[index]!));
    if (other >= 0) throw invalid(`plan and model differ at golden input ${other}: release one`);
  }
  const outputBytes = single(own.outputs, 'outputs').sizeBytes;
  if (expected.some((output) => output.byteLength !== outputBytes)) {
    throw invalid(`the reference has not the ${outputBytes} output bytes of the model`);
  }
  return { input: stacked(inputs), expected: stacked(expected) };
}

/** The golden inputs in the steps of the plan's input. */
function inputsOf({ goldenInputs, input }: McuSources, plan: Plan): Uint8Array[] {
  const { shape, sizeBytes, scale, zeroPoint } = single(plan.inputs, 'inputs');
  const isSame =
    Math.fround(scale) === Math.fround(input.scale ?? 0) && zeroPoint === input.zeroPoint;
  if (goldenInputs.type !== 'float32' && !isSame) {
    throw invalid("golden inputs in the model's steps, and the plan has others; give float32");
  }
  const spec = { name: 'input', shape, lengthBytes: sizeBytes, scale, zeroPoint };
  return cutIntoInputs(goldenInputs, { ...spec, type: 'int8' }, 'golden inputs');
}

/** As many as a self-test takes, from the first on at equal distances. */
function chosen(inputs: readonly Uint8Array[]): Uint8Array[] {
  const count = Math.min(inputs.length, MAX_GOLDEN_VECTORS);
  return Array.from(
    { length: count },
    (_, index) => inputs[Math.floor((index * inputs.length) / count)]!,
  );
}

function outputsOf(plan: Plan, inputs: readonly Uint8Array[], what: string): Buffer[] {
  const { sizeBytes } = single(plan.inputs, 'inputs');
  const oracle = planOracle(plan);
  return inputs.map((input) => {
    if (input.byteLength !== sizeBytes) {
      throw invalid(
        `${what} takes ${sizeBytes} input bytes, a golden input has ${input.byteLength}`,
      );
    }
    const [output] = oracle.run([Int8Array.from(input)]);
    return Buffer.from(output!.buffer, output!.byteOffset, output!.byteLength);
  });
}

function stacked(rows: readonly Uint8Array[]): NpyArray {
  const data = new Int8Array(Buffer.concat(rows));
  return { type: 'int8', shape: [rows.length, data.length / rows.length], data };
}

/** As of the model for the CPU: an agent serves models of one input and one output. */
function single<T>(ends: readonly T[], what: string): T {
  if (ends.length === 1) return ends[0]!;
  throw invalid(`a plan with ${ends.length} ${what}; a release's models have one of each`);
}

function invalid(message: string): DunlinError {
  return new DunlinError(message, { code: 'input-invalid' });
}
