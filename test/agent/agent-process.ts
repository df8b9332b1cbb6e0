import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { ExecutionContext } from 'ava';

const MAIN = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));

import { errnoOf } from '../../src/core/index.ts';

/** `dunlin agent --config FILE`, a process of its own. */
export class AgentProcess {
  readonly pid: number;
  readonly ended: Promise<unknown>;
  /** What it said on stderr. */
  log = '';
  readonly #child: ChildProcess;

  constructor(t: ExecutionContext, configPath: string) {
    const argv = [MAIN, 'agent', '--config', configPath];
    const child = spawn(process.execPath, argv, { stdio: ['ignore', 'ignore', 'pipe'] });
    this.#child = child;
    this.pid = child.pid!;
    this.ended = once(child, 'exit');
    child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.log += text;
    });
    t.teardown(() => this.signal('SIGKILL'));
  }

  /** Sends a signal and resolves to the exit code, null when a signal ended it. */
  async signal(signal: NodeJS.Signals): Promise<number | null> {
    this.#child.kill(signal);
    await this.ended;
    return this.#child.exitCode;
  }

  /** Its children, and theirs. */
  descendants(): number[] {
    const parents = new Map(
      readdirSync('/proc')
        .filter((name) => /^\d+$/.test(name))
        .map((name) => [Number(name), parentOf(Number(name))] as const),
    );
    const found = [this.pid];
    for (const pid of found) {
      for (const [child, parent] of parents) if (parent === pid) found.push(child);
    }
    return found.slice(1);
  }

  /** The processes that have a model loaded. */
  sandboxes(): number[] {
    return this.descendants().filter((pid) =>
      read(`/proc/${pid}/cmdline`).includes('inference/child.js'),
    );
  }
}

/** Whether a process runs; one that is dead and not yet waited for does not. */
export function isRunning(pid: number): boolean {
  const state = /\) (\w)/.exec(read(`/proc/${pid}/stat`))?.[1];
  return state !== undefined && state !== 'Z' && state !== 'X';
}

/** SIGKILL to one that may be gone already. */
export function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if (errnoOf(error) !== 'ESRCH') throw error;
  }
}

function parentOf(pid: number): number {
  return Number(/\) \w (\d+)/.exec(read(`/proc/${pid}/stat`))?.[1]);
}

/** Empty for what is gone by now. */
function read(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}
