import { join } from 'node:path';
import {
  DunlinError,
  errnoOf,
  type Files,
  formatNpy,
  parseJson,
  sha256Hex,
  writeFileAtomic,
} from '../core/index.ts';
import { renderReportPage } from './page/index.ts';
import { REPORT_FILE, REPORT_PAGE_FILE, Report, type Variant } from './report-document.ts';
import type { Optimized } from './request.ts';
import { VARIANT_NAMES, variantFile } from './variant-names.ts';

export const GOLDEN_INPUTS_FILE = 'golden-inputs.npy';
/** How far training has come: an interrupted run leaves it, for the next one to go on from. */
export const CHECKPOINT_FILE = 'training.checkpoint';
const MAX_REPORT_BYTES = 64 * 1024 * 1024;
const REPORT_TYPE: Report['type'] = 'dunlin-optimize-report';
const VARIANT_FILES: readonly string[] = VARIANT_NAMES.map(variantFile);
/** What a file is called while it is being written. */
const UNFINISHED = /\.new$/;

/**
 * Writes the variants, golden inputs, report.html and, last, report.json. A directory that an earlier run wrote is
 * taken over: its report goes first, so that what stands there at any time is one run's, or has no report. A training
 * checkpoint goes last of all: until everything that came of it is written, it is hours of work.
 * @throws `input-invalid` for a directory that holds something else
 */
export async function writeOptimized(
  files: Files,
  directory: string,
  optimized: Optimized,
): Promise<void> {
  await files.makeDirectory(directory);
  await clear(files, directory);
  const { report, goldenInputs } = optimized;
  const contents = new Map<string, Uint8Array>(optimized.files);
  if (goldenInputs !== undefined) {
    const { shape, values } = goldenInputs;
    contents.set(GOLDEN_INPUTS_FILE, formatNpy({ type: 'float32', shape, data: values }));
  }
  contents.set(REPORT_PAGE_FILE, Buffer.from(renderReportPage(report)));
  contents.set(REPORT_FILE, Buffer.from(`${JSON.stringify(report, null, 2)}\n`));
  for (const [name, bytes] of contents) await writeFileAtomic(files, join(directory, name), bytes);
  for (const name of await files.list(directory))
    if (isCheckpoint(name)) await files.remove(join(directory, name));
}

/**
 * An earlier run's directory is known by its report, or by holding nothing but a checkpoint: a file with a name that
 * this would write may be the user's own.
 * @throws `input-invalid` for a directory that holds something else
 */
export async function checkOutputDirectory(files: Files, directory: string): Promise<void> {
  const names = await files.list(directory);
  const [first] = names;
  if (first === undefined || names.every(isCheckpoint)) return;
  const report = await files.read(join(directory, REPORT_FILE)).catch((error: unknown) => {
    if (errnoOf(error) === 'EISDIR') return undefined;
    throw error;
  });
  if (report !== undefined && isReport(report)) return;
  throw new DunlinError(
    `${directory} holds something else (${first}); name a new directory, or one of an earlier run`,
    { code: 'input-invalid' },
  );
}

function isReport(bytes: Uint8Array): boolean {
  try {
    return JSON.parse(Buffer.from(bytes).toString('utf8'))?.type === REPORT_TYPE;
  } catch {
    return false;
  }
}

async function clear(files: Files, directory: string): Promise<void> {
  await checkOutputDirectory(files, directory);
  await files.remove(join(directory, REPORT_FILE));
  await files.syncDirectory(directory);
  for (const name of await files.list(directory))
    if (isOurs(name)) await files.remove(join(directory, name));
}

const OUR_FILES = [REPORT_FILE, REPORT_PAGE_FILE, GOLDEN_INPUTS_FILE, ...VARIANT_FILES];

/** A file that a run writes at its end. */
const isOurs = (name: string): boolean => OUR_FILES.includes(name.replace(UNFINISHED, ''));

const isCheckpoint = (name: string): boolean => name.replace(UNFINISHED, '') === CHECKPOINT_FILE;

/** What a run of the optimizer left, as a release is made of it. */
export interface OptimizedDirectory {
  readonly report: Report;
  readonly variant: Variant;
  readonly model: Uint8Array;
  /** .npy; absent for a model with several inputs. */
  readonly goldenInputs: Uint8Array | undefined;
}

/**
 * Reads a directory that `writeOptimized` wrote.
 * @param name of the variant; the chosen one when left out
 * @throws `file-missing`, `input-invalid`, `digest-mismatch` where a file is not the one that was measured
 */
export async function readOptimized(
  files: Files,
  directory: string,
  name?: string,
): Promise<OptimizedDirectory> {
  const bytes = await files.read(join(directory, REPORT_FILE));
  if (bytes === undefined) {
    throw new DunlinError(
      `${directory}: there is no ${REPORT_FILE}; dunlin optimize --out makes such a directory`,
      { code: 'file-missing' },
    );
  }
  if (bytes.byteLength > MAX_REPORT_BYTES)
    throw invalid(`${directory}/${REPORT_FILE} is too large`);
  const report = parseJson(Report, bytes, join(directory, REPORT_FILE));
  const wanted = name ?? report.choice.variant;
  const variant = report.variants.find((each) => each.name === wanted);
  if (variant === undefined) {
    const names = report.variants.map((each) => each.name).join(', ');
    throw invalid(
      wanted === undefined
        ? `${directory}: no variant fits the budget (${report.choice.reason}); name one of ${names}`
        : `${directory}: there is no variant ${wanted}; it has ${names}`,
    );
  }
  if (!VARIANT_FILES.includes(variant.file))
    throw invalid(`${directory}: a variant's file is named ${variant.file}`);
  const model = await files.read(join(directory, variant.file));
  if (model === undefined) {
    throw new DunlinError(`${join(directory, variant.file)}: no such file`, {
      code: 'file-missing',
    });
  }
  if (sha256Hex(model) !== variant.sha256) {
    throw new DunlinError(
      `${join(directory, variant.file)} is not the file that was measured; run dunlin optimize again`,
      { code: 'digest-mismatch' },
    );
  }
  const goldenInputs = await files.read(join(directory, GOLDEN_INPUTS_FILE));
  return { report, variant, model, goldenInputs };
}

function invalid(message: string): DunlinError {
  return new DunlinError(message, { code: 'input-invalid' });
}
