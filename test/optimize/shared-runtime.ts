import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { DunlinError } from '../../src/core/index.ts';
import { findNativeFiles, type LoadedModel, type LoadModel } from '../../src/inference/index.ts';
import { tensorSpecs } from '../../src/inference/model-traits.ts';
import { parseModel, verifyModel } from '../../src/tflite/index.ts';
import type { Answer, Request } from './shared-runtime-child.ts';

/**
 * The real runtime with many models in one process. It takes what the sandbox takes, after the same checks, and
 * refuses what the sandbox refuses; only the limits on time and memory are not there.
 */
export class SharedRuntime {
  #child: ChildProcess | undefined;
  #turn: Promise<unknown> = Promise.resolve();
  #lastId = 0;
  /** Models that were loaded and are not closed. */
  openCount = 0;

  readonly load: LoadModel = async (bytes, what, path) => {
    const model = parseModel(bytes, what);
    verifyModel(model, what);
    const { inputs, outputs } = tensorSpecs(model, what);
    const delegate = path === 'xnn' ? findNativeFiles().xnnPath : undefined;
    this.#lastId += 1;
    const id = this.#lastId;
    await this.#ask({ load: bytes, id, ...(delegate === undefined ? {} : { delegate }) }, what);
    this.openCount += 1;
    const loaded: LoadedModel = {
      path: delegate === undefined ? 'stock' : 'xnn',
      inputs,
      outputs,
      infer: (values) => this.#ask({ infer: values, id }, what),
      close: async () => {
        this.openCount -= 1;
        await this.#ask({ close: true, id }, what);
      },
    };
    return loaded;
  };

  close(): void {
    this.#child?.removeAllListeners('exit');
    this.#child?.kill('SIGKILL');
    this.#child = undefined;
  }

  #ask(request: Request, what: string): Promise<Exclude<Answer, { refused: string }>> {
    const asked = this.#turn.then(async () => {
      const answer = await this.#exchange(request);
      if (!('refused' in answer)) return answer;
      throw new DunlinError(`${what}: the runtime refuses it: ${answer.refused}`, {
        code: 'inference-refused',
      });
    });
    this.#turn = asked.catch(() => {});
    return asked;
  }

  #exchange(request: Request): Promise<Answer> {
    this.#child ??= fork(fileURLToPath(new URL('./shared-runtime-child.js', import.meta.url)), [], {
      serialization: 'advanced',
      execArgv: ['--expose-gc'],
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    const child = this.#child;
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        child.off('message', onMessage).off('exit', onExit);
      };
      const onMessage = (answer: Answer): void => {
        settle();
        resolve(answer);
      };
      const onExit = (status: number | null, signal: string | null): void => {
        settle();
        this.#child = undefined;
        reject(
          new DunlinError(`the runtime ended: ${signal ?? `status ${status}`}`, {
            code: 'inference-crashed',
          }),
        );
      };
      child.on('message', onMessage).on('exit', onExit);
      child.send(request);
    });
  }
}
