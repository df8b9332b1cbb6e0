import {
  checkSchema,
  DunlinError,
  type PublicKey,
  publicKeyFromHex,
  Type,
} from '../../core/index.ts';
import {
  type AssignmentSubject,
  Chunk,
  MAX_CHUNKS,
  MAX_RELEASE_DOCUMENT_BYTES,
  releaseTargetPath,
} from '../documents.ts';
import { expiresMs, ROLES, type RoleSet } from './role-set.ts';

/** The targets role delegates assignments to the online key under this name. */
export const ASSIGNMENT_ROLE = 'assignments';
export const ASSIGNMENT_PATHS: readonly string[] = ['assign/*/*'];
/** When the timestamp was signed; what raises a device's time floor. */
export const ISSUED_FIELD = 'x-dunlin-issued';

/** Where a release.json is to be had, and what it must be. */
export interface ReleaseTarget {
  readonly sha256: string;
  readonly lengthBytes: number;
  readonly chunks: readonly Chunk[];
}

const Custom = Type.Object({ chunks: Type.Array(Chunk, { minItems: 1, maxItems: MAX_CHUNKS }) });
const SHA256 = /^[0-9a-f]{64}$/;

/** What an update needs of the metadata. */
export type TrustedReleases = Pick<TrustedMetadata, 'releaseTarget' | 'expiresAtMs'>;

/** What verified metadata says. */
export class TrustedMetadata {
  readonly #roles: RoleSet;
  /** When the first of the roles expires, milliseconds since 1970. */
  readonly expiresAtMs: number;

  constructor(roles: RoleSet) {
    this.#roles = roles;
    this.expiresAtMs = Math.min(...ROLES.map((role) => expiresMs(roles[role])));
  }

  get rootVersion(): number {
    return this.#roles.root.signed.version;
  }

  get timestampVersion(): number {
    return this.#roles.timestamp.signed.version;
  }

  get snapshotVersion(): number {
    return this.#roles.snapshot.signed.version;
  }

  get targetsVersion(): number {
    return this.#roles.targets.signed.version;
  }

  /** @throws `metadata-malformed` when it is signed and still not usable */
  releaseTarget(model: string, version: string): ReleaseTarget | undefined {
    const target = this.#roles.targets.signed.targets[releaseTargetPath(model, version)];
    if (target === undefined) return undefined;
    const checked = checkSchema(Custom, target.custom);
    const { length: lengthBytes, hashes } = target;
    const sha256 = hashes['sha256'] ?? '';
    const sized = Number.isSafeInteger(lengthBytes) && lengthBytes <= MAX_RELEASE_DOCUMENT_BYTES;
    if (!('value' in checked) || !SHA256.test(sha256) || !sized) {
      throw new DunlinError(`${model}/${version}: its entry in the targets is not usable`, {
        code: 'metadata-malformed',
      });
    }
    return { sha256, lengthBytes, chunks: checked.value.chunks };
  }

  /** Who may sign assignments. */
  get assignmentKeys(): readonly PublicKey[] {
    const delegations = this.#roles.targets.signed.delegations;
    const keyIds = this.#assignmentRole?.keyIDs ?? [];
    return keyIds.flatMap((keyId) => {
      const key = delegations?.keys[keyId];
      const publicHex = key?.keyVal['public'] ?? '';
      const usable = key?.keyType === 'ed25519' && SHA256.test(publicHex);
      return usable ? [publicKeyFromHex(publicHex)] : [];
    });
  }

  /** How many different keys have to sign an assignment. */
  get assignmentThreshold(): number {
    return this.#assignmentRole?.threshold ?? 1;
  }

  /** Whether the assignment keys speak for this subject. */
  delegates({ kind, name }: AssignmentSubject): boolean {
    return this.#assignmentRole?.isDelegatedPath(`assign/${kind}/${name}`) ?? false;
  }

  get #assignmentRole() {
    return this.#roles.targets.signed.delegations?.roles?.[ASSIGNMENT_ROLE];
  }
}
