import { createHash } from 'node:crypto';
import { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { brotliCompressSync, constants, createBrotliDecompress } from 'node:zlib';
import { DunlinError, errnoOf, errorMessage, sha256Hex } from '../../core/index.ts';
import {
  type Artifact,
  type Chunk,
  MAX_ARTIFACT_BYTES,
  MAX_CHUNK_BYTES,
  MIN_CHUNK_BYTES,
} from '../documents.ts';

/** What zlib calls errors of the data, as opposed to those of whoever reads it or of an abort. */
const DECODER_ERROR = /^(ERR__ERROR|ERR_BROTLI|Z_)/;

export interface CutOptions {
  /** Size of every chunk but the last. */
  readonly chunkBytes: number;
  readonly encoding: Artifact['encoding'];
}

export interface CutArtifact {
  readonly artifact: Artifact;
  /** Payloads by SHA-256; equal chunks are there once. */
  readonly chunks: ReadonlyMap<string, Uint8Array>;
}

/** Encodes a file and cuts it as it will travel. The same bytes and options always give the same chunks. */
export function cutIntoArtifact(
  bytes: Uint8Array,
  { chunkBytes, encoding }: CutOptions,
): CutArtifact {
  if (bytes.byteLength < 1 || bytes.byteLength > MAX_ARTIFACT_BYTES) {
    throw invalid(
      `an artifact of ${bytes.byteLength} bytes; allowed are 1 to ${MAX_ARTIFACT_BYTES}`,
    );
  }
  if (chunkBytes < MIN_CHUNK_BYTES || chunkBytes > MAX_CHUNK_BYTES) {
    throw invalid(
      `chunks of ${chunkBytes} bytes; allowed are ${MIN_CHUNK_BYTES} to ${MAX_CHUNK_BYTES}`,
    );
  }
  const encoded = encoding === 'br' ? compress(bytes) : bytes;
  const chunks = new Map<string, Uint8Array>();
  const list: Chunk[] = [];
  for (let offset = 0; offset < encoded.byteLength; offset += chunkBytes) {
    const payload = encoded.slice(offset, offset + chunkBytes);
    const sha256 = sha256Hex(payload);
    chunks.set(sha256, payload);
    list.push({ sha256, lengthBytes: payload.byteLength });
  }
  const artifact: Artifact = {
    sha256: sha256Hex(bytes),
    lengthBytes: bytes.byteLength,
    encoding,
    encodedBytes: encoded.byteLength,
    chunks: list,
  };
  return { artifact, chunks };
}

/**
 * What the schema cannot say: the sums fit. Run before anything is fetched.
 * @throws `metadata-malformed`
 */
export function checkArtifact(artifact: Artifact): void {
  const { lengthBytes, encodedBytes, encoding, chunks } = artifact;
  const sumBytes = chunks.reduce((sum, chunk) => sum + chunk.lengthBytes, 0);
  const fits =
    sumBytes === encodedBytes &&
    Math.max(lengthBytes, encodedBytes) <= MAX_ARTIFACT_BYTES &&
    (encoding === 'br' || encodedBytes === lengthBytes);
  if (fits) return;
  throw new DunlinError(
    `artifact ${artifact.sha256}: its sizes contradict each other or exceed ${MAX_ARTIFACT_BYTES}`,
    { code: 'metadata-malformed', context: { sumBytes, encodedBytes, lengthBytes } },
  );
}

/**
 * Puts an artifact together from its chunks, in order. Decompression stops once it exceeds `lengthBytes`.
 * @throws `digest-mismatch` when the result is not what the release says
 */
export async function joinArtifact(
  artifact: Artifact,
  chunks: AsyncIterable<Uint8Array>,
  signal?: AbortSignal,
): Promise<Uint8Array> {
  const out = Buffer.allocUnsafe(artifact.lengthBytes);
  const hash = createHash('sha256');
  let offset = 0;
  const sink = new Writable({
    write(part: Uint8Array, _encoding, done) {
      if (offset + part.byteLength > out.byteLength) {
        done(mismatch(artifact, `more than ${out.byteLength} bytes`));
        return;
      }
      out.set(part, offset);
      hash.update(part);
      offset += part.byteLength;
      done();
    },
  });
  const source = Readable.from(chunks, { objectMode: true, highWaterMark: 1 });
  const options = signal === undefined ? {} : { signal };
  if (artifact.encoding === 'identity') await pipeline(source, sink, options);
  else {
    try {
      await pipeline(source, createBrotliDecompress(), sink, options);
    } catch (error) {
      if (!DECODER_ERROR.test(errnoOf(error) ?? '')) throw error;
      throw mismatch(artifact, `cannot be decompressed (${errorMessage(error)})`, error);
    }
  }
  if (offset !== out.byteLength) throw mismatch(artifact, `only ${offset} bytes`);
  if (hash.digest('hex') !== artifact.sha256) throw mismatch(artifact, 'other bytes');
  return out;
}

function compress(bytes: Uint8Array): Uint8Array {
  const encoded = brotliCompressSync(bytes, {
    params: {
      [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY,
      [constants.BROTLI_PARAM_LGWIN]: constants.BROTLI_MAX_WINDOW_BITS,
      [constants.BROTLI_PARAM_SIZE_HINT]: bytes.byteLength,
    },
  });
  if (encoded.byteLength <= MAX_ARTIFACT_BYTES) return encoded;
  throw invalid(`compressed to ${encoded.byteLength} bytes, the limit is ${MAX_ARTIFACT_BYTES}`);
}

function mismatch(artifact: Artifact, found: string, cause?: unknown): DunlinError {
  return new DunlinError(
    `artifact ${artifact.sha256}: ${found} instead of the ${artifact.lengthBytes} bytes that were signed`,
    { code: 'digest-mismatch', cause },
  );
}

function invalid(message: string): DunlinError {
  return new DunlinError(message, { code: 'input-invalid' });
}
