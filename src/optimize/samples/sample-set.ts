/** The values of one set, as float32: a calibration takes hundreds of samples, not millions. */
export const MAX_SAMPLE_BYTES = 1024 * 1024 * 1024;
export const MAX_SAMPLES = 1_000_000;
export const FLOAT32_BYTES = 4;

/** The one input of a float model. */
export interface SampleInput {
  readonly name: string;
  /** With its batch: [1, 49, 10, 1]. */
  readonly shape: readonly number[];
}

/** The values that pixels 0 and 255 stand for; those between lie on the line through both. */
export interface ImageRange {
  readonly low: number;
  readonly high: number;
}

export interface SampleOptions {
  /** Ranges cannot be learnt from samples that are all the same: `calibration` refuses them. */
  readonly use: 'calibration' | 'evaluation';
  /** Which array of an .npz; without it, the only one that fits the input. */
  readonly arrayName?: string;
  /** 0 to 1 unless given. */
  readonly imageRange?: ImageRange;
  /** Takes at most so many, evenly spread over all. A positive integer. */
  readonly maxCount?: number;
  /** After each image. */
  readonly onProgress?: (doneCount: number, totalCount: number) => void;
  readonly signal?: AbortSignal;
}

/** What a file or folder gave, before it is checked. */
export interface RawSamples {
  /** [count, …input], row-major. */
  readonly values: Float32Array;
  /** Samples in the file or folder, of which `maxCount` took some. */
  readonly sourceCount: number;
  /** Of each sample: an index into `labelNames`. From images in a folder for each class. */
  readonly labels?: Int32Array;
  readonly labelNames?: readonly string[];
  /** Files of a folder of images that are no images by their extension. */
  readonly ignoredFileCount?: number;
}

export interface SampleSet extends RawSamples {
  readonly count: number;
  /** Values of one sample. */
  readonly elementCount: number;
  /** The name of the file or folder, for reports. */
  readonly source: string;
  /** Of shape and values: the same samples have the same digest, whatever they were read from. */
  readonly sha256: string;
}

export function elementCountOf(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

export function shapeText(shape: readonly number[]): string {
  return `(${shape.join(', ')})`;
}

/** "input x (1, 49, 10, 1)" */
export function inputText({ name, shape }: SampleInput): string {
  return `input ${name} ${shapeText(shape)}`;
}
