import { DunlinError } from '../core/index.ts';
import type { OnlineKeys, RootFile } from './keyring.ts';
import type { Signing } from './metadata-store.ts';
import type { Repository } from './repository.ts';
import type { Lifetimes } from './tuf-documents.ts';

/**
 * Signs a release of the repository, and freshness over it. Everything is on disk when it resolves, so that a
 * publication that is interrupted later is completed by running it again.
 * @throws `release-missing`, `release-exists`, `untrusted-signature`, `input-invalid`
 */
export async function signRelease(
  repository: Repository,
  model: string,
  version: string,
  { root, ...signing }: Signing & { readonly root: RootFile },
): Promise<void> {
  const release = await repository.describeForSigning(model, version);
  checkKeys(root, { ...signing.online, targets: signing.targetsKey });
  await repository.metadata.addRoot(root.bytes);
  await repository.metadata.signRelease(release, signing);
  await repository.metadata.signFreshness(signing.online, signing.nowMs, signing.lifetimes);
}

export interface RefreshOptions {
  readonly root: RootFile;
  readonly online: OnlineKeys;
  readonly nowMs: number;
  readonly lifetimes: Lifetimes;
}

/** Signs snapshot and timestamp anew. @throws `release-missing` when nothing was ever signed, `input-invalid` */
export async function signFreshness(
  repository: Repository,
  { root, online, nowMs, lifetimes }: RefreshOptions,
): Promise<void> {
  checkKeys(root, online);
  await repository.metadata.addRoot(root.bytes);
  await repository.metadata.signFreshness(online, nowMs, lifetimes);
}

/** Signatures of keys that root does not name would replace good metadata by such that every device refuses. */
function checkKeys(
  root: RootFile,
  keys: Pick<OnlineKeys, 'snapshot' | 'timestamp'> & { readonly targets?: Signing['targetsKey'] },
): void {
  for (const role of ['snapshot', 'timestamp', 'targets'] as const) {
    const key = keys[role];
    if (key === undefined || root.trusts(role, key)) continue;
    throw new DunlinError(
      `root.json names another ${role} key than the one given; use the directories of one "keys init"`,
      { code: 'input-invalid' },
    );
  }
}
