import { dirname, join } from 'node:path';
import type { Files } from '../core/index.ts';

/** Makes `base/part/…` so that the directories themselves survive a power cut: a file in a lost one is lost. */
export async function makeDirectoryDurable(
  files: Files,
  base: string,
  ...parts: string[]
): Promise<string> {
  const paths = parts.map((_, index) => join(base, ...parts.slice(0, index + 1)));
  await files.makeDirectory(paths.at(-1) ?? base);
  for (const path of [base, ...paths]) await files.syncDirectory(dirname(path));
  return paths.at(-1) ?? base;
}
