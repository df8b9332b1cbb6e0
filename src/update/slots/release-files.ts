import { join } from 'node:path';
import { DunlinError, type Files, parseJson, sha256Hex } from '../../core/index.ts';
import { ReleaseDocument } from '../documents.ts';
import type { SlotRelease } from './state.ts';

const DOCUMENT_NAME = 'release.json';

/** A release as it was fetched, before it is trusted to be complete. */
export interface Candidate {
  /** The bytes of release.json. */
  readonly document: Uint8Array;
  /** Of those bytes, as TUF and the assignment name it. */
  readonly releaseSha256: string;
  /** Files by artifact name; those that this device has a use for. */
  readonly artifacts: ReadonlyMap<string, Uint8Array>;
}

/** A release of which every file was found to be what was signed. */
export interface StoredRelease {
  readonly release: SlotRelease;
  readonly document: ReleaseDocument;
  readonly artifacts: ReadonlyMap<string, Uint8Array>;
}

/** @throws `digest-mismatch`, `metadata-malformed`, `release-missing` (an artifact that the release has not) */
export function checkCandidate(candidate: Candidate): StoredRelease {
  const { document: bytes, releaseSha256, artifacts } = candidate;
  if (sha256Hex(bytes) !== releaseSha256) throw mismatch(DOCUMENT_NAME, releaseSha256);
  const document = parseJson(ReleaseDocument, bytes, DOCUMENT_NAME, 'metadata-malformed');
  for (const [name, content] of artifacts) {
    const signed = document.artifacts[name];
    if (signed === undefined) {
      throw new DunlinError(`release ${document.version} has no ${name}`, {
        code: 'release-missing',
      });
    }
    if (sha256Hex(content) !== signed.sha256) throw mismatch(name, signed.sha256);
  }
  const { version } = document;
  return {
    release: { releaseSha256, version, artifacts: [...artifacts.keys()] },
    document,
    artifacts,
  };
}

/** Writes a release's files into an empty directory; durable when it resolves. */
export async function writeRelease(
  files: Files,
  releasesDir: string,
  { document, releaseSha256, artifacts }: Candidate,
): Promise<void> {
  const dir = join(releasesDir, releaseSha256);
  await files.makeDirectory(dir);
  await files.write(join(dir, DOCUMENT_NAME), document);
  for (const [name, bytes] of artifacts) await files.write(join(dir, name), bytes);
  await files.syncDirectory(dir);
  await files.syncDirectory(releasesDir);
}

/** Reads and checks every file. @throws `digest-mismatch`, also when a file is gone */
export async function readRelease(
  files: Files,
  releasesDir: string,
  release: SlotRelease,
): Promise<StoredRelease> {
  const read = async (name: string): Promise<Uint8Array> => {
    const bytes = await files.read(join(releasesDir, release.releaseSha256, name));
    if (bytes !== undefined) return bytes;
    throw mismatch(name, release.releaseSha256);
  };
  const artifacts = new Map<string, Uint8Array>();
  for (const name of release.artifacts) artifacts.set(name, await read(name));
  const { releaseSha256 } = release;
  return checkCandidate({ document: await read(DOCUMENT_NAME), releaseSha256, artifacts });
}

function mismatch(name: string, sha256: string): DunlinError {
  return new DunlinError(`${name} is not what was signed (${sha256})`, { code: 'digest-mismatch' });
}
