export { MAX_ASSIGNMENT_BYTES, type OpenAssignmentOptions, openAssignment } from './assignment.ts';
export { AssignmentFloors } from './assignment-floors.ts';
export type { FetchMetadata } from './metadata-fetcher.ts';
export { MAX_METADATA_BYTES, parseRole } from './role-set.ts';
export { TrustStore, type TrustStoreOptions } from './trust-store.ts';
export {
  ASSIGNMENT_PATHS,
  ASSIGNMENT_ROLE,
  ISSUED_FIELD,
  type ReleaseTarget,
  TrustedMetadata,
  type TrustedReleases,
} from './trusted-metadata.ts';
