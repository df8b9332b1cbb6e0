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
import { FLOAT_VARIANT } from './evaluate.ts';
import { renderReportPage } from './page/index.ts';
import { REPORT_FILE, REPORT_PAGE_FILE, Report, type Variant } from './report-document.ts';
import { MODES, type Optimized } from './request.ts';

export const GOLDEN_INPUTS_FILE = 'golden-inputs.npy';
const MAX_REPORT_BYTES = 64 * 1024 * 1024;
const REPORT_TYPE: Report['type'] = 'dunlin-optimize-report';
const FILE_NAME = /^[a-z0-9]+\.tflite$/;

/**
 * Writes the variants, golden inputs, report.html and, last, report.json. A directory that an earlier run wrote is
 * taken over: its report goes first, so that what stands there at any time is one run's, or has no report.
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
}

/**
 * An earlier run's directory is known by its report: a file with a name that this would write may be the user's own.
 * @throws `input-invalid` for a directory that holds something else
 */
export async function checkOutputDirectory(files: Files, directory: string): Promise<void> {
  const names = await files.list(directory);
  const [first] = names;
  if (first === undefined) return;
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

function isOurs(name: string): boolean {
  const plain = name.replace(/\.new$/, '');
  return (
    [REPORT_FILE, REPORT_PAGE_FILE, GOLDEN_INPUTS_FILE].includes(plain) ||
    [FLOAT_VARIANT, ...MODES].some((variant) => plain === `${variant}.tflite`)
  );
}

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
  if (!FILE_NAME.test(variant.file))
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
