import { errorMessage, readNamedFile } from '../../core/index.ts';
import { invalid } from './fail.ts';
import { listImages } from './image-folder.ts';
import {
  elementCountOf,
  type ImageRange,
  inputText,
  type RawSamples,
  type SampleInput,
  type SampleOptions,
} from './sample-set.ts';
import { takeIndices } from './spread.ts';

/** Of one image, decoded: a small file can claim to be a very large picture. */
export const MAX_IMAGE_PIXELS = 64 * 1024 * 1024;
export const MAX_IMAGE_FILE_BYTES = 128 * 1024 * 1024;
/** Decoded at the same time; sharp works in threads of its own. */
const IMAGES_AT_ONCE = 4;
const DEFAULT_RANGE: ImageRange = { low: 0, high: 1 };
const PIXEL_MAX = 255;
const RGB_CHANNELS = 3;
/** By content: what a file is called does not make it one of the others that sharp can open. */
const FORMATS: ReadonlySet<string> = new Set(['png', 'jpeg', 'webp', 'gif', 'tiff', 'heif']);

type Sharp = typeof import('sharp').default;

interface ImageSize {
  readonly height: number;
  readonly width: number;
  readonly channels: number;
}

/**
 * The images of a folder as samples: resized to the input without regard to their proportions, as a
 * viewer shows them (turned as their EXIF says, in sRGB), transparency over black.
 * @throws `input-invalid` naming the image, `file-unreadable`
 */
export async function readImageSamples(
  folder: string,
  input: SampleInput,
  options: SampleOptions,
): Promise<RawSamples> {
  const { signal, onProgress, maxCount } = options;
  const size = imageSize(folder, input);
  const { paths, classes, ignoredFileCount } = await listImages(folder, signal);
  const elementCount = elementCountOf(input.shape);
  const indices = takeIndices(folder, paths.length, elementCount, maxCount);

  const sharp = await loadSharp(folder);
  const levels = pixelLevels(options.imageRange ?? DEFAULT_RANGE);
  const values = new Float32Array(indices.length * elementCount);
  let doneCount = 0;
  const readOne = async (to: number): Promise<void> => {
    const rgb = await decode(sharp, paths[indices[to]!]!, size);
    const target = values.subarray(to * elementCount, (to + 1) * elementCount);
    fill(target, rgb, levels, size.channels);
    doneCount += 1;
    onProgress?.(doneCount, indices.length);
  };
  for (let start = 0; start < indices.length; start += IMAGES_AT_ONCE) {
    signal?.throwIfAborted();
    const length = Math.min(IMAGES_AT_ONCE, indices.length - start);
    await Promise.all(Array.from({ length }, (_, index) => readOne(start + index)));
  }
  return {
    values,
    sourceCount: paths.length,
    ignoredFileCount,
    ...(classes === undefined
      ? {}
      : {
          labels: Int32Array.from(indices, (index) => classes.labels[index]!),
          labelNames: classes.labelNames,
        }),
  };
}

function imageSize(folder: string, input: SampleInput): ImageSize {
  const [batch, height = 0, width = 0, channels = 0] = input.shape;
  if (input.shape.length !== 4 || batch !== 1 || (channels !== 1 && channels !== RGB_CHANNELS)) {
    throw invalid(
      folder,
      `a folder of images is for inputs (1, height, width, 1 or 3), and the model has ` +
        `${inputText(input)}; give an .npy file`,
    );
  }
  return { height, width, channels };
}

/** sharp's binaries are optional packages of npm: where there is none, all else still works. */
async function loadSharp(folder: string): Promise<Sharp> {
  try {
    return (await import('sharp')).default;
  } catch (error) {
    throw invalid(
      folder,
      'images need the npm package sharp, which does not load here ' +
        `(${errorMessage(error).slice(0, 200)}); install it, or give an .npy file`,
      error,
    );
  }
}

/** @returns height × width × 3, sRGB */
async function decode(sharp: Sharp, path: string, size: ImageSize): Promise<Uint8Array> {
  const bytes = await readNamedFile(path, MAX_IMAGE_FILE_BYTES);
  try {
    // Many a camera's files give a warning (bytes too many before a marker); what is cut off fails.
    const image = sharp(bytes, { limitInputPixels: MAX_IMAGE_PIXELS, failOn: 'error' });
    const { format } = await image.metadata();
    if (!FORMATS.has(format)) throw new TypeError(`${format} is not read`);
    return await image
      .autoOrient()
      .flatten({ background: '#000' })
      .toColourspace('srgb')
      .resize(size.width, size.height, { fit: 'fill', kernel: 'linear' })
      .raw()
      .toBuffer();
  } catch (error) {
    const reason = errorMessage(error);
    throw invalid(
      path,
      `cannot be decoded as an image (${reason}); repair, shrink or remove it`,
      error,
    );
  }
}

/** What each pixel stands for; both ends are met exactly. */
function pixelLevels({ low, high }: ImageRange): Float32Array {
  if (!(Number.isFinite(low) && Number.isFinite(high) && low < high)) {
    throw new RangeError(`image range ${low} to ${high}`);
  }
  return Float32Array.from({ length: PIXEL_MAX + 1 }, (_, pixel) =>
    pixel === PIXEL_MAX ? high : low + (pixel * (high - low)) / PIXEL_MAX,
  );
}

function fill(target: Float32Array, rgb: Uint8Array, levels: Float32Array, channels: number): void {
  for (let index = 0; index < target.length; index++) {
    target[index] = levels[channels === 1 ? greyAt(rgb, index * RGB_CHANNELS) : rgb[index]!]!;
  }
}

/**
 * ITU-R BT.601 luma in Pillow's integers (src/libImaging/Convert.c, `L24`), as data sets are made for
 * training; sharp's own grey is of linear light, where pure red is 127 and not 76.
 */
function greyAt(rgb: Uint8Array, at: number): number {
  return (rgb[at]! * 19595 + rgb[at + 1]! * 38470 + rgb[at + 2]! * 7471 + 0x8000) >> 16;
}
