import { join } from 'node:path';
import { DunlinError, type Files, type SigningKey, writeFileAtomic } from '../core/index.ts';
import { parseRole, releaseTargetPath } from '../update/index.ts';
import { makeDirectoryDurable } from './durable-directory.ts';
import type { OnlineKeys } from './keyring.ts';
import {
  isSignedBy,
  type Lifetimes,
  type SignedRelease,
  signSnapshot,
  signTargets,
  signTimestamp,
} from './tuf-documents.ts';

const TIMESTAMP = 'timestamp.json';
const VERSIONED = /^(\d{1,15})\.(root|targets|snapshot)\.json$/;
type VersionedRole = 'root' | 'targets' | 'snapshot';

/** What signing a release needs besides it. */
export interface Signing {
  readonly targetsKey: SigningKey;
  readonly online: OnlineKeys;
  readonly nowMs: number;
  readonly lifetimes: Lifetimes;
}

export interface MetadataFiles {
  /** Published before the timestamp, in this order: roots, targets, snapshot. */
  readonly versioned: readonly string[];
  readonly timestamp: string | undefined;
  /** What no reader asks for any more. */
  readonly outdated: readonly string[];
}

/**
 * The repository's `tuf/` directory. Invariants: a version that was signed is never signed again with other content,
 * so a version rises on disk before anything of it is published; timestamp.json is written last and names files that
 * are there. A kill between two files leaves versions that nobody names: the next run signs higher ones.
 */
export class MetadataStore {
  readonly #files: Files;
  readonly #repositoryDir: string;
  readonly #dir: string;

  constructor(files: Files, repositoryDir: string) {
    this.#files = files;
    this.#repositoryDir = repositoryDir;
    this.#dir = join(repositoryDir, 'tuf');
  }

  /** @throws `input-invalid` when another root of that version is there: these keys are of another repository */
  async addRoot(bytes: Uint8Array): Promise<void> {
    const name = `${parseRole('root', bytes).signed.version}.root.json`;
    const present = await this.read(name);
    if (present === undefined) await this.#write(name, bytes);
    else if (!Buffer.from(present).equals(bytes)) {
      throw new DunlinError(
        `${this.#dir}: holds another ${name} than the keys; use the keys that this repository began with`,
        { code: 'input-invalid' },
      );
    }
  }

  /** Every release that is signed, by target path; empty before the first. */
  async signedReleases(): Promise<Map<string, SignedRelease>> {
    const targets = await this.#targets();
    if (targets === undefined) return new Map();
    return new Map(
      Object.values(targets.metadata.signed.targets).map((target) => {
        const { path, length: lengthBytes, hashes, custom } = target;
        const { chunks } = custom as { chunks: SignedRelease['chunks'] };
        return [path, { path, sha256: hashes['sha256']!, lengthBytes, chunks }];
      }),
    );
  }

  /** SHA-256 of a release.json as it was signed. @throws `release-missing` */
  async signedSha256(model: string, version: string): Promise<string> {
    const signed = (await this.signedReleases()).get(releaseTargetPath(model, version));
    if (signed !== undefined) return signed.sha256;
    const name = `${model}/${version}`;
    throw new DunlinError(`${name} is not signed yet; run: dunlin release publish ${name}`, {
      code: 'release-missing',
    });
  }

  /**
   * Adds a release to the signed targets. When it is there already they are signed again only if more than half of
   * their time has passed.
   * @throws `untrusted-signature` when the targets on disk are not of this key: what was slipped in there by someone
   * else must not be signed along; `release-exists` when another release of that name is signed
   */
  async signRelease(
    release: SignedRelease,
    { targetsKey, online, nowMs, lifetimes }: Signing,
  ): Promise<void> {
    const before = await this.#targets();
    if (before !== undefined && !isSignedBy(before.bytes, targetsKey)) {
      throw new DunlinError(
        `${join(this.#dir, before.name)}: not signed by this targets key; restore the repository`,
        { code: 'untrusted-signature' },
      );
    }
    const releases = await this.signedReleases();
    const present = releases.get(release.path);
    if (present !== undefined && present.sha256 !== release.sha256) {
      throw new DunlinError(`${release.path}: another release of that name is signed`, {
        code: 'release-exists',
      });
    }
    const restMs = Date.parse(before?.metadata.signed.expires ?? '') - nowMs;
    if (present !== undefined && restMs > lifetimes.targetsMs / 2) return;
    const version = (before?.version ?? 0) + 1;
    const all = [...releases.set(release.path, release).values()];
    const context = { version, nowMs, lifetimes };
    const bytes = signTargets(all, online.assignment, context, targetsKey);
    await this.#write(`${version}.targets.json`, bytes);
  }

