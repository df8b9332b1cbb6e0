import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runProgramUntil } from '../../../src/cli/run-program.ts';
import { type PlanRun, type RunProgram, runInQemu, runOnHost } from '../../../src/plan/index.ts';

const FIRMWARE = fileURLToPath(new URL('../../../../firmware', import.meta.url));

/**
 * Builds the engine, once for all who ask at once: whoever comes second waits and has nothing to build.
 * @param kinds of steps, if not all
 * @returns where it lies
 * @throws Error with what make has printed
 */
export async function buildFirmware(kinds: readonly string[] = []): Promise<string> {
  const only = kinds.length === 0 ? [] : [`KINDS=${kinds.join(' ')}`];
  const args = [join(FIRMWARE, 'Makefile'), 'make', '-C', FIRMWARE, ...only];
  const child = spawn('flock', args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (part: string) => {
      text += part;
    });
  }
  const [status] = await once(child, 'close');
  if (status !== 0) {
    throw new Error(
      `make -C firmware: status ${status}; it takes the Debian packages gcc, make and ` +
        `gcc-arm-none-eabi\n${text}`,
    );
  }
  const variant = kinds.length === 0 ? [] : ['kinds', [...kinds].sort().join('+')];
  return join(FIRMWARE, 'build', ...variant);
}

const runProgram: RunProgram = runProgramUntil(new AbortController().signal);

export type RunPlan = (
  plan: Uint8Array,
  inputs: Uint8Array,
  buildDirectory?: string,
) => Promise<PlanRun>;

const on =
  (run: typeof runOnHost): RunPlan =>
  (plan, inputs, buildDirectory) =>
    run({
      ...{ plan, inputs, profile: false, runProgram },
      ...(buildDirectory === undefined ? {} : { buildDirectory }),
    });

/** The engine as a process of this machine. */
export const onHost: RunPlan = on(runOnHost);
/** The engine as firmware of a Cortex-M4. */
export const inQemu: RunPlan = on(runInQemu);
