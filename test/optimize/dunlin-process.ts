import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));

export interface Ended {
  /** Null when a signal ended it. */
  readonly status: number | null;
  readonly out: string;
  readonly err: string;
}

/** The command line as a process of its own. */
export class DunlinProcess {
  readonly #child: ChildProcess;
  readonly ended: Promise<Ended>;
  #out = '';
  #err = '';
  #onText: () => void = () => {};

  constructor(...args: readonly string[]) {
    const child = spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child = child;
    child.stdout!.setEncoding('utf8').on('data', (text: string) => {
      this.#out += text;
    });
    child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.#err += text;
      this.#onText();
    });
    this.ended = once(child, 'close').then(() => ({
      status: child.exitCode,
      out: this.#out,
      err: this.#err,
    }));
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Sends a signal as soon as standard error matches; a process that ends before is not signalled. */
  signalWhen(pattern: RegExp, signal: NodeJS.Signals): void {
    this.#onText = () => {
      if (!pattern.test(this.#err)) return;
      this.#onText = () => {};
      this.#child.kill(signal);
    };
    this.#onText();
  }
}

export async function dunlin(...args: readonly string[]): Promise<Ended> {
  return new DunlinProcess(...args).ended;
}
