import type { Dirent } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { invalid, unreadable } from './fail.ts';

export const IMAGE_EXTENSIONS: readonly string[] = [
  '.png',
  '.jpg',
  '.jpeg',
  '.webp',
  '.gif',
  '.tif',
  '.tiff',
  '.avif',
];

const MAX_FOLDER_DEPTH = 16;
/** ImageNet, of which `maxCount` takes some, has 1.3 million. */
const MAX_FOLDER_ENTRIES = 4_000_000;

export interface ImageFolder {
  /** In the order of their names, folder by folder. */
  readonly paths: readonly string[];
  /** Files that are no images by their extension. */
  readonly ignoredFileCount: number;
  /** When the images are in a folder for each class. */
  readonly classes?: ImageClasses;
}

interface ImageClasses {
  readonly labelNames: readonly string[];
  /** Of each path. */
  readonly labels: Int32Array;
}

interface FoundImage {
  readonly path: string;
  /** The folders between the root and the image. */
  readonly folders: readonly string[];
}

/**
 * Finds the images of a folder and of those in it. Names that begin with a point are passed over;
 * links to files are followed, links to folders are not, so that there is no going in circles.
 * @throws `input-invalid` when there are none or too many, `file-unreadable`
 */
export async function listImages(root: string, signal?: AbortSignal): Promise<ImageFolder> {
  const images: FoundImage[] = [];
  let entryCount = 0;
  let ignoredFileCount = 0;

  const walk = async (folder: string, folders: readonly string[]): Promise<void> => {
    if (folders.length > MAX_FOLDER_DEPTH) {
      throw invalid(folder, `folders more than ${MAX_FOLDER_DEPTH} deep are not read`);
    }
    for (const entry of await listFolder(folder)) {
      signal?.throwIfAborted();
      entryCount += 1;
      if (entryCount > MAX_FOLDER_ENTRIES) {
        throw invalid(root, `more than ${MAX_FOLDER_ENTRIES} files in it; give a smaller folder`);
      }
      const path = join(folder, entry.name);
      if (entry.isDirectory()) await walk(path, [...folders, entry.name]);
      else if (!(await isFile(path, entry))) ignoredFileCount += 1;
      else if (isImageName(entry.name)) images.push({ path, folders });
      else ignoredFileCount += 1;
    }
  };
  await walk(root, []);

  if (images.length === 0) {
    throw invalid(root, `has no images in it (${IMAGE_EXTENSIONS.join(', ')})`);
  }
  const classes = await findClasses(root, images);
  return {
    paths: images.map(({ path }) => path),
    ignoredFileCount,
    ...(classes === undefined ? {} : { classes }),
  };
}

/**
 * Every folder counts, those without images too: the indices are then the same for a part of a data
 * set (Keras, image_dataset_from_directory).
 */
async function findClasses(
  root: string,
  images: readonly FoundImage[],
): Promise<ImageClasses | undefined> {
  if (images.some(({ folders }) => folders.length !== 1)) return undefined;
  const entries = await listFolder(root);
  const labelNames = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  if (labelNames.length < 2) return undefined;
  const indexOf = new Map(labelNames.map((name, index) => [name, index]));
  return {
    labelNames,
    labels: Int32Array.from(images, ({ folders }) => indexOf.get(folders[0]!)!),
  };
}

async function listFolder(folder: string): Promise<Dirent[]> {
  try {
    const entries = await readdir(folder, { withFileTypes: true });
    return entries
      .filter(({ name }) => !name.startsWith('.'))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  } catch (error) {
    throw unreadable(folder, error);
  }
}

async function isFile(path: string, entry: Dirent): Promise<boolean> {
  if (!entry.isSymbolicLink()) return entry.isFile();
  try {
    return (await stat(path)).isFile();
  } catch (error) {
    throw unreadable(path, error);
  }
}

function isImageName(name: string): boolean {
  return IMAGE_EXTENSIONS.includes(extname(name).toLowerCase());
}
