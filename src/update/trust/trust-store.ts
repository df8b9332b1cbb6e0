import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Updater } from 'tuf-js';
import {
  type Clock,
  DunlinError,
  type Files,
  type Logger,
  parseJson,
  type Static,
  sha256Hex,
  Type,
  writeFileAtomic,
} from '../../core/index.ts';
import { diagnose } from './diagnosis.ts';
import { type Floors, raiseFloors, raiseRootFloor, readFloors, writeFloors } from './floors.ts';
import { type FetchMetadata, METADATA_BASE_URL, MetadataFetcher } from './metadata-fetcher.ts';
import { expiresMs, MAX_METADATA_BYTES, parseRole, ROLES, type RoleSet } from './role-set.ts';
import { TrustedMetadata } from './trusted-metadata.ts';

const CACHE_FILE = 'metadata.json';
/** Roots that one refresh follows; more are followed by the next. */
const MAX_ROOT_ROTATIONS = 64;

/** Each role's file as it was signed. */
const Cache = Type.Object(
  {
    /** SHA-256 of the configured root that all this follows from. */
    anchor: Type.String(),
    root: Type.String(),
    timestamp: Type.Optional(Type.String()),
    snapshot: Type.Optional(Type.String()),
    targets: Type.Optional(Type.String()),
  },
  { additionalProperties: false },
);
type Cache = Static<typeof Cache>;

export interface TrustStoreOptions {
  readonly files: Files;
  /** Its own directory. */
  readonly dir: string;
  /** root.json from the configuration; never from the broker. Another file than before begins a new chain of roots. */
  readonly initialRoot: Uint8Array;
  readonly fetchMetadata: FetchMetadata;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * The TUF client (specification 1.0, section 5) with a memory that a power cut does not harm. tuf-js works in a scratch
 * directory; what it accepted counts only after the floors let it pass, and is then kept: floors first, cache second.
 * So a kill in between leaves floors that are too high for the cache, never too low.
 */
export class TrustStore {
  readonly #options: TrustStoreOptions;
  readonly #logger: Logger;
  readonly #anchor: string;
  #cache: Cache;
  #floors: Floors | undefined;
  #current: TrustedMetadata | undefined;
  #last: Promise<unknown> = Promise.resolve();

  private constructor(options: TrustStoreOptions, anchor: string, cache: Cache) {
    this.#options = options;
    this.#logger = options.logger.child('trust');
    this.#anchor = anchor;
    this.#cache = cache;
  }

