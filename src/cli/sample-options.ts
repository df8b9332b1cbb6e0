import { basename } from 'node:path';
import { createLogger, DunlinError, systemClock } from '../core/index.ts';
import { type LoadModel, sandboxLoader } from '../inference/index.ts';
import {
  classCount,
  type ImageRange,
  modelInputs,
  readLabels,
  readSamples,
  type SampleSet,
} from '../optimize/index.ts';
import { parseModel, printable } from '../tflite/index.ts';
import type { CommandIo } from './command.ts';
import type { ProgressLine } from './progress-line.ts';

/** Exposing every activation takes more memory and time than serving does. */
const LIMITS = { memoryBytes: 3 * 1024 ** 3, inferTimeoutMs: 60_000, loadTimeoutMs: 60_000 };
const DEFAULT_IMAGE_RANGE = '0..1';
export const IMAGE_RANGE_HELP = `what pixels 0 and 255 are for the model: 0..1, -1..1 or 0..255`;

/** Models run in sandboxes with room for measuring. */
export function measuringLoader(io: CommandIo): LoadModel {
  const logger = createLogger({
    level: 'error',
    format: 'text',
    nowMs: () => systemClock.nowMs(),
    write: (line) => io.err(`${line}\n`),
  });
  return sandboxLoader({ clock: systemClock, logger, limits: LIMITS });
}

/** `-1..1` @throws `usage` */
export function imageRange(text: string = DEFAULT_IMAGE_RANGE): ImageRange {
  const [low, high, ...more] = text.split('..').map(Number);
  if (more.length === 0 && Number.isFinite(low) && Number.isFinite(high) && low! < high!) {
    return { low: low!, high: high! };
  }
  throw new DunlinError(`--image-range: "${text}" is no range; write 0..1, -1..1 or 0..255`, {
    code: 'usage',
  });
}

export interface SampleReading {
  readonly use: 'calibration' | 'evaluation';
  readonly imageRange: ImageRange;
  readonly maxCount?: number;
  readonly arrayName?: string;
  readonly progress: ProgressLine;
  readonly signal: AbortSignal;
}

/** Samples for each input of a model; several inputs come from an .npz with an array of each input's name. */
export async function readModelSamples(
  path: string,
  model: Uint8Array,
  what: string,
  reading: SampleReading,
): Promise<SampleSet[]> {
  const { use, maxCount, progress, signal } = reading;
  const inputs = modelInputs(model, what);
  if (inputs.length > 1 && !path.endsWith('.npz')) {
    const names = inputs.map(({ name }) => printable(name)).join(', ');
    throw new DunlinError(
      `${path}: ${what} has ${inputs.length} inputs; give an .npz with an array for each of ${names}`,
      { code: 'input-invalid' },
    );
  }
  const sets: SampleSet[] = [];
  for (const { name, shape } of inputs) {
    const arrayName = inputs.length > 1 ? name : reading.arrayName;
    const set = await readSamples(
      path,
      { name, shape },
      {
        use,
        imageRange: reading.imageRange,
        signal,
        onProgress: (done, total) => progress.show(`reading ${basename(path)}`, done, total),
        ...(arrayName === undefined ? {} : { arrayName }),
        ...(maxCount === undefined ? {} : { maxCount }),
      },
    );
    sets.push(set);
  }
  progress.end();
  return sets;
}

/**
 * The right class of each sample: from a file, or from the folders that images lie in, where there is one for each
 * class of the model. What folders were taken for is said on standard error.
 */
export async function readModelLabels(
  io: CommandIo,
  path: string | undefined,
  samples: SampleSet,
  model: Uint8Array,
  what: string,
): Promise<Int32Array | undefined> {
  if (path !== undefined) return readLabels(path, samples, io.signal);
  const { labels, labelNames } = samples;
  if (labels === undefined || labelNames === undefined) return undefined;
  const classes = classCount(parseModel(model, what));
  if (labelNames.length !== classes) {
    io.err(
      `note: ${labelNames.length} folders of images and ${classes} outputs: folders are not taken as labels ` +
        '(--labels names them)\n',
    );
    return undefined;
  }
  const mapping = labelNames.map((name, index) => `${index} ${printable(name)}`).join(', ');
  io.err(`note: labels are the folders of the images, by their names: ${mapping}\n`);
  return labels;
}
