import { join } from 'node:path';
import {
  DunlinError,
  type Files,
  parseJson,
  type Static,
  Type,
  writeFileAtomic,
} from '../../core/index.ts';
import { expiresMs, ROLES, type RoleSet } from './role-set.ts';
import { ISSUED_FIELD } from './trusted-metadata.ts';

/**
 * What must never go back, kept apart from the metadata cache and written before it: tuf-js accepts a rollback when its
 * cache is gone or cut short. Invariants:
 * - a floor only rises while its authority stays the same. For root that is the file in the configuration, for the
 *   others the keys that root names: new keys begin anew, which is how TUF recovers from stolen keys that ran a version
 *   or a date far ahead;
 * - time is raised by signed metadata alone, so that a spoofed clock cannot end updates for ever.
 */
const FILE = 'floors.json';
const strict = { additionalProperties: false } as const;
const MAX_AUTHORITY_CHARACTERS = 64 * 1024;

const Floor = Type.Object(
  {
    value: Type.Integer({ minimum: 0 }),
    authority: Type.String({ maxLength: MAX_AUTHORITY_CHARACTERS }),
  },
  strict,
);
type Floor = Static<typeof Floor>;

const Floors = Type.Object(
  {
    root: Type.Optional(Floor),
    timestamp: Type.Optional(Floor),
    snapshot: Type.Optional(Floor),
    targets: Type.Optional(Floor),
    /** Latest signing time of an accepted timestamp, milliseconds since 1970. */
    issuedMs: Type.Optional(Floor),
  },
  strict,
);
export type Floors = Static<typeof Floors>;

/** @throws `metadata-malformed` when the file is there and damaged: without it a rollback would pass */
export async function readFloors(files: Files, dir: string): Promise<Floors> {
  const path = join(dir, FILE);
  const bytes = await files.read(path);
  if (bytes === undefined) return {};
  try {
    return parseJson(Floors, bytes, path, 'metadata-malformed');
  } catch (cause) {
    throw new DunlinError(
      `${path} is damaged, so older metadata cannot be told; remove it to take the broker's as the newest`,
      { code: 'metadata-malformed', cause },
    );
  }
}

export function writeFloors(files: Files, dir: string, floors: Floors): Promise<void> {
  return writeFileAtomic(files, join(dir, FILE), JSON.stringify(floors));
}

/**
 * @param anchor the SHA-256 of the configured root file
 * @throws `metadata-rollback`
 */
export function raiseRootFloor(before: Floors, root: RoleSet['root'], anchor: string): Floors {
  const floor = raised('root', before.root, { value: root.signed.version, authority: anchor });
  return { ...before, root: floor };
}

/**
 * The floors after these roles were accepted.
 * @throws `metadata-rollback` when a role is below its floor, `metadata-malformed` for an unusable signing time
 */
export function raiseFloors(before: Floors, roles: RoleSet, anchor: string): Floors {
  const floors: Floors = { ...raiseRootFloor(before, roles.root, anchor) };
  for (const role of ROLES) {
    if (role === 'root') continue;
    const authority = authorityOf(roles.root, role);
    floors[role] = raised(role, before[role], { value: roles[role].signed.version, authority });
  }
  const issued = { value: issuedAtMs(roles), authority: authorityOf(roles.root, 'timestamp') };
  const same = before.issuedMs?.authority === issued.authority;
  const value = same ? Math.max(before.issuedMs?.value ?? 0, issued.value) : issued.value;
  floors.issuedMs = { ...issued, value };
  return floors;
}

function raised(role: string, before: Floor | undefined, next: Floor): Floor {
  if (before?.authority === next.authority && next.value < before.value) {
    throw new DunlinError(
      `update metadata: ${role} is version ${next.value}, and ${before.value} was seen before`,
      { code: 'metadata-rollback' },
    );
  }
  return next;
}

function authorityOf(root: RoleSet['root'], role: string): string {
  return root.signed.roles[role]?.keyIDs.toSorted().join(' ') ?? '';
}

function issuedAtMs({ timestamp }: RoleSet): number {
  const text = timestamp.signed.unrecognizedFields[ISSUED_FIELD];
  const issuedMs = typeof text === 'string' ? Date.parse(text) : Number.NaN;
  if (issuedMs >= 0 && issuedMs <= expiresMs(timestamp)) return issuedMs;
  throw new DunlinError(`update metadata: the timestamp's ${ISSUED_FIELD} is not usable`, {
    code: 'metadata-malformed',
  });
}
