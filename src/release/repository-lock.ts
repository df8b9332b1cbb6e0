import { mkdir, open, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Clock, DunlinError, errnoOf } from '../core/index.ts';

const LOCK_FILE = 'lock';
const RETRY_MS = 200;
/** A refresh from a timer waits for a publication to end. */
const MAX_TRIES = 300;

/**
 * Runs `work` while no other process changes the repository: two at once would sign one metadata version twice, with
 * different content. A lock whose process is gone counts as none.
 * @throws `input-invalid` when another process keeps it too long; what `work` throws
 */
export async function withRepositoryLock<T>(
  dir: string,
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
  work: () => Promise<T>,
): Promise<T> {
  await mkdir(dir, { recursive: true });
  const path = join(dir, LOCK_FILE);
  for (let attempt = 1; !(await take(path)); attempt++) {
    const holder = await holderOf(path);
    if (holder !== undefined && !isAlive(holder)) {
      await rm(path, { force: true });
      continue;
    }
    if (attempt >= MAX_TRIES) {
      throw new DunlinError(
        `${dir} is in use by process ${holder ?? '?'}; wait for it, or remove ${path} if it is not dunlin`,
        { code: 'input-invalid' },
      );
    }
    await clock.sleep(RETRY_MS, signal);
  }
  try {
    return await work();
  } finally {
    await rm(path, { force: true });
  }
}

async function take(path: string): Promise<boolean> {
  try {
    const handle = await open(path, 'wx');
    await handle.writeFile(`${process.pid}\n`).finally(() => handle.close());
    return true;
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return false;
    throw error;
  }
}

/** Undefined while the holder has not written its number yet, or is gone. */
async function holderOf(path: string): Promise<number | undefined> {
  const text = await readFile(path, 'utf8').catch(() => '');
  const pid = Number.parseInt(text, 10);
  return pid > 0 ? pid : undefined;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return errnoOf(error) === 'EPERM';
  }
}
