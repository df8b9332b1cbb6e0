import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { DunlinError, type ErrorCode } from '../../src/core/index.ts';

/** A folder that goes with the test, and a way to put files into it. */
export function makeFolder(t: ExecutionContext) {
  const path = mkdtempSync(join(tmpdir(), 'dunlin-samples-'));
  t.teardown(() => rmSync(path, { recursive: true, force: true }));
  const put = (name: string, content: Uint8Array | string): string => {
    const file = join(path, name);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, content);
    return file;
  };
  return { path, put };
}

/** Checks that one error of ours came, in one line, with all of `parts` in it. */
export async function refused(
  t: ExecutionContext,
  promise: Promise<unknown>,
  code: ErrorCode,
  ...parts: string[]
): Promise<void> {
  const error = await t.throwsAsync(promise, { instanceOf: DunlinError });
  t.is(error.code, code, error.message);
  t.false(error.message.includes('\n'), error.message);
  for (const part of parts) t.true(error.message.includes(part), `${part} in: ${error.message}`);
}
