import { join } from 'node:path';
import { type Files, type Logger, sha256Hex, writeFileAtomic } from '../../core/index.ts';
import type { Chunk } from '../documents.ts';

export interface ChunkStoreOptions {
  readonly files: Files;
  readonly dir: string;
  readonly logger: Logger;
}

/**
 * Chunks on disk, each in a file named by its SHA-256: what an interrupted transfer resumes from. A file is believed
 * only after its bytes were hashed, so a torn or rotten one is the same as none.
 */
export class ChunkStore {
  readonly #files: Files;
  readonly #dir: string;
  readonly #logger: Logger;

  private constructor({ files, dir, logger }: ChunkStoreOptions) {
    this.#files = files;
    this.#dir = dir;
    this.#logger = logger.child('chunks');
  }

  static async open(options: ChunkStoreOptions): Promise<ChunkStore> {
    await options.files.makeDirectory(options.dir);
    return new ChunkStore(options);
  }

  /** Keeps a chunk durably. @returns false when the bytes are not the chunk; nothing is written then */
  async put(chunk: Chunk, bytes: Uint8Array): Promise<boolean> {
    if (!isChunk(chunk, bytes)) return false;
    await writeFileAtomic(this.#files, this.#path(chunk.sha256), bytes);
    return true;
  }

  /** The chunk's bytes, checked; undefined when they are not here. */
  async get(chunk: Chunk): Promise<Uint8Array | undefined> {
    const bytes = await this.#files.read(this.#path(chunk.sha256));
    if (bytes === undefined || isChunk(chunk, bytes)) return bytes;
    this.#logger.warn('a stored chunk is damaged and will be fetched again', {
      sha256: chunk.sha256,
    });
    await this.#files.remove(this.#path(chunk.sha256));
    return undefined;
  }

  async has(chunk: Chunk): Promise<boolean> {
    return (await this.get(chunk)) !== undefined;
  }

  /** Those of the chunks that are not here, each once, in order. */
  async missing(chunks: readonly Chunk[], signal?: AbortSignal): Promise<Chunk[]> {
    const unique = new Map(chunks.map((chunk) => [chunk.sha256, chunk]));
    const missing: Chunk[] = [];
    for (const chunk of unique.values()) {
      signal?.throwIfAborted();
      if (!(await this.has(chunk))) missing.push(chunk);
    }
    return missing;
  }

  /** Removes every file that is not one of these chunks. */
  async prune(keep: ReadonlySet<string>): Promise<void> {
    for (const name of await this.#files.list(this.#dir)) {
      if (!keep.has(name)) await this.#files.remove(join(this.#dir, name));
    }
    await this.#files.syncDirectory(this.#dir);
  }

  #path(sha256: string): string {
    return join(this.#dir, sha256);
  }
}

function isChunk({ sha256, lengthBytes }: Chunk, bytes: Uint8Array): boolean {
  return bytes.byteLength === lengthBytes && sha256Hex(bytes) === sha256;
}
