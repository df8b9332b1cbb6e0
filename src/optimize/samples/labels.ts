import { extname } from 'node:path';
import { parseNpy, readNamedFile } from '../../core/index.ts';
import { invalid } from './fail.ts';
import { MAX_SAMPLES, type SampleSet, shapeText } from './sample-set.ts';
import { spreadIndices } from './spread.ts';
import { readTable } from './table.ts';

/** A classifier with more classes than this is a column of something else. */
export const MAX_LABEL = 1_000_000;
const MAX_LABEL_FILE_BYTES = 16 * MAX_SAMPLES;

/**
 * Reads the index of the right class for each sample, from an .npy file, or one a line from a .csv
 * or .txt file. Where `maxCount` took some of the samples, the labels of those are taken.
 * @throws `input-invalid`, `file-missing`, `file-unreadable`
 */
export async function readLabels(
  path: string,
  samples: Pick<SampleSet, 'count' | 'sourceCount'>,
  signal?: AbortSignal,
): Promise<Int32Array> {
  const { count, sourceCount } = samples;
  signal?.throwIfAborted();
  const labels = await readAll(path, signal);
  if (labels.length !== sourceCount) {
    throw invalid(
      path,
      `${labels.length} labels for ${sourceCount} samples; give one for each, in their order`,
    );
  }
  return Int32Array.from(spreadIndices(sourceCount, count), (index) => labels[index]!);
}

async function readAll(path: string, signal?: AbortSignal): Promise<number[]> {
  switch (extname(path).toLowerCase()) {
    case '.npy':
      return readNpyLabels(path);
    case '.csv':
    case '.txt':
      return readTextLabels(path, signal);
    default:
      throw invalid(path, 'labels are read from .npy, .csv or .txt files');
  }
}

async function readNpyLabels(path: string): Promise<number[]> {
  const { shape, data } = parseNpy(await readNamedFile(path, MAX_LABEL_FILE_BYTES), path);
  if (shape.filter((size) => size !== 1).length > 1) {
    throw invalid(
      path,
      `shape ${shapeText(shape)} is not one label a sample; of one-hot rows, save x.argmax(-1)`,
    );
  }
  return Array.from(data as Iterable<number | bigint>, (value, index) =>
    checkLabel(Number(value), path, `label ${index} (counted from 0)`),
  );
}

async function readTextLabels(path: string, signal?: AbortSignal): Promise<number[]> {
  const labels: number[] = [];
  await readTable(path, {
    columnCount: 1,
    wanted: 'give one label a line and nothing else',
    onRow: (row, line) => {
      if (labels.length >= MAX_SAMPLES) throw invalid(path, `more than ${MAX_SAMPLES} labels`);
      labels.push(checkLabel(row[0]!, path, `line ${line}`));
    },
    ...(signal === undefined ? {} : { signal }),
  });
  return labels;
}

function checkLabel(label: number, path: string, place: string): number {
  if (Number.isInteger(label) && label >= 0 && label <= MAX_LABEL) return label;
  throw invalid(
    path,
    `${place} is ${label}; give the index of the class, a whole number from 0 to ${MAX_LABEL}`,
  );
}
