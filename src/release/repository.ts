import { join } from 'node:path';
import {
  DunlinError,
  type Files,
  nodeFiles,
  parseJson,
  sha256Hex,
  writeFileAtomic,
} from '../core/index.ts';
import {
  type AssignmentSubject,
  type Chunk,
  cutIntoArtifact,
  DEFAULT_CHUNK_BYTES,
  MAX_RELEASE_DOCUMENT_BYTES,
  ReleaseDocument,
  releaseTargetPath,
} from '../update/index.ts';
import { makeDirectoryDurable } from './durable-directory.ts';
import { MetadataStore } from './metadata-store.ts';
import type { SignedRelease } from './tuf-documents.ts';

const RELEASE_FILE = 'release.json';
const SHA256 = /^[0-9a-f]{64}$/;
const ASSIGNMENT_FILE = /^(device|group)\.([^.]+)\.json$/;

/**
 * A release repository on disk:
 *   tuf/          1.root.json, N.targets.json, N.snapshot.json, timestamp.json
 *   releases/     <model>/<version>/release.json and the artifacts as they are
 *   chunks/       <sha256>: what travels
 *   assignments/  <device|group>.<name>.json
 * A release is never changed, and is there once its release.json is: that is written last.
 */
export class Repository {
  readonly dir: string;
  readonly metadata: MetadataStore;
  readonly #files: Files;

  constructor(dir: string, files: Files = nodeFiles) {
    this.dir = dir;
    this.metadata = new MetadataStore(files, dir);
    this.#files = files;
  }

