import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const REPOSITORY = fileURLToPath(new URL('../../', import.meta.url));
const SHARED = process.env['DUNLIN_SHARED'] ?? join(REPOSITORY, '../shared');

interface Log {
  log: (...texts: string[]) => void;
}

/** A file of the reference folder beside the repository; undefined, with a word why, when it is absent. */
export function sharedFile(path: string, t: Log): string | undefined {
  const file = join(SHARED, path);
  if (existsSync(file)) return file;
  t.log(`skipped: there is no ${path} in ${SHARED} (DUNLIN_SHARED names another folder)`);
  return undefined;
}

/** The bytes of a reference model; passes the test, with a word why, where the folder is absent. */
export function sharedModel(
  t: Log & { pass: () => unknown },
  name: string,
): Uint8Array | undefined {
  const file = sharedFile(`models/${name}`, t);
  if (file !== undefined) return readFileSync(file);
  t.pass();
  return undefined;
}