  /**
   * Signs the next snapshot and timestamp over the newest targets.
   * @throws `release-missing` when nothing was ever signed
   */
  async signFreshness(online: OnlineKeys, nowMs: number, lifetimes: Lifetimes): Promise<void> {
    const targets = await this.#targets();
    if (targets === undefined) {
      throw new DunlinError(
        `${this.#repositoryDir}: nothing is signed yet; run: dunlin release publish`,
        { code: 'release-missing' },
      );
    }
    // One number for both: the timestamp's file alone would not tell the last one after a kill.
    const version = (await this.#latest('snapshot')) + 1;
    const context = { version, nowMs, lifetimes };
    const snapshot = signSnapshot(targets, context, online.snapshot);
    await this.#write(`${version}.snapshot.json`, snapshot);
    await this.#write(
      TIMESTAMP,
      signTimestamp({ version, bytes: snapshot }, context, online.timestamp),
    );
  }

  /** When each role's newest signature ends. */
  async expiries(): Promise<Record<string, string>> {
    const { versioned, timestamp } = await this.files();
    const names = [...versioned, ...(timestamp === undefined ? [] : [timestamp])];
    const entries = names.map(async (name) => {
      const { _type, expires } = JSON.parse(
        Buffer.from((await this.read(name))!).toString('utf8'),
      ).signed;
      return [_type, expires] as const;
    });
    return Object.fromEntries(await Promise.all(entries));
  }

  async files(): Promise<MetadataFiles> {
    const names = await this.#files.list(this.#dir);
    const roots = (await this.#versions('root')).map((version) => `${version}.root.json`);
    const versioned = [...roots];
    const outdated: string[] = [];
    for (const role of ['targets', 'snapshot'] as const) {
      const versions = await this.#versions(role);
      const latest = versions.at(-1);
      if (latest !== undefined) versioned.push(`${latest}.${role}.json`);
      // The one before may be what a reader is about to ask for.
      outdated.push(...versions.slice(0, -2).map((version) => `${version}.${role}.json`));
    }
    const timestamp = names.includes(TIMESTAMP) ? TIMESTAMP : undefined;
    return { versioned, timestamp, outdated };
  }

  async read(name: string): Promise<Uint8Array | undefined> {
    return this.#files.read(join(this.#dir, name));
  }

  async remove(name: string): Promise<void> {
    await this.#files.remove(join(this.#dir, name));
  }

  async #targets() {
    const version = await this.#latest('targets');
    if (version === 0) return undefined;
    const name = `${version}.targets.json`;
    const bytes = (await this.read(name))!;
    return { name, version, bytes, metadata: parseRole('targets', bytes) };
  }

  async #latest(role: VersionedRole): Promise<number> {
    return (await this.#versions(role)).at(-1) ?? 0;
  }

  /** Rising. */
  async #versions(role: VersionedRole): Promise<number[]> {
    const names = await this.#files.list(this.#dir);
    return names
      .flatMap((name) => {
        const [, version, found] = VERSIONED.exec(name) ?? [];
        return found === role ? [Number(version)] : [];
      })
      .sort((a, b) => a - b);
  }

  async #write(name: string, bytes: Uint8Array): Promise<void> {
    await makeDirectoryDurable(this.#files, this.#repositoryDir, 'tuf');
    await writeFileAtomic(this.#files, join(this.#dir, name), bytes);
  }
}
