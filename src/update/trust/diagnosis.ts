import type { Metadata } from '@tufjs/models';
import { DunlinError, type ErrorCode, errorMessage } from '../../core/index.ts';
import type { Fetched } from './metadata-fetcher.ts';
import { expiresMs, parseRole, type Role, type RoleSet } from './role-set.ts';

/** What a refused refresh left behind. */
export interface Evidence {
  /** The newest root that was verified. */
  readonly root: RoleSet['root'];
  /** What was trusted before. */
  readonly before: Partial<RoleSet>;
  /** Every file that was asked for, in order; the last is the one that tuf-js stopped at. */
  readonly fetched: readonly Fetched[];
  readonly nowMs: number;
}

/**
 * Finds out why tuf-js refused. It decides; this only names the reason. Its own words are of no use for that: it
 * folds errors into strings, and a broker can put any words into a file that then show up in them.
 */
export function diagnose(evidence: Evidence, cause: unknown): DunlinError {
  const { fetched } = evidence;
  const refused = (code: ErrorCode, why: string): DunlinError =>
    new DunlinError(`update metadata: ${why}`, { code, cause });
  const last = fetched.at(-1);
  if (last === undefined) return refused('metadata-malformed', errorMessage(cause));
  const { name, role, bytes, maxBytes } = last;
  if (bytes === undefined) return refused('metadata-missing', `the broker has no ${name}`);
  if (bytes.byteLength > maxBytes) {
    const why = `${name} has ${bytes.byteLength} bytes, at most ${maxBytes} are allowed`;
    return refused('metadata-malformed', why);
  }
  let document: RoleSet[Role];
  try {
    document = parseRole(role, bytes);
  } catch (error) {
    return refused('metadata-malformed', errorMessage(error));
  }
  if (!isSigned(evidence.root, role, document)) {
    return refused('untrusted-signature', `${name} is not signed by the keys that root names`);
  }
  const older = olderThan(evidence, last, document);
  if (older !== undefined) return refused('metadata-rollback', `${name}: ${older}`);
  const expired = expiredRole(evidence);
  if (expired !== undefined) return refused('metadata-expired', expired);
  return refused('metadata-malformed', `${name}: ${errorMessage(cause)}`);
}

function isSigned(root: RoleSet['root'], role: Role, document: RoleSet[Role]): boolean {
  try {
    root.verifyDelegate(role, document as Metadata<RoleSet['root']['signed']>);
    // A new root has to be signed by its own keys too.
    if (role === 'root')
      (document as RoleSet['root']).verifyDelegate(role, document as RoleSet['root']);
    return true;
  } catch {
    return false;
  }
}

function olderThan(
  { root, before }: Evidence,
  last: Fetched,
  document: RoleSet[Role],
): string | undefined {
  const { version } = document.signed;
  const below = (wanted: number | undefined, found = version): string | undefined =>
    wanted !== undefined && found < wanted ? `version ${found} instead of ${wanted}` : undefined;
  switch (last.role) {
    case 'root':
      return below(root.signed.version + 1);
    case 'timestamp': {
      const { snapshotMeta } = (document as RoleSet['timestamp']).signed;
      const seen = before.timestamp?.signed;
      return below(seen?.version) ?? below(seen?.snapshotMeta.version, snapshotMeta.version);
    }
    case 'snapshot': {
      const targets = (document as RoleSet['snapshot']).signed.meta['targets.json']?.version ?? 0;
      const seen = before.snapshot?.signed.meta['targets.json']?.version;
      return below(Number.parseInt(last.name, 10)) ?? below(seen, targets);
    }
    case 'targets':
      return below(Number.parseInt(last.name, 10));
  }
}

/** The newest of each role that is past its date: an old one that is served on and on. */
function expiredRole({ root, before, fetched, nowMs }: Evidence): string | undefined {
  const newest = new Map<string, RoleSet[Role]>(Object.entries({ ...before, root }));
  for (const { role, bytes } of fetched) {
    // All but the last were accepted, and the last could be read: none of them throws.
    if (role !== 'root' && bytes !== undefined) newest.set(role, parseRole(role, bytes));
  }
  for (const [role, document] of newest) {
    if (expiresMs(document) <= nowMs) return `${role} expired at ${document.signed.expires}`;
  }
  return undefined;
}
