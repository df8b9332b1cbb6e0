import { sign } from 'node:crypto';
import { Metadata, type MetadataKind, Signature } from '@tufjs/models';
import {
  type Clock,
  generateSigningKey,
  type SigningKey,
  silentLogger,
} from '../../src/core/index.ts';
import {
  DEFAULT_LIFETIMES,
  type Lifetimes,
  type OnlineKeys,
  Repository,
  signRoot,
} from '../../src/release/index.ts';
import {
  cutIntoArtifact,
  type FetchMetadata,
  type ReleaseDocument,
  TrustStore,
} from '../../src/update/index.ts';
import { CrashFiles } from './crash-files.ts';

/** A clock that stands still until it is moved. */
export class HandClock implements Clock {
  timeMs: number;

  constructor(timeMs: number) {
    this.timeMs = timeMs;
  }

  nowMs(): number {
    return this.timeMs;
  }

  monotonicMs(): number {
    return this.timeMs;
  }

  async sleep(durationMs: number): Promise<void> {
    this.timeMs += durationMs;
  }
}

export interface FleetKeys extends OnlineKeys {
  readonly root: SigningKey;
  readonly targets: SigningKey;
}

export function fleetKeys(): FleetKeys {
  return {
    root: generateSigningKey(),
    targets: generateSigningKey(),
    snapshot: generateSigningKey(),
    timestamp: generateSigningKey(),
    assignment: generateSigningKey(),
  };
}

/** Signs anything as metadata: what a thief of keys could publish. */
export function sealMetadata(signed: object, signers: readonly SigningKey[]): Uint8Array {
  const { _type } = signed as { _type: MetadataKind.Root };
  const json = { signed, signatures: [] } as unknown as Parameters<typeof Metadata.fromJSON>[1];
  const metadata = Metadata.fromJSON(_type, json);
  for (const { keyid, privateKey } of signers) {
    metadata.sign(
      (bytes) =>
        new Signature({ keyID: keyid, sig: sign(null, bytes, privateKey).toString('hex') }),
    );
  }
  return Buffer.from(JSON.stringify(metadata.toJSON()));
}

/** The signed part of a metadata file. */
export function signedPart(bytes: Uint8Array) {
  return JSON.parse(Buffer.from(bytes).toString('utf8')).signed;
}

/** A small release of the right shape. */
export function releaseOf(model: string, version: string, nowMs: number, content = version) {
  const cpu = Buffer.from(`model ${model} ${content}`);
  const { artifact, chunks } = cutIntoArtifact(cpu, { chunkBytes: 4096, encoding: 'br' });
  const tensor = { type: 'int8', shape: [1, 4], scale: 0.5, zeroPoint: 0 };
  const document: ReleaseDocument = {
    type: 'dunlin-release',
    formatVersion: 1,
    model,
    version,
    createdAt: new Date(nowMs).toISOString(),
    task: { kind: 'classification', labels: ['a', 'b', 'c', 'd'] },
    input: tensor,
    output: tensor,
    metrics: {},
    provenance: {},
    golden: {
      count: 1,
      on: 'output',
      paths: { stock: { toleranceAbs: 1 } },
      latencyBudgetUs: 1000,
    },
    artifacts: { 'cpu.tflite': artifact },
  };
  return { document, artifacts: new Map([['cpu.tflite', cpu]]), chunks };
}

/** What a broker holds: real metadata, signed by real keys, that a test then tampers with. */
export class SignedRepository {
  readonly files = new CrashFiles();
  readonly repository = new Repository('/repo', this.files);
  readonly keys: FleetKeys;
  readonly root: Uint8Array;
  readonly lifetimes: Lifetimes;
  /** What the broker gives, by name. */
  served = new Map<string, Uint8Array>();
  /** Names that were asked for. */
  readonly asked: string[] = [];
  timeMs: number;

  constructor(
    timeMs: number,
    lifetimes: Lifetimes = DEFAULT_LIFETIMES,
    keys: FleetKeys = fleetKeys(),
  ) {
    this.keys = keys;
    this.lifetimes = lifetimes;
    this.timeMs = timeMs;
    this.root = signRoot(keys, [keys.root], { version: 1, nowMs: timeMs, lifetimes });
  }

  /** Signs a release and serves everything. */
  async publish(version: string, model = 'motor'): Promise<this> {
    const { document, artifacts, chunks } = releaseOf(model, version, this.timeMs);
    await this.repository.addRelease(document, artifacts, chunks);
    const { metadata } = this.repository;
    await metadata.addRoot(this.root);
    await metadata.signRelease(await this.repository.describeForSigning(model, version), {
      targetsKey: this.keys.targets,
      online: this.keys,
      nowMs: this.timeMs,
      lifetimes: this.lifetimes,
    });
    return this.refresh();
  }

  async refresh(): Promise<this> {
    const { metadata } = this.repository;
    await metadata.signFreshness(this.keys, this.timeMs, this.lifetimes);
    return this.serve();
  }

  async serve(): Promise<this> {
    const { versioned, timestamp } = await this.repository.metadata.files();
    for (const name of [...versioned, timestamp!]) {
      this.served.set(name, (await this.repository.metadata.read(name))!);
    }
    return this;
  }

  /** What is served now, to be replayed later. */
  copy(): Map<string, Uint8Array> {
    return new Map(this.served);
  }

  fetch: FetchMetadata = async (name) => {
    this.asked.push(name);
    return this.served.get(name);
  };

  /** A device of this fleet. */
  openStore(files: CrashFiles, clock: Clock, initialRoot = this.root): Promise<TrustStore> {
    const { fetch: fetchMetadata } = this;
    const logger = silentLogger;
    return TrustStore.open({ files, dir: '/trust', initialRoot, fetchMetadata, clock, logger });
  }
}
