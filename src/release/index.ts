export { type AssignOptions, readAssignment, renewAssignments, signAssignment } from './assign.ts';
export { type BuildOptions, buildRelease } from './build.ts';
export { DEFAULT_TOLERANCE_STEPS, latencyBudgetUs } from './golden.ts';
export {
  type AddedMcuKey,
  addMcuKey,
  type InitializedKeys,
  type InitKeysOptions,
  initKeys,
  loadMcuKey,
  loadOfflineKey,
  loadOnlineKeys,
  loadRoot,
  type OnlineKeys,
  type RootFile,
  readRoot,
} from './keyring.ts';
export { listReleases, type ReleaseListing } from './list.ts';
export type { McuFirmware, McuOptions } from './mcu.ts';
export { MetadataStore, type Signing } from './metadata-store.ts';
export {
  Publisher,
  type PublisherOptions,
  type PublishProgress,
  type PublishReport,
} from './publish.ts';
export { parseReleaseName, type ReleaseName } from './release-name.ts';
export { Repository } from './repository.ts';
export { withRepositoryLock } from './repository-lock.ts';
export { type RefreshOptions, signFreshness, signRelease } from './sign.ts';
export {
  DAY_MS,
  DEFAULT_LIFETIMES,
  type Lifetimes,
  type RootKeys,
  type SignContext,
  signRoot,
  signSnapshot,
  signTargets,
  signTimestamp,
} from './tuf-documents.ts';
