import { constants } from 'node:fs';
import { mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { DunlinError, errnoOf } from './errors.ts';

/**
 * The file system as state keepers see it: few operations, each of which a test can interrupt.
 * `write` is durable for the file's bytes, `syncDirectory` for names made or changed in it.
 */
export interface Files {
  /** The bytes, or undefined when there is no such file. */
  read(path: string): Promise<Uint8Array | undefined>;
  /** Creates or truncates, writes, fsyncs. */
  write(path: string, bytes: Uint8Array, mode?: number): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  syncDirectory(path: string): Promise<void>;
  /** Removes a file or a tree; nothing happens when it is absent. */
  remove(path: string): Promise<void>;
  makeDirectory(path: string): Promise<void>;
  /** Names in a directory, sorted; empty when it is absent. */
  list(path: string): Promise<string[]>;
}

const DEFAULT_MODE = 0o644;

export const nodeFiles: Files = {
  async read(path) {
    try {
      return await readFile(path);
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return undefined;
      throw unreadable(path, error);
    }
  },
  async write(path, bytes, mode = DEFAULT_MODE) {
    const handle = await open(path, 'w', mode);
    try {
      await handle.writeFile(bytes);
      await handle.sync();
    } finally {
      await handle.close();
    }
  },
  rename,
  async syncDirectory(path) {
    const handle = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  },
  async remove(path) {
    await rm(path, { recursive: true, force: true });
  },
  async makeDirectory(path) {
    await makeDirectories(path);
  },
  async list(path) {
    try {
      return (await readdir(path)).sort();
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return [];
      throw unreadable(path, error);
    }
  },
};

/** Node's own recursive mkdir never returns where a parent can be listed but not written to (/proc). */
async function makeDirectories(path: string): Promise<void> {
  try {
    await mkdir(path);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'EEXIST' && (await stat(path)).isDirectory()) return;
    if (errno !== 'ENOENT' || dirname(path) === path) throw unwritable(path, error);
    const parent = dirname(path);
    if (await exists(parent)) throw unwritable(path, error);
    await makeDirectories(parent);
    await makeDirectories(path);
  }
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

function unwritable(path: string, cause: unknown): DunlinError {
  if (cause instanceof DunlinError) return cause;
  return new DunlinError(`${path}: cannot be made as a directory (${errnoOf(cause) ?? cause})`, {
    code: 'file-unreadable',
    cause,
  });
}

/**
 * Replaces a file so that a power cut leaves the old bytes or the new ones, never a mixture:
 * write a sibling, fsync it, rename, fsync the directory.
 */
export async function writeFileAtomic(
  files: Files,
  path: string,
  bytes: Uint8Array | string,
  mode?: number,
): Promise<void> {
  const temporary = `${path}.new`;
  await files.write(temporary, typeof bytes === 'string' ? Buffer.from(bytes) : bytes, mode);
  await files.rename(temporary, path);
  await files.syncDirectory(dirname(path));
}

/** Reads a file that a person named. @throws `file-missing`, `file-unreadable`, `input-invalid` (too large) */
export async function readNamedFile(path: string, maxBytes: number): Promise<Uint8Array> {
  let handle: Awaited<ReturnType<typeof open>>;
  try {
    handle = await open(path, 'r');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') {
      throw new DunlinError(`${path}: no such file`, { code: 'file-missing', cause: error });
    }
    throw unreadable(path, error);
  }
  try {
    const { size } = await handle.stat();
    if (size > maxBytes) {
      throw new DunlinError(`${path}: ${size} bytes, the limit is ${maxBytes}`, {
        code: 'input-invalid',
      });
    }
    return await handle.readFile();
  } catch (error) {
    throw error instanceof DunlinError ? error : unreadable(path, error);
  } finally {
    await handle.close();
  }
}

function unreadable(path: string, cause: unknown): DunlinError {
  return new DunlinError(`${path}: cannot be read (${errnoOf(cause) ?? cause})`, {
    code: 'file-unreadable',
    cause,
  });
}
