import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { RunProgram } from '../../src/plan/index.ts';

const BUILD = fileURLToPath(new URL('../../../firmware/build/', import.meta.url));
const MAX_OUTPUT_BYTES = 256 * 1024 * 1024;

/** What `make firmware` builds; `make test` has done it before any test. */
export function requireFirmware(): void {
  for (const file of ['native/dunlin-plan-native', 'mps2-an386/runner.elf']) {
    if (!existsSync(`${BUILD}${file}`))
      throw new Error(`firmware/build/${file}: run make firmware`);
  }
}

/** Runs a program and waits for it. */
export const runProgram: RunProgram = (command, args, { timeoutMs }) => {
  const found = spawnSync(command, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: timeoutMs,
    maxBuffer: MAX_OUTPUT_BYTES,
  });
  if (found.error !== undefined) return Promise.reject(found.error);
  const { status, stdout, stderr } = found;
  return Promise.resolve({ status, stdout, stderr: String(stderr) });
};
