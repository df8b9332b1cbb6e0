import { type ChildProcess, fork } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export type RunResult =
  /** `digest` is the SHA-256 of all outputs, for inputs that depend on nothing but their length. */
  | { readonly shapes: string[]; readonly digest: string }
  | { readonly refused: string }
  | { readonly crashed: string };

const MAX_LAST_WORDS = 400;
const TIMEOUT_MS = 30_000;
/** glibc's checks of the heap at every free; found on amd64 and arm64 of Debian. */
const MALLOC_DEBUG = ['x86_64', 'aarch64'].map(
  (arch) => `/lib/${arch}-linux-gnu/libc_malloc_debug.so.0`,
);

/** Runs models one at a time in a child that is replaced when it dies. */
export class RuntimeProcess {
  #child: ChildProcess | undefined;
  #lastWords = '';
  readonly #delegate: string | undefined;

  /** @param delegate path of an external delegate library; none: the stock kernels */
  constructor(delegate?: string) {
    this.#delegate = delegate;
  }

  #start(): ChildProcess {
    const preload = MALLOC_DEBUG.find((path) => existsSync(path));
    const checks =
      preload === undefined
        ? {}
        : { LD_PRELOAD: preload, MALLOC_CHECK_: '3', MALLOC_PERTURB_: '165' };
    const script = fileURLToPath(new URL('./tflite-runtime-child.js', import.meta.url));
    const child = fork(script, this.#delegate === undefined ? [] : [this.#delegate], {
      serialization: 'advanced',
      execArgv: ['--expose-gc'],
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      env: { ...process.env, ...checks },
    });
    this.#lastWords = '';
    child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.#lastWords = (this.#lastWords + text).slice(-MAX_LAST_WORDS);
    });
    return child;
  }

  async run(bytes: Uint8Array): Promise<RunResult> {
    this.#child ??= this.#start();
    const child = this.#child;
    const result = await new Promise<RunResult>((resolve) => {
      const timer = setTimeout(() => {
        child.kill('SIGKILL');
        finish({ crashed: 'timeout' });
      }, TIMEOUT_MS);
      const finish = (outcome: RunResult): void => {
        clearTimeout(timer);
        child.off('message', onMessage).off('exit', onExit);
        resolve(outcome);
      };
      const onMessage = (message: unknown): void => finish(message as RunResult);
      const onExit = (status: number | null, signal: string | null): void =>
        finish({
          crashed: `${signal ?? `status ${status}`} ${this.#lastWords.replace(/\s+/g, ' ')}`.trim(),
        });
      child.on('message', onMessage).on('exit', onExit);
      child.send(bytes);
    });
    if ('crashed' in result) this.close();
    return result;
  }

  close(): void {
    this.#child?.kill('SIGKILL');
    this.#child = undefined;
  }
}
