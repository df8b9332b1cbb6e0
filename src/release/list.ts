import type { ReleaseDocument } from '../update/index.ts';
import { releaseTargetPath } from '../update/index.ts';
import { readAssignment } from './assign.ts';
import type { Repository } from './repository.ts';

export interface ReleaseListing {
  /** `model/version` */
  readonly release: string;
  readonly createdAt: string;
  /** Devices can run only what is signed. */
  readonly signed: boolean;
  /** `device/<name>` or `group/<name>` that it is assigned to. */
  readonly assignedTo: readonly string[];
  /** Bytes of all variants as they travel. */
  readonly encodedBytes: number;
  readonly chunkCount: number;
  readonly metrics: ReleaseDocument['metrics'];
}

/** Every release of a repository, by model and version. */
export async function listReleases(repository: Repository): Promise<ReleaseListing[]> {
  const signed = await repository.metadata.signedReleases();
  const assignedTo = new Map<string, string[]>();
  for (const subject of await repository.assignedSubjects()) {
    const assignment = await readAssignment(repository, subject);
    for (const { model, version } of assignment?.targets ?? []) {
      const name = `${model}/${version}`;
      assignedTo.set(name, [...(assignedTo.get(name) ?? []), `${subject.kind}/${subject.name}`]);
    }
  }
  return (await repository.releases()).map(({ model, version, createdAt, artifacts, metrics }) => {
    const release = `${model}/${version}`;
    const all = Object.values(artifacts);
    return {
      release,
      createdAt,
      signed: signed.has(releaseTargetPath(model, version)),
      assignedTo: assignedTo.get(release) ?? [],
      encodedBytes: all.reduce((sum, { encodedBytes }) => sum + encodedBytes, 0),
      chunkCount: all.reduce((sum, { chunks }) => sum + chunks.length, 0),
      metrics,
    };
  });
}
