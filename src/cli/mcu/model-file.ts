import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { DunlinError, parseNpz, readNamedFile } from '../../core/index.ts';
import {
  type GoldenVector,
  goldenVectorsOf,
  looksLikeMcuboot,
  parseMcubootImage,
  verifyMcubootImage,
} from '../../mcu/index.ts';
import { compileModel, decodePlan, type Plan, type PlanIo, planOracle } from '../../plan/index.ts';
import { parseModel } from '../../tflite/index.ts';

/** docs/plan-format.md, "Header". */
const PLAN_MAGIC = 'DPLN';
/** Where a flatbuffer has its file identifier, and TensorFlow Lite's. */
const TFLITE_IDENTIFIER = { offset: 4, text: 'TFL3' } as const;
const MAX_MODEL_FILE_BYTES = 64 * 1024 * 1024;
const MAX_GOLDEN_BYTES = 256 * 1024 * 1024;
/** As many made-up inputs show that engine and flash are right; whether the model is, its release knows. */
const MADE_VECTORS = 8;

export interface ModelFile {
  readonly bytes: Uint8Array;
  readonly what: string;
  /** A signed container, else what goes into one. */
  readonly isContainer: boolean;
  /** An execution plan or a .tflite. */
  readonly payload: Uint8Array;
}

/** @throws `file-missing`, `file-unreadable`, `image-malformed`, `digest-mismatch` */
export async function readModelFile(path: string): Promise<ModelFile> {
  const bytes = await readNamedFile(path, MAX_MODEL_FILE_BYTES);
  if (!looksLikeMcuboot(bytes)) return { bytes, what: path, isContainer: false, payload: bytes };
  const image = parseMcubootImage(bytes, path);
  verifyMcubootImage(image, path);
  return { bytes, what: path, isContainer: true, payload: image.body };
}

/** The file of a release directory that this engine runs. */
export async function releaseModelPath(release: string, engine: string): Promise<string> {
  const { MCU_PLAN_ARTIFACT, MCU_TFLITE_ARTIFACT } = await releaseNames();
  return join(release, engine === 'tflm' ? MCU_TFLITE_ARTIFACT : MCU_PLAN_ARTIFACT);
}

/** What the file computes. @throws `plan-malformed`, `model-*` where no plan can be made of a .tflite */
export function planOfFile({ payload, what }: ModelFile): Plan {
  const { offset, text } = TFLITE_IDENTIFIER;
  const identifier = Buffer.from(payload.subarray(offset, offset + text.length)).toString('latin1');
  if (identifier !== text) return decodePlan(payload, what);
  return decodePlan(compileModel(parseModel(payload, what), 'NATIVE', what).bytes, what);
}

/**
 * Vectors of another model are found before anything is sent: a device would find out after its spare model is gone. Of
 * a file that is no plan the device alone knows the widths. @throws `input-invalid`
 */
export function requireWidths(
  { payload, what }: ModelFile,
  vectors: readonly GoldenVector[],
): void {
  if (!looksLikePlan(payload)) return;
  const plan = decodePlan(payload, what);
  const widths = `${sizeOf(plan.inputs)} and ${sizeOf(plan.outputs)}`;
  for (const [index, { input, output }] of vectors.entries()) {
    const own = `${input.byteLength} and ${output.byteLength}`;
    if (own === widths) continue;
    throw invalid(
      `golden vector ${index} has ${own} bytes of inputs and outputs, ${what} ${widths}`,
    );
  }
}

/** The vectors of a golden.npz, or of the one in a release directory. @throws `file-*`, `input-invalid` */
export async function readGolden(path: string): Promise<GoldenVector[]> {
  const bytes = await readNamedFile(path, MAX_GOLDEN_BYTES);
  return goldenVectorsOf(parseNpz(bytes, path, MAX_GOLDEN_BYTES), path);
}

export async function releaseGoldenPath(release: string): Promise<string> {
  return join(release, (await releaseNames()).GOLDEN_ARTIFACT);
}

/** Not before a release is named: all of TUF comes along. */
const releaseNames = () => import('../../update/index.ts');

/**
 * Inputs that follow from the file's bytes, and what the oracle makes of them. Each vector is half as loud as the one
 * before: a classifier is sure of loud noise, and all of them say the same about it.
 */
export function madeGolden(file: ModelFile): GoldenVector[] {
  const plan = planOfFile(file);
  const oracle = planOracle(plan);
  return Array.from({ length: MADE_VECTORS }, (_, vector) => {
    const inputs = plan.inputs.map(({ sizeBytes, zeroPoint }, index) =>
      Int8Array.from(stream(file.payload, `${vector} ${index}`, sizeBytes), (noise) =>
        Math.max(-128, Math.min(127, zeroPoint + (noise >> vector))),
      ),
    );
    return { input: joined(inputs), output: joined(oracle.run(inputs)) };
  });
}

const looksLikePlan = (payload: Uint8Array): boolean =>
  Buffer.from(payload.subarray(0, PLAN_MAGIC.length)).toString('latin1') === PLAN_MAGIC;

export const sizeOf = (ends: readonly PlanIo[]): number =>
  ends.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);

/** Bytes that look random and are the same for the same file. FIPS 202, SHAKE256. */
function stream(seed: Uint8Array, name: string, sizeBytes: number): Int8Array {
  const hash = createHash('shake256', { outputLength: sizeBytes }).update(seed).update(name);
  return Int8Array.from(hash.digest());
}

function joined(arrays: readonly Int8Array[]): Uint8Array {
  return Buffer.concat(
    arrays.map(({ buffer, byteOffset, byteLength }) => Buffer.from(buffer, byteOffset, byteLength)),
  );
}

function invalid(message: string): DunlinError {
  return new DunlinError(message, { code: 'input-invalid' });
}
