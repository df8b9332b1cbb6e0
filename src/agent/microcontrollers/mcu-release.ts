import { DunlinError, type ErrorCode, errorMessage, parseNpz } from '../../core/index.ts';
import { type GoldenVector, goldenVectorsOf, parseMcubootImage } from '../../mcu/index.ts';
import {
  firmwareArtifact,
  GOLDEN_ARTIFACT,
  MCU_PLAN_ARTIFACT,
  MCU_TFLITE_ARTIFACT,
  type ReleaseDocument,
  type StoredRelease,
} from '../../update/index.ts';
import type { MicrocontrollerConfig } from '../config.ts';

const MAX_GOLDEN_BYTES = 64 * 1024 * 1024;
const MODEL_ARTIFACTS = [MCU_PLAN_ARTIFACT, MCU_TFLITE_ARTIFACT];

/** What of releases a device takes. */
export type McuTakes = Pick<MicrocontrollerConfig, 'board' | 'install'>;

/**
 * The artifacts of a release that may go to a device. Both kinds of model, where the release has both: which one it
 * is to be the firmware says, and that may be on its way as well.
 * @throws `release-missing` where there is nothing for it
 */
export function mcuArtifactNames(document: ReleaseDocument, takes: McuTakes): string[] {
  const has = (name: string): boolean => document.artifacts[name] !== undefined;
  const firmware = takes.install.includes('firmware') ? [firmwareArtifact(takes.board)] : [];
  const names = firmware.filter(has);
  if (takes.install.includes('model')) {
    const models = MODEL_ARTIFACTS.filter(has);
    if (models.length === 0) throw missing(document, MODEL_ARTIFACTS.join(' and no '));
    names.push(...models, GOLDEN_ARTIFACT);
  } else if (names.length === 0) throw missing(document, firmware.join());
  return names;
}

/** The firmware that a release brings along for a board. */
export function firmwareOf(
  { artifacts }: StoredRelease,
  { board, install }: McuTakes,
): Uint8Array | undefined {
  return install.includes('firmware') ? artifacts.get(firmwareArtifact(board)) : undefined;
}

/** The model for an engine as the device names it; undefined where devices of this configuration get none. */
export function modelOf(
  { artifacts, document }: StoredRelease,
  { install }: McuTakes,
  engine: string | undefined,
): { readonly artifact: string; readonly file: Uint8Array } | undefined {
  if (!install.includes('model')) return undefined;
  const artifact = artifactFor(engine);
  const file = artifacts.get(artifact);
  if (file === undefined) throw missing(document, `${artifact}, which the engine ${engine} takes`);
  return { artifact, file };
}

/** By which a device names a file. @throws `image-malformed` */
export function hashHexOf(file: Uint8Array, what: string): string {
  return Buffer.from(parseMcubootImage(file, what).hash).toString('hex');
}

/** Hashes of all that a release may bring to a device. */
export function mcuHashes(stored: StoredRelease, takes: McuTakes): ReadonlySet<string> {
  const files = [
    firmwareOf(stored, takes),
    ...MODEL_ARTIFACTS.map((name) => stored.artifacts.get(name)),
  ];
  return new Set(files.flatMap((file) => (file === undefined ? [] : [hashHexOf(file, 'release')])));
}

/**
 * Golden vectors as bytes for a device.
 * @throws `golden-mismatch` when the release carries none that fit
 */
export function mcuGoldenVectors({ document, artifacts }: StoredRelease): GoldenVector[] {
  const npz = artifacts.get(GOLDEN_ARTIFACT);
  if (npz === undefined) throw missing(document, GOLDEN_ARTIFACT);
  const arrays = parseNpz(npz, GOLDEN_ARTIFACT, MAX_GOLDEN_BYTES);
  try {
    return goldenVectorsOf(arrays, `${GOLDEN_ARTIFACT} of ${document.version}`);
  } catch (cause) {
    throw failure(errorMessage(cause), 'golden-mismatch', cause);
  }
}

function artifactFor(engine: string | undefined): string {
  if (engine === 'dunlin') return MCU_PLAN_ARTIFACT;
  if (engine === 'tflm') return MCU_TFLITE_ARTIFACT;
  const found = engine === undefined ? 'no engine for models' : `the engine ${engine}`;
  throw failure(`the device has ${found}, which no model of a release is for`, 'mcu-unsupported');
}

function missing({ version }: ReleaseDocument, what: string): DunlinError {
  return failure(`release ${version} has no ${what}`, 'release-missing');
}

function failure(message: string, code: ErrorCode, cause?: unknown): DunlinError {
  return new DunlinError(message, { code, cause });
}
