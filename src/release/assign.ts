import { parseJson, sealEnvelope, Type } from '../core/index.ts';
import { Assignment, type AssignmentSubject } from '../update/index.ts';
import type { OnlineKeys } from './keyring.ts';
import { parseReleaseName } from './release-name.ts';
import type { Repository } from './repository.ts';
import { instant } from './tuf-documents.ts';

interface SigningOptions {
  readonly repository: Repository;
  readonly online: OnlineKeys;
  readonly nowMs: number;
}

export interface AssignOptions extends SigningOptions {
  readonly fleet: string;
  readonly subject: AssignmentSubject;
  /** `model/version`, all that the subject is to run by this assignment; none takes back what it had. */
  readonly releases: readonly string[];
  readonly lifetimeMs: number;
}

/**
 * Signs what a device or a group should run, and keeps it in the repository; publishing is another step, so that an
 * interrupted one is completed by assigning or refreshing again.
 * @throws `release-missing` for a release that is not signed, `input-invalid`
 */
export async function signAssignment(options: AssignOptions): Promise<Assignment> {
  const { repository, releases } = options;
  const targets = new Map<string, Assignment['targets'][number]>();
  for (const name of releases) {
    const { model, version } = parseReleaseName(name);
    const releaseSha256 = await repository.metadata.signedSha256(model, version);
    targets.set(model, { model, version, releaseSha256 });
  }
  return await keep(options, options, [...targets.values()]);
}

/**
 * Signs assignments anew that have used up half of their time: their expiry is there against a broker that shows old
 * ones, not to end what was decided.
 * @returns how many
 */
export async function renewAssignments(options: SigningOptions): Promise<number> {
  const { repository, nowMs } = options;
  let renewed = 0;
  for (const subject of await repository.assignedSubjects()) {
    const assignment = await readAssignment(repository, subject);
    if (assignment === undefined) continue;
    const { fleet, issuedAt, expires, targets } = assignment;
    const lifetimeMs = Date.parse(expires) - Date.parse(issuedAt);
    if (Date.parse(expires) - nowMs > lifetimeMs / 2) continue;
    await keep(options, { fleet, subject, lifetimeMs }, targets);
    renewed++;
  }
  return renewed;
}

/** What the repository has for a subject, unverified: it is our own. @throws `input-invalid` when it is damaged */
export async function readAssignment(
  repository: Repository,
  subject: AssignmentSubject,
): Promise<Assignment | undefined> {
  const bytes = await repository.readAssignment(subject);
  if (bytes === undefined) return undefined;
  const what = `the repository's assignment of ${subject.kind} ${subject.name}`;
  return parseJson(Type.Object({ signed: Assignment }), bytes, what).signed;
}

async function keep(
  { repository, online, nowMs }: SigningOptions,
  { fleet, subject, lifetimeMs }: Pick<AssignOptions, 'fleet' | 'subject' | 'lifetimeMs'>,
  targets: Assignment['targets'],
): Promise<Assignment> {
  const before = await readAssignment(repository, subject);
  const assignment: Assignment = {
    type: 'dunlin-assignment',
    formatVersion: 1,
    fleet,
    subject,
    sequence: (before?.sequence ?? 0) + 1,
    issuedAt: instant(nowMs),
    expires: instant(nowMs + lifetimeMs),
    targets,
  };
  const text = JSON.stringify({ signed: assignment });
  parseJson(Type.Object({ signed: Assignment }), text, 'the assignment');
  await repository.writeAssignment(subject, sealEnvelope(assignment, [online.assignment]));
  return assignment;
}