  /** @throws `metadata-malformed` when the configured root is not usable */
  static async open(options: TrustStoreOptions): Promise<TrustStore> {
    const { files, dir, initialRoot } = options;
    parseRole('root', initialRoot);
    await files.makeDirectory(dir);
    await files.syncDirectory(dirname(dir));
    const anchor = sha256Hex(initialRoot);
    const root = Buffer.from(initialRoot).toString('utf8');
    const cache = await readCache(files, dir, anchor);
    const store = new TrustStore(options, anchor, cache ?? { anchor, root });
    // Damaged floors stop updates, not the agent: refresh tells.
    store.#floors = await readFloors(files, dir).catch((error: unknown) => {
      if (error instanceof DunlinError && error.code === 'metadata-malformed') return undefined;
      throw error;
    });
    return store;
  }

  /** What the last refresh accepted, until it expires. */
  get current(): TrustedMetadata | undefined {
    const current = this.#current;
    return current !== undefined && current.expiresAtMs > this.nowMs ? current : undefined;
  }

  /** The clock, and never earlier than the latest signed metadata: what expiry is judged by. */
  get nowMs(): number {
    return Math.max(this.#options.clock.nowMs(), this.#floors?.issuedMs?.value ?? 0);
  }

  /**
   * Brings the metadata up to date; one refresh at a time.
   * @throws `untrusted-signature`, `metadata-expired`, `metadata-rollback`, `metadata-missing`, `metadata-malformed`,
   * what fetchMetadata throws, the signal's reason
   */
  refresh(signal: AbortSignal): Promise<TrustedMetadata> {
    const turn = this.#last.then(() => this.#refresh(signal));
    this.#last = turn.catch(() => {});
    return turn;
  }

  async #refresh(signal: AbortSignal): Promise<TrustedMetadata> {
    signal.throwIfAborted();
    const { files, dir, fetchMetadata } = this.#options;
    this.#floors ??= await readFloors(files, dir);
    const floors = this.#floors;
    const scratch = await mkdtemp(join(tmpdir(), 'dunlin-tuf-'));
    try {
      const fetcher = new MetadataFetcher(fetchMetadata, signal);
      await fillScratch(scratch, this.#cache);
      const refused = await this.#runUpdater(scratch, fetcher);
      const root = await readFile(join(scratch, 'root.json'), 'utf8');
      const raised = await this.#keepRoot(floors, root);
      if (refused === undefined) return await this.#accept(raised, await readScratch(scratch));
      signal.throwIfAborted();
      throw fetcher.failure === undefined
        ? this.#diagnosis(fetcher, refused.error)
        : fetcher.failure.error;
    } finally {
      await rm(scratch, { recursive: true, force: true });
    }
  }

  async #runUpdater(
    metadataDir: string,
    fetcher: MetadataFetcher,
  ): Promise<{ readonly error: unknown } | undefined> {
    try {
      const updater = new Updater({
        metadataDir,
        metadataBaseUrl: METADATA_BASE_URL,
        fetcher,
        config: {
          maxRootRotations: MAX_ROOT_ROTATIONS,
          rootMaxLength: MAX_METADATA_BYTES.root,
          timestampMaxLength: MAX_METADATA_BYTES.timestamp,
          snapshotMaxLength: MAX_METADATA_BYTES.snapshot,
          targetsMaxLength: MAX_METADATA_BYTES.targets,
        },
      });
      await updater.refresh();
      return undefined;
    } catch (error) {
      return { error };
    }
  }

  #diagnosis(fetcher: MetadataFetcher, cause: unknown): DunlinError {
    const { root, timestamp, snapshot } = this.#cache;
    const evidence = {
      root: parseRole('root', root),
      before: {
        ...(timestamp === undefined ? {} : { timestamp: parseRole('timestamp', timestamp) }),
        ...(snapshot === undefined ? {} : { snapshot: parseRole('snapshot', snapshot) }),
      },
      fetched: fetcher.fetched,
      nowMs: this.nowMs,
    };
    return diagnose(evidence, cause);
  }

  /** A new root counts even when what follows it does not: it may take stolen keys out of service. */
  async #keepRoot(before: Floors, root: string): Promise<Floors> {
    const floors = raiseRootFloor(before, parseRole('root', root), this.#anchor);
    await this.#raise(floors);
    if (root !== this.#cache.root) {
      this.#current = undefined;
      await this.#keep({ ...this.#cache, root });
    }
    return floors;
  }

  async #accept(before: Floors, files: Omit<Required<Cache>, 'anchor'>): Promise<TrustedMetadata> {
    const roles: RoleSet = {
      root: parseRole('root', files.root),
      timestamp: parseRole('timestamp', files.timestamp),
      snapshot: parseRole('snapshot', files.snapshot),
      targets: parseRole('targets', files.targets),
    };
    const floors = raiseFloors(before, roles, this.#anchor);
    this.#refuseExpired(roles, floors.issuedMs?.value ?? 0);
    await this.#raise(floors);
    await this.#keep({ anchor: this.#anchor, ...files });
    this.#current = new TrustedMetadata(roles);
    return this.#current;
  }

  /** tuf-js asks the system's clock alone, and a device without one that is kept running is behind the metadata. */
  #refuseExpired(roles: RoleSet, issuedMs: number): void {
    const nowMs = Math.max(this.#options.clock.nowMs(), issuedMs);
    for (const role of ROLES) {
      if (expiresMs(roles[role]) > nowMs) continue;
      throw new DunlinError(`update metadata: ${role} expired at ${roles[role].signed.expires}`, {
        code: 'metadata-expired',
      });
    }
  }

  async #raise(floors: Floors): Promise<void> {
    if (JSON.stringify(floors) === JSON.stringify(this.#floors)) return;
    const { files, dir } = this.#options;
    await writeFloors(files, dir, floors);
    this.#floors = floors;
  }

  async #keep(cache: Cache): Promise<void> {
    const { files, dir } = this.#options;
    const text = JSON.stringify(cache);
    if (text === JSON.stringify(this.#cache)) return;
    await writeFileAtomic(files, join(dir, CACHE_FILE), text);
    this.#cache = cache;
    this.#logger.debug('metadata kept');
  }
}

/** A cache that is not whole, or of another configured root, is the same as none: the floors hold without it. */
async function readCache(files: Files, dir: string, anchor: string): Promise<Cache | undefined> {
  const bytes = await files.read(join(dir, CACHE_FILE));
  if (bytes === undefined) return undefined;
  try {
    const cache = parseJson(Cache, bytes, CACHE_FILE, 'metadata-malformed');
    for (const role of ROLES) {
      const text = cache[role];
      if (text !== undefined) parseRole(role, text);
    }
    return cache.anchor === anchor ? cache : undefined;
  } catch {
    return undefined;
  }
}

async function fillScratch(scratch: string, cache: Cache): Promise<void> {
  for (const role of ROLES) {
    const text = cache[role];
    if (text !== undefined) await writeFile(join(scratch, `${role}.json`), text);
  }
}

async function readScratch(scratch: string): Promise<Omit<Required<Cache>, 'anchor'>> {
  const read = (role: string): Promise<string> => readFile(join(scratch, `${role}.json`), 'utf8');
  return {
    root: await read('root'),
    timestamp: await read('timestamp'),
    snapshot: await read('snapshot'),
    targets: await read('targets'),
  };
}
