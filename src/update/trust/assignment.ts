import { DunlinError, openEnvelope } from '../../core/index.ts';
import { Assignment, type AssignmentSubject } from '../documents.ts';
import type { AssignmentFloors } from './assignment-floors.ts';
import type { TrustedMetadata } from './trusted-metadata.ts';

/** Largest assignment that is read; 64 models fit several times. */
export const MAX_ASSIGNMENT_BYTES = 64 * 1024;

export interface OpenAssignmentOptions {
  readonly fleet: string;
  readonly subject: AssignmentSubject;
  readonly floors: AssignmentFloors;
  /** The trust store's: a clock that is behind revives no old assignment. */
  readonly nowMs: number;
}

/**
 * Checks an assignment that came over the broker: size, signature, fleet, subject, expiry, sequence.
 * @throws `untrusted-signature`, `metadata-malformed`, `metadata-expired`, `metadata-rollback`
 */
export async function openAssignment(
  bytes: Uint8Array,
  trusted: TrustedMetadata,
  { fleet, subject, floors, nowMs }: OpenAssignmentOptions,
): Promise<Assignment> {
  const what = `assignment of ${subject.kind}/${subject.name}`;
  const malformed = (why: string): DunlinError =>
    new DunlinError(`${what}: ${why}`, { code: 'metadata-malformed' });
  if (bytes.byteLength > MAX_ASSIGNMENT_BYTES) {
    throw malformed(`${bytes.byteLength} bytes, at most ${MAX_ASSIGNMENT_BYTES} are allowed`);
  }
  const { assignmentKeys, assignmentThreshold } = trusted;
  const assignment = openEnvelope(Assignment, bytes, assignmentKeys, what, assignmentThreshold);
  if (!trusted.delegates(subject)) {
    throw new DunlinError(`${what}: the targets delegate no assignments of it`, {
      code: 'untrusted-signature',
    });
  }
  const meant = assignment.subject;
  if (assignment.fleet !== fleet || meant.kind !== subject.kind || meant.name !== subject.name) {
    throw malformed(`is meant for ${meant.kind}/${meant.name} of fleet ${assignment.fleet}`);
  }
  // Not "<=": a date that is none would pass.
  if (!(Date.parse(assignment.expires) > nowMs)) {
    throw new DunlinError(`${what}: expired at ${assignment.expires}`, {
      code: 'metadata-expired',
    });
  }
  await floors.raise(assignment, trusted);
  return assignment;
}