  async hasRelease(model: string, version: string): Promise<boolean> {
    return (await this.#files.read(this.#releasePath(model, version))) !== undefined;
  }

  /** @throws `release-missing`, `input-invalid` */
  async readRelease(
    model: string,
    version: string,
  ): Promise<{ readonly document: ReleaseDocument; readonly bytes: Uint8Array }> {
    const path = this.#releasePath(model, version);
    const bytes = await this.#files.read(path);
    if (bytes === undefined) {
      throw new DunlinError(
        `${this.dir} has no release ${model}/${version}; see: dunlin release list`,
        { code: 'release-missing' },
      );
    }
    return { document: parseJson(ReleaseDocument, bytes, path), bytes };
  }

  /** Keeps a release: chunks and artifacts first, release.json last. @throws `release-exists`, `input-invalid` */
  async addRelease(
    document: ReleaseDocument,
    artifacts: ReadonlyMap<string, Uint8Array>,
    chunks: ReadonlyMap<string, Uint8Array>,
  ): Promise<void> {
    const { model, version } = document;
    await this.refuseExisting(model, version);
    const text = Buffer.from(`${JSON.stringify(document, null, 2)}\n`);
    if (text.byteLength > MAX_RELEASE_DOCUMENT_BYTES) {
      throw new DunlinError(
        `release.json would have ${text.byteLength} bytes, at most ${MAX_RELEASE_DOCUMENT_BYTES} are ` +
          'allowed: use a larger --chunk-bytes',
        { code: 'input-invalid' },
      );
    }
    const own = cutIntoArtifact(text, documentCut(document)).chunks;
    await this.#addChunks(new Map([...chunks, ...own]));
    const dir = await makeDirectoryDurable(this.#files, this.dir, 'releases', model, version);
    for (const [name, bytes] of artifacts) {
      await writeFileAtomic(this.#files, join(dir, name), bytes);
    }
    await writeFileAtomic(this.#files, join(dir, RELEASE_FILE), text);
  }

  /** @throws `release-exists` */
  async refuseExisting(model: string, version: string): Promise<void> {
    if (!(await this.hasRelease(model, version))) return;
    throw new DunlinError(
      `${this.dir} has a release ${model}/${version}, and releases never change; choose another version`,
      { code: 'release-exists' },
    );
  }

  /** Every release on disk, signed or not. */
  async releases(): Promise<ReleaseDocument[]> {
    const found: ReleaseDocument[] = [];
    for (const model of await this.#files.list(this.#path('releases'))) {
      for (const version of await this.#files.list(this.#path('releases', model))) {
        if (!(await this.hasRelease(model, version))) continue;
        found.push((await this.readRelease(model, version)).document);
      }
    }
    return found;
  }

  /** A release as the targets will name it. @throws `release-missing`, `input-invalid` */
  async describeForSigning(model: string, version: string): Promise<SignedRelease> {
    const { document, bytes } = await this.readRelease(model, version);
    const { artifact } = cutIntoArtifact(bytes, documentCut(document));
    const { sha256, lengthBytes, chunks } = artifact;
    return { path: releaseTargetPath(model, version), sha256, lengthBytes, chunks };
  }

  /** The chunks that a reader of this release needs: of its artifacts, and of release.json itself. */
  async chunksOf(model: string, version: string): Promise<Chunk[]> {
    const { document } = await this.readRelease(model, version);
    const { chunks } = await this.describeForSigning(model, version);
    return [...Object.values(document.artifacts).flatMap((artifact) => artifact.chunks), ...chunks];
  }

  /** @throws `digest-mismatch` */
  async readChunk(sha256: string): Promise<Uint8Array> {
    const path = this.#path('chunks', sha256);
    const bytes = await this.#files.read(path);
    if (bytes !== undefined && sha256Hex(bytes) === sha256) return bytes;
    throw new DunlinError(`${path}: missing or damaged; restore the repository from a backup`, {
      code: 'digest-mismatch',
    });
  }

  /** Names of all chunk files. */
  async chunkNames(): Promise<string[]> {
    return (await this.#files.list(this.#path('chunks'))).filter((name) => SHA256.test(name));
  }

  async removeChunk(sha256: string): Promise<void> {
    await this.#files.remove(this.#path('chunks', sha256));
  }

  async readAssignment(subject: AssignmentSubject): Promise<Uint8Array | undefined> {
    return this.#files.read(this.#assignmentPath(subject));
  }

  async writeAssignment(subject: AssignmentSubject, bytes: Uint8Array): Promise<void> {
    await makeDirectoryDurable(this.#files, this.dir, 'assignments');
    await writeFileAtomic(this.#files, this.#assignmentPath(subject), bytes);
  }

  async assignedSubjects(): Promise<AssignmentSubject[]> {
    const names = await this.#files.list(this.#path('assignments'));
    return names.flatMap((file) => {
      const [, kind, name] = ASSIGNMENT_FILE.exec(file) ?? [];
      return name === undefined ? [] : [{ kind: kind as AssignmentSubject['kind'], name }];
    });
  }

  #assignmentPath({ kind, name }: AssignmentSubject): string {
    return this.#path('assignments', `${kind}.${name}.json`);
  }

  #releasePath(model: string, version: string): string {
    return this.#path('releases', model, version, RELEASE_FILE);
  }

  #path(...parts: string[]): string {
    return join(this.dir, ...parts);
  }

  async #addChunks(chunks: ReadonlyMap<string, Uint8Array>): Promise<void> {
    const dir = await makeDirectoryDurable(this.#files, this.dir, 'chunks');
    for (const [sha256, bytes] of chunks) {
      await writeFileAtomic(this.#files, join(dir, sha256), bytes);
    }
  }
}

/** release.json travels as it is, cut as its artifacts are: their largest chunk tells the size. */
function documentCut({ artifacts }: ReleaseDocument): {
  chunkBytes: number;
  encoding: 'identity';
} {
  const sizes = Object.values(artifacts)
    .filter(({ chunks }) => chunks.length > 1)
    .flatMap(({ chunks }) => chunks.map(({ lengthBytes }) => lengthBytes));
  const chunkBytes = sizes.length === 0 ? DEFAULT_CHUNK_BYTES : Math.max(...sizes);
  return { chunkBytes, encoding: 'identity' };
}
