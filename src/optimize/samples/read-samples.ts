import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { basename, extname, resolve } from 'node:path';
import { DunlinError } from '../../core/index.ts';
import { readNpySamples, readNpzSamples } from './array-samples.ts';
import { checkFinite, checkVaried } from './check-values.ts';
import { invalid, unreadable } from './fail.ts';
import { IMAGE_EXTENSIONS } from './image-folder.ts';
import { readImageSamples } from './image-samples.ts';
import {
  elementCountOf,
  inputText,
  type RawSamples,
  type SampleInput,
  type SampleOptions,
  type SampleSet,
} from './sample-set.ts';
import { checkAmount } from './spread.ts';
import { readTableSamples } from './table-samples.ts';

type Reader = (path: string, input: SampleInput, options: SampleOptions) => Promise<RawSamples>;

const READERS: Readonly<Record<string, Reader>> = {
  '.npy': readNpySamples,
  '.npz': readNpzSamples,
  '.csv': readTableSamples,
  '.tsv': readTableSamples,
};

/**
 * Reads the inputs that a float model is calibrated or evaluated with: an .npy, .npz, .csv or .tsv
 * file, or a folder of images.
 * @throws `input-invalid` saying which file, sample and element is wrong and what to do,
 * `file-missing`, `file-unreadable`, `model-unsupported` for an input without a fixed shape, and
 * the signal's reason
 */
export async function readSamples(
  path: string,
  input: SampleInput,
  options: SampleOptions,
): Promise<SampleSet> {
  const { maxCount, signal, use } = options;
  signal?.throwIfAborted();
  if (maxCount !== undefined && (!Number.isSafeInteger(maxCount) || maxCount < 1)) {
    throw new RangeError(`maxCount ${maxCount} is not a positive integer`);
  }
  if (input.shape.some((size) => !Number.isSafeInteger(size) || size < 1)) {
    throw new DunlinError(
      `the model's ${inputText(input)} has no fixed shape; export it with one`,
      {
        code: 'model-unsupported',
      },
    );
  }
  const reader = await findReader(path);
  checkAmount(path, 1, elementCountOf(input.shape));
  const raw = await reader(path, input, options);
  signal?.throwIfAborted();
  return toSampleSet(raw, input, { source: path, use });
}

/**
 * Samples that are in memory as a set.
 * @param source where they come from, for errors; its last part, for reports
 * @throws `input-invalid` saying which sample and element is wrong
 */
export function toSampleSet(
  raw: RawSamples,
  { shape }: SampleInput,
  { source, use }: { readonly source: string; readonly use: SampleOptions['use'] },
): SampleSet {
  const { values } = raw;
  const elementCount = elementCountOf(shape);
  checkFinite(values, elementCount, source);
  if (use === 'calibration') checkVaried(values, elementCount, source);
  const count = values.length / elementCount;
  return {
    ...raw,
    count,
    elementCount,
    source: basename(resolve(source)),
    sha256: digest(values, [count, ...shape]),
  };
}

async function findReader(path: string): Promise<Reader> {
  let isDirectory: boolean;
  try {
    isDirectory = (await stat(path)).isDirectory();
  } catch (error) {
    throw unreadable(path, error);
  }
  if (isDirectory) return readImageSamples;
  const extension = extname(path).toLowerCase();
  const reader = READERS[extension];
  if (reader !== undefined) return reader;
  if (IMAGE_EXTENSIONS.includes(extension)) {
    throw invalid(path, 'is one image; give the folder that the images are in');
  }
  const known = Object.keys(READERS).join(', ');
  throw invalid(path, `samples are read from ${known} files or a folder of images`);
}

/** The machines that Dunlin runs on are all little-endian: the bytes are the same on each. */
function digest(values: Float32Array, shape: readonly number[]): string {
  const { buffer, byteOffset, byteLength } = values;
  return createHash('sha256')
    .update(`${shape.join(',')}\n`)
    .update(new Uint8Array(buffer, byteOffset, byteLength))
    .digest('hex');
}
