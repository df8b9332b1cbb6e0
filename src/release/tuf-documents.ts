import { sign } from 'node:crypto';
import { Key, Metadata, MetadataKind, Signature } from '@tufjs/models';
import { DunlinError, type PublicKey, type SigningKey, sha256Hex } from '../core/index.ts';
import {
  ASSIGNMENT_PATHS,
  ASSIGNMENT_ROLE,
  type Chunk,
  ISSUED_FIELD,
  MAX_METADATA_BYTES,
  parseRole,
} from '../update/index.ts';

/** Of the TUF specification whose form the files have. */
const SPEC_VERSION = '1.0.31';
export const DAY_MS = 24 * 60 * 60 * 1000;
/** Which fleet a root was made for; absent in one that was made for any. */
export const FLEET_FIELD = 'x-dunlin-fleet';

/** How long each role's signature holds, in milliseconds. */
export interface Lifetimes {
  readonly rootMs: number;
  readonly targetsMs: number;
  readonly snapshotMs: number;
  readonly timestampMs: number;
  readonly assignmentMs: number;
}

export const DEFAULT_LIFETIMES: Lifetimes = {
  rootMs: 365 * DAY_MS,
  targetsMs: 90 * DAY_MS,
  snapshotMs: 7 * DAY_MS,
  timestampMs: 1 * DAY_MS,
  assignmentMs: 30 * DAY_MS,
};

/** What every signature needs to know besides its content and its keys. */
export interface SignContext {
  readonly version: number;
  readonly nowMs: number;
  readonly lifetimes: Lifetimes;
}

export const TUF_ROLES = ['root', 'targets', 'snapshot', 'timestamp'] as const;
export type RootKeys = Readonly<Record<(typeof TUF_ROLES)[number], PublicKey>>;

/**
 * root.json: who signs which role, one key each.
 * @param signers the root key; for a later version the one before it as well
 */
export function signRoot(
  keys: RootKeys,
  signers: readonly SigningKey[],
  { version, nowMs, lifetimes }: SignContext,
  fleet?: string,
): Uint8Array {
  const document = {
    _type: 'root',
    spec_version: SPEC_VERSION,
    version,
    expires: instant(nowMs + lifetimes.rootMs),
    consistent_snapshot: true,
    keys: Object.fromEntries(TUF_ROLES.map((role) => [keys[role].keyid, tufKey(keys[role])])),
    roles: Object.fromEntries(
      TUF_ROLES.map((role) => [role, { keyids: [keys[role].keyid], threshold: 1 }]),
    ),
    ...(fleet === undefined ? {} : { [FLEET_FIELD]: fleet }),
  };
  return seal(MetadataKind.Root, document, signers);
}

/** A release.json as a TUF target; its path is `<model>/<version>/release.json`. */
export interface SignedRelease {
  readonly path: string;
  readonly sha256: string;
  readonly lengthBytes: number;
  readonly chunks: readonly Chunk[];
}

/** targets.json: every release, and who may sign assignments. */
export function signTargets(
  releases: readonly SignedRelease[],
  assignmentKey: PublicKey,
  { version, nowMs, lifetimes }: SignContext,
  key: SigningKey,
): Uint8Array {
  const { keyid } = assignmentKey;
  const targets = releases.map(({ path, sha256, lengthBytes, chunks }) => [
    path,
    { length: lengthBytes, hashes: { sha256 }, custom: { chunks } },
  ]);
  const document = {
    _type: 'targets',
    spec_version: SPEC_VERSION,
    version,
    expires: instant(nowMs + lifetimes.targetsMs),
    targets: Object.fromEntries(targets),
    delegations: {
      keys: { [keyid]: tufKey(assignmentKey) },
      roles: [
        {
          name: ASSIGNMENT_ROLE,
          keyids: [keyid],
          threshold: 1,
          terminating: true,
          paths: ASSIGNMENT_PATHS,
        },
      ],
    },
  };
  return seal(MetadataKind.Targets, document, [key]);
}

/** A metadata file that another one names. */
export interface NamedFile {
  readonly version: number;
  readonly bytes: Uint8Array;
}

export function signSnapshot(
  targets: NamedFile,
  { version, nowMs, lifetimes }: SignContext,
  key: SigningKey,
): Uint8Array {
  const document = {
    _type: 'snapshot',
    spec_version: SPEC_VERSION,
    version,
    expires: instant(nowMs + lifetimes.snapshotMs),
    meta: { 'targets.json': metaFile(targets) },
  };
  return seal(MetadataKind.Snapshot, document, [key]);
}

export function signTimestamp(
  snapshot: NamedFile,
  { version, nowMs, lifetimes }: SignContext,
  key: SigningKey,
): Uint8Array {
  const document = {
    _type: 'timestamp',
    spec_version: SPEC_VERSION,
    version,
    expires: instant(nowMs + lifetimes.timestampMs),
    meta: { 'snapshot.json': metaFile(snapshot) },
    [ISSUED_FIELD]: instant(nowMs),
  };
  return seal(MetadataKind.Timestamp, document, [key]);
}

/** TUF knows whole seconds. */
export function instant(timeMs: number): string {
  return `${new Date(timeMs).toISOString().slice(0, 19)}Z`;
}

/** Whether targets.json is signed by this key. */
export function isSignedBy(bytes: Uint8Array, key: PublicKey): boolean {
  const { keyid, publicHex } = key;
  const keyVal = { public: publicHex };
  const tuf = new Key({ keyID: keyid, keyType: 'ed25519', scheme: 'ed25519', keyVal });
  try {
    tuf.verifySignature(parseRole('targets', bytes));
    return true;
  } catch {
    return false;
  }
}

function metaFile({ version, bytes }: NamedFile): object {
  return { version, length: bytes.byteLength, hashes: { sha256: sha256Hex(bytes) } };
}

function tufKey({ publicHex }: PublicKey): object {
  return { keytype: 'ed25519', scheme: 'ed25519', keyval: { public: publicHex } };
}

/** @throws `input-invalid` when no reader would take a file of that size */
function seal(kind: MetadataKind, signed: object, keys: readonly SigningKey[]): Uint8Array {
  const json = { signed, signatures: [] };
  // Before the models see it: they take long over what is too large.
  checkSize(kind, JSON.stringify(json).length);
  const metadata = Metadata.fromJSON(
    kind as MetadataKind.Root,
    json as unknown as Parameters<typeof Metadata.fromJSON>[1],
  );
  for (const { keyid, privateKey } of keys) {
    metadata.sign(
      (bytes) =>
        new Signature({ keyID: keyid, sig: sign(null, bytes, privateKey).toString('hex') }),
    );
  }
  const bytes = Buffer.from(JSON.stringify(metadata.toJSON()));
  checkSize(kind, bytes.byteLength);
  return bytes;
}

function checkSize(kind: MetadataKind, sizeBytes: number): void {
  const maxBytes = MAX_METADATA_BYTES[kind];
  if (sizeBytes <= maxBytes) return;
  throw new DunlinError(
    `${kind}.json would have ${sizeBytes} bytes, and devices take ${maxBytes}: too many releases`,
    { code: 'input-invalid' },
  );
}
