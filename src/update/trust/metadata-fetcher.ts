import { BaseFetcher } from 'tuf-js';
import { DownloadHTTPError, DownloadLengthMismatchError } from 'tuf-js/dist/error.js';
import { MAX_METADATA_BYTES, type Role } from './role-set.ts';

/** Gives a metadata file's bytes, or undefined when there is none. */
export type FetchMetadata = (
  name: string,
  maxBytes: number,
  signal: AbortSignal,
) => Promise<Uint8Array | undefined>;

/** What was asked for, and what came. */
export interface Fetched {
  readonly name: string;
  readonly role: Role;
  readonly bytes: Uint8Array | undefined;
  readonly maxBytes: number;
}

const NOT_FOUND = 404;
/** tuf-js thinks in addresses; only the last part of one means something here. */
export const METADATA_BASE_URL = 'https://metadata.invalid';
const METADATA_FILE = /^(?:\d{1,16}\.)?(root|timestamp|snapshot|targets)\.json$/;

/** Lets tuf-js fetch from anywhere, and remembers what came of it: tuf-js folds causes into sentences. */
export class MetadataFetcher extends BaseFetcher {
  readonly #fetchMetadata: FetchMetadata;
  readonly #signal: AbortSignal;
  /** Every file asked for, in order. */
  readonly fetched: Fetched[] = [];
  /** Why fetching itself failed, which says nothing about the metadata. */
  failure: { readonly error: unknown } | undefined;

  constructor(fetchMetadata: FetchMetadata, signal: AbortSignal) {
    super();
    this.#fetchMetadata = fetchMetadata;
    this.#signal = signal;
  }

  override async downloadBytes(url: string, wantedMaxBytes: number): Promise<Buffer> {
    const name = new URL(url).pathname.slice(1);
    const role = METADATA_FILE.exec(name)?.[1] as Role | undefined;
    if (role === undefined) throw new DownloadHTTPError(`${name}: no metadata of ours`, NOT_FOUND);
    // The length in signed metadata is a claim of an online key: it may lower the limit, not raise it.
    const maxBytes = Math.min(wantedMaxBytes, MAX_METADATA_BYTES[role]);
    const bytes = await this.#fetch(name, maxBytes);
    this.fetched.push({ name, role, bytes, maxBytes });
    if (bytes === undefined) throw new DownloadHTTPError(`${name}: there is none`, NOT_FOUND);
    if (bytes.byteLength > maxBytes) throw new DownloadLengthMismatchError(`${name}: too large`);
    return Buffer.from(bytes);
  }

  override fetch(): Promise<never> {
    throw new TypeError('metadata is fetched as bytes');
  }

  async #fetch(name: string, maxBytes: number): Promise<Uint8Array | undefined> {
    try {
      this.#signal.throwIfAborted();
      return await this.#fetchMetadata(name, maxBytes, this.#signal);
    } catch (error) {
      this.failure ??= { error };
      throw error;
    }
  }
}
