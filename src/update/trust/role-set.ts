import {
  Metadata,
  MetadataKind,
  type Root,
  type Snapshot,
  type Targets,
  type Timestamp,
} from '@tufjs/models';
import { DunlinError, errorMessage } from '../../core/index.ts';

/** The top-level roles, in the order in which the TUF client works through them. */
export const ROLES = ['root', 'timestamp', 'snapshot', 'targets'] as const;
export type Role = (typeof ROLES)[number];

/**
 * Largest file of each role; the signing side refuses to make a larger one, a reader to take it. @tufjs/models takes
 * quadratic time over targets: 700 of them cost a server 0.06 s, 5,000 cost it 7 s.
 */
export const MAX_METADATA_BYTES: Readonly<Record<Role, number>> = {
  root: 64 * 1024,
  timestamp: 16 * 1024,
  snapshot: 64 * 1024,
  targets: 256 * 1024,
};

/** The four top-level roles, verified. */
export interface RoleSet {
  readonly root: Metadata<Root>;
  readonly timestamp: Metadata<Timestamp>;
  readonly snapshot: Metadata<Snapshot>;
  readonly targets: Metadata<Targets>;
}

const KINDS = {
  root: MetadataKind.Root,
  timestamp: MetadataKind.Timestamp,
  snapshot: MetadataKind.Snapshot,
  targets: MetadataKind.Targets,
} as const;
/** TUF 1.0, 4.2.1: whole seconds, UTC. */
const EXPIRES = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$/;

/**
 * Reads a role's file. Signatures are not checked here. tuf-js takes any number as a version, and a date that is none
 * as one that never comes: both are refused.
 * @throws `metadata-malformed`
 */
export function parseRole<R extends Role>(role: R, bytes: Uint8Array | string): RoleSet[R] {
  const text = typeof bytes === 'string' ? bytes : Buffer.from(bytes).toString('utf8');
  let metadata: RoleSet[R];
  try {
    metadata = Metadata.fromJSON(KINDS[role] as MetadataKind.Root, JSON.parse(text)) as RoleSet[R];
  } catch (cause) {
    const why = cause instanceof SyntaxError ? 'not JSON' : errorMessage(cause);
    throw malformed(role, why, cause);
  }
  const { version, expires } = metadata.signed;
  if (!Number.isSafeInteger(version) || version < 1)
    throw malformed(role, 'its version is no version');
  if (!EXPIRES.test(expires) || Number.isNaN(Date.parse(expires))) {
    throw malformed(role, 'its expiry is no date');
  }
  return metadata;
}

export function expiresMs(metadata: RoleSet[Role]): number {
  return Date.parse(metadata.signed.expires);
}

function malformed(role: Role, why: string, cause?: unknown): DunlinError {
  return new DunlinError(`${role} metadata: ${why}`, { code: 'metadata-malformed', cause });
}
