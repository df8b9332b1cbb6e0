import {
  errorMessage,
  type NpyArray,
  parseNpy,
  readNamedFile,
  unpackNpz,
} from '../../core/index.ts';
import { invalid } from './fail.ts';
import {
  elementCountOf,
  inputText,
  MAX_SAMPLE_BYTES,
  type RawSamples,
  type SampleInput,
  type SampleOptions,
  shapeText,
} from './sample-set.ts';
import { takeIndices } from './spread.ts';

/** Beside the values, an .npy has a header and an .npz its directory. */
const MAX_ARRAY_FILE_BYTES = MAX_SAMPLE_BYTES + 1024 * 1024;

/** The samples of an .npy file. @throws `input-invalid`, and what reading a file throws */
export async function readNpySamples(
  path: string,
  input: SampleInput,
  options: SampleOptions,
): Promise<RawSamples> {
  const array = parseNpy(await readNamedFile(path, MAX_ARRAY_FILE_BYTES), path);
  return takeSamples(array, input, path, options);
}

/**
 * The samples of one array of an .npz: the one that was named, or the only one that fits.
 * @throws `input-invalid`, and what reading a file throws
 */
export async function readNpzSamples(
  path: string,
  input: SampleInput,
  options: SampleOptions,
): Promise<RawSamples> {
  const bytes = await readNamedFile(path, MAX_ARRAY_FILE_BYTES);
  const entries = unpackNpz(bytes, path, MAX_ARRAY_FILE_BYTES);
  const { arrayName } = options;
  if (arrayName !== undefined) {
    const entry = entries.get(arrayName);
    if (entry === undefined) {
      const names = [...entries.keys()].join(', ') || 'none';
      throw invalid(path, `has no array ${arrayName}; its arrays are: ${names}`);
    }
    const what = `${path}: ${arrayName}`;
    return takeSamples(parseNpy(entry, what), input, what, options);
  }
  const [name, array] = soleArray(path, entries, input);
  return takeSamples(array, input, `${path}: ${name}`, options);
}

/** Arrays of unknown types (names of classes, say) do not stand in the way of one that fits. */
function soleArray(
  path: string,
  entries: ReadonlyMap<string, Uint8Array>,
  input: SampleInput,
): [name: string, array: NpyArray] {
  const fitting: [string, NpyArray][] = [];
  const described: string[] = [];
  for (const [name, bytes] of entries) {
    try {
      const array = parseNpy(bytes, name);
      described.push(`${name} ${shapeText(array.shape)}`);
      if (sampleCount(array.shape, input.shape) !== undefined) fitting.push([name, array]);
    } catch (error) {
      described.push(errorMessage(error));
    }
  }
  const [first, second] = fitting;
  if (first === undefined) {
    const found = described.join('; ') || 'none';
    throw invalid(path, `no array fits the model's ${inputText(input)}; its arrays are: ${found}`);
  }
  if (second !== undefined) {
    const found = fitting.map(([name, { shape }]) => `${name} ${shapeText(shape)}`).join(', ');
    throw invalid(path, `several arrays fit the model's input; name one of: ${found}`);
  }
  return first;
}

function takeSamples(
  array: NpyArray,
  input: SampleInput,
  what: string,
  { maxCount }: SampleOptions,
): RawSamples {
  if (array.type === 'int8') {
    throw invalid(
      what,
      'int8 values look quantized already; give the real values that the float model takes, ' +
        'as float32',
    );
  }
  const sourceCount = sampleCount(array.shape, input.shape);
  if (sourceCount === undefined) throw wrongShape(array.shape, input, what);
  const elementCount = elementCountOf(input.shape);
  const indices = takeIndices(what, sourceCount, elementCount, maxCount);
  if (array.type === 'float32' && indices.length === sourceCount) {
    return { values: array.data, sourceCount };
  }
  const values = new Float32Array(indices.length * elementCount);
  for (const [to, from] of indices.entries()) {
    const target = values.subarray(to * elementCount, (to + 1) * elementCount);
    copyAsFloat32(array, from * elementCount, target);
  }
  return { values, sourceCount };
}

function copyAsFloat32(array: NpyArray, start: number, target: Float32Array): void {
  if (array.type === 'int64' || array.type === 'bool') {
    const isBool = array.type === 'bool';
    for (let index = 0; index < target.length; index++) {
      const value = Number(array.data[start + index]!);
      target[index] = isBool ? Math.min(value, 1) : value;
    }
    return;
  }
  target.set(array.data.subarray(start, start + target.length));
}

/**
 * How many samples an array holds: its shape is the input's with more in the leading dimension, or
 * lacks a leading one, or has the values of an input in one row. Dimensions of one may be there or
 * not, which does not change the order of the values.
 */
function sampleCount(shape: readonly number[], input: readonly number[]): number | undefined {
  const [batch = 1, ...sample] = input;
  const [leading, ...rest] = shape;
  const elementCount = elementCountOf(input);
  if (batch === 1 && fits(shape, sample)) return 1;
  if (leading === undefined) return undefined;
  if (fits(rest, sample)) return leading % batch === 0 ? leading / batch : undefined;
  return rest.length === 1 && rest[0] === elementCount ? leading : undefined;
}

function fits(shape: readonly number[], sample: readonly number[]): boolean {
  const essential = (sizes: readonly number[]) => sizes.filter((size) => size !== 1).join();
  return essential(shape) === essential(sample);
}

function wrongShape(shape: readonly number[], input: SampleInput, what: string) {
  const [, height, width, channels] = input.shape;
  const channelsFirst =
    input.shape.length === 4 && shape.slice(-3).join() === [channels, height, width].join();
  const hint = channelsFirst
    ? '; its channels come first: save numpy.moveaxis(x, -3, -1)'
    : `; give (count, ${input.shape.slice(1).join(', ')})`;
  return invalid(
    what,
    `shape ${shapeText(shape)} does not fit the model's ${inputText(input)}${hint}`,
  );
}
