import { DunlinError } from '../../core/index.ts';
import { type Artifact, type Chunk, MAX_RELEASE_DOCUMENT_BYTES } from '../documents.ts';
import { checkArtifact, joinArtifact } from './artifact.ts';
import type { BlockSource } from './block-source.ts';
import type { ChunkStore } from './chunk-store.ts';

export interface TransferProgress {
  /** Different chunks; equal ones travel once. */
  readonly chunksTotal: number;
  readonly chunksPresent: number;
  /** Of those present, the ones that came in this call. */
  readonly chunksFetched: number;
  readonly bytesPresent: number;
  readonly bytesTotal: number;
}

export interface FetchOptions {
  readonly store: ChunkStore;
  readonly source: BlockSource;
  readonly signal: AbortSignal;
  /** Called once at the start and after every chunk that was kept. */
  readonly onProgress?: (progress: TransferProgress) => void;
}

/**
 * Brings an artifact here: asks only for chunks that are not on disk, keeps each durably, joins and checks the whole.
 * @throws `metadata-malformed` (sizes, before anything is fetched), `transfer-failed`, `digest-mismatch`,
 * `broker-refused`, the signal's reason
 */
export async function fetchArtifact({
  artifact,
  store,
  source,
  signal,
  onProgress,
}: FetchOptions & { readonly artifact: Artifact }): Promise<Uint8Array> {
  checkArtifact(artifact);
  const unique = new Map(artifact.chunks.map((chunk) => [chunk.sha256, chunk]));
  const missing = await store.missing(artifact.chunks, signal);
  const sum = (chunks: Iterable<Chunk>): number =>
    [...chunks].reduce((bytes, { lengthBytes }) => bytes + lengthBytes, 0);
  const bytesTotal = sum(unique.values());
  let bytesPresent = bytesTotal - sum(missing);
  let chunksFetched = 0;
  const report = (): void => {
    const chunksPresent = unique.size - missing.length + chunksFetched;
    const chunksTotal = unique.size;
    onProgress?.({ chunksTotal, chunksPresent, chunksFetched, bytesPresent, bytesTotal });
  };
  report();
  if (missing.length > 0) {
    const deliver = async (sha256: string, bytes: Uint8Array) => {
      const chunk = unique.get(sha256);
      if (chunk === undefined || !(await store.put(chunk, bytes))) return 'refused';
      bytesPresent += chunk.lengthBytes;
      chunksFetched++;
      report();
      return 'accepted';
    };
    await source.fetch(missing, deliver, signal);
  }
  return await joinArtifact(artifact, stored(artifact.chunks, store), signal);
}

async function* stored(chunks: readonly Chunk[], store: ChunkStore): AsyncIterable<Uint8Array> {
  for (const chunk of chunks) {
    const bytes = await store.get(chunk);
    if (bytes === undefined) {
      throw new DunlinError(`chunk ${chunk.sha256} was on disk and is gone; try again`, {
        code: 'transfer-failed',
        context: { missing: [chunk.sha256] },
      });
    }
    yield bytes;
  }
}

export interface DocumentTarget {
  readonly sha256: string;
  readonly lengthBytes: number;
  readonly chunks: readonly Chunk[];
}

/** Brings a release.json here: chunks of its own bytes, as TUF signed them. @throws as `fetchArtifact` */
export async function fetchDocument({
  target: { sha256, lengthBytes, chunks },
  ...options
}: FetchOptions & { readonly target: DocumentTarget }): Promise<Uint8Array> {
  if (lengthBytes > MAX_RELEASE_DOCUMENT_BYTES) {
    throw new DunlinError(
      `release.json of ${lengthBytes} bytes, the limit is ${MAX_RELEASE_DOCUMENT_BYTES}`,
      { code: 'metadata-malformed' },
    );
  }
  const artifact: Artifact = {
    sha256,
    lengthBytes,
    encoding: 'identity',
    encodedBytes: lengthBytes,
    chunks: [...chunks],
  };
  return await fetchArtifact({ artifact, ...options });
}
