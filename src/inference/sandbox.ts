import { availableParallelism } from 'node:os';
import { type Clock, DunlinError, type Logger, parseJson, Type } from '../core/index.ts';
import { parseModel, serializeModel, verifyModel } from '../tflite/index.ts';
import { meansOutOfMemory } from './child-exit.ts';
import { InferenceChild } from './child-process.ts';
import type { EdgeTpuUse } from './edge-tpu.ts';
import {
  choosePath,
  type ExecutionPath,
  findNativeFiles,
  type NativeFiles,
  type PathChoice,
  type PathReason,
} from './execution-path.ts';
import { modelTraits, tensorSpecs } from './model-traits.ts';
import { type FailureHistory, NO_FAILURES, planStart } from './restart-policy.ts';
import type { TensorSpec } from './tensor-spec.ts';
import {
  FRAME_KIND,
  type Frame,
  fillPayload,
  HEADER_BYTES,
  type LoadRequest,
  splitPayload,
  writeHeader,
} from './wire.ts';

/** One thread: on busy cores more make inference many times slower (the package's default is four). */
const THREADS = 1;

const LoadReply = Type.Object({
  delegatedOperators: Type.Optional(Type.Integer({ minimum: 0 })),
  totalOperators: Type.Optional(Type.Integer({ minimum: 0 })),
});

export interface SandboxLimits {
  /** From the start of the process to a loaded model. */
  readonly loadTimeoutMs: number;
  readonly inferTimeoutMs: number;
  /** Private writable memory of the child, some 60 MB of Node's own included. */
  readonly memoryBytes: number;
  /** Inferences waiting or running; one more is refused. */
  readonly queueLength: number;
}

export const DEFAULT_SANDBOX_LIMITS: SandboxLimits = {
  loadTimeoutMs: 30_000,
  inferTimeoutMs: 5_000,
  memoryBytes: 512 * 1024 * 1024,
  queueLength: 64,
};

export interface SandboxOptions {
  /** The .tflite file's bytes. */
  readonly model: Uint8Array;
  /** Names the model in errors and logs. */
  readonly what: string;
  readonly path: 'auto' | ExecutionPath;
  /** The Edge TPU and its delegate; without them a model compiled for it is refused. */
  readonly device?: EdgeTpuUse;
  readonly limits?: Partial<SandboxLimits>;
  /** Where the native parts are; found beside this package when left out. */
  readonly nativeFiles?: NativeFiles;
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface InferenceResult {
  /** One for each output, in the model's order. */
  readonly outputs: Uint8Array[];
  /** Time of Invoke in the child. */
  readonly latencyUs: number;
}

/** A model ready to run, wherever it runs. */
export interface LoadedModel {
  readonly path: ExecutionPath;
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  infer(inputs: readonly Uint8Array[]): Promise<InferenceResult>;
  close(): Promise<void>;
}

/**
 * One model in a process of its own. Invariants: the native runtime never runs in this process; one
 * request is with the child at a time, the others wait in order; whatever happens to the child
 * rejects the inference it had with an error code, and the next inference has a new child.
 */
export class Sandbox implements LoadedModel {
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  readonly #options: SandboxOptions;
  readonly #limits: SandboxLimits;
  readonly #files: NativeFiles;
  readonly #requestFrame: Buffer;
  readonly #outputLengths: readonly number[];
  readonly #outputBytes: number;
  readonly #closing = new AbortController();
  #choice: PathChoice;
  #delegation: { readonly delegated: number; readonly total: number } | undefined;
  #child: InferenceChild | undefined;
  #history: FailureHistory = NO_FAILURES;
  #restarts = 0;
  #queued = 0;
  /** Settles after the last inference asked for. */
  #turn: Promise<void> = Promise.resolve();
  readonly #leaveQueue = (): void => {
    this.#queued -= 1;
  };

  /**
   * Verifies the model, starts a child and loads it there.
   * @throws `model-malformed`, `model-unsupported`, `model-too-large`, `inference-refused`,
   * `inference-unavailable`, `inference-crashed`, `inference-timeout`, `inference-out-of-memory`,
   * `edgetpu-unavailable`
   */
  static async load(options: SandboxOptions): Promise<Sandbox> {
    const sandbox = new Sandbox(options);
    try {
      await sandbox.#startChild();
    } catch (error) {
      const fallBack = options.path === 'auto' && sandbox.path === 'xnn';
      if (!fallBack || !(error instanceof DunlinError) || error.code !== 'inference-refused') {
        throw error;
      }
      options.logger.warn(`${options.what}: XNNPACK refused it, trying the stock kernels`);
      sandbox.#choice = { path: 'stock', reason: 'xnn-refused' };
      await sandbox.#startChild();
    }
    return sandbox;
  }

  private constructor(options: SandboxOptions) {
    const { model: bytes, what } = options;
    const model = parseModel(bytes, what);
    verifyModel(model, what);
    const { inputs, outputs } = tensorSpecs(model, what);
    this.inputs = inputs;
    this.outputs = outputs;
    // Native code reads a file that we wrote, never the one that came.
    this.#options = { ...options, model: serializeModel(model) };
    this.#limits = { ...DEFAULT_SANDBOX_LIMITS, ...options.limits };
    this.#files = options.nativeFiles ?? findNativeFiles();
    this.#choice = choosePath(options.path, modelTraits(model), what, {
      xnnBuilt: this.#files.xnnPath !== undefined,
      edgeTpu: options.device !== undefined,
    });
    const total = (specs: readonly TensorSpec[]): number =>
      specs.reduce((sum, { lengthBytes }) => sum + lengthBytes, 0);
    this.#outputLengths = outputs.map(({ lengthBytes }) => lengthBytes);
    this.#outputBytes = total(outputs);
    this.#requestFrame = Buffer.alloc(HEADER_BYTES + total(inputs));
    writeHeader(this.#requestFrame, FRAME_KIND.infer, total(inputs), 0);
  }

  get path(): ExecutionPath {
    return this.#choice.path;
  }

  get pathReason(): PathReason {
    return this.#choice.reason;
  }

  /** How many of the model's operators XNNPACK took; undefined on other paths. */
  get delegation(): { readonly delegated: number; readonly total: number } | undefined {
    return this.#delegation;
  }

  /** Children started after the first. */
  get restarts(): number {
    return this.#restarts;
  }

  /** The child's process id, while there is one. */
  get pid(): number | undefined {
    return this.#child?.alive ? this.#child.pid : undefined;
  }

  /**
   * Runs the model once. The inputs' bytes must not change until the promise settles.
   * @throws `input-invalid`, `inference-crashed`, `inference-timeout`, `inference-out-of-memory`,
   * `inference-refused`, `inference-unavailable`, `edgetpu-unavailable`
   */
  infer(inputs: readonly Uint8Array[]): Promise<InferenceResult> {
    const refusal = this.#refuse(inputs);
    if (refusal !== undefined) return Promise.reject(refusal);
    const run =
      this.#queued === 0 ? this.#inferNow(inputs) : this.#turn.then(() => this.#inferNow(inputs));
    this.#queued += 1;
    this.#turn = run.then(this.#leaveQueue, this.#leaveQueue);
    return run;
  }

  /** Ends the child and resolves when it is gone; inferences under way are rejected. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#child?.close();
  }

  async #inferNow(inputs: readonly Uint8Array[]): Promise<InferenceResult> {
    if (this.#closing.signal.aborted) throw this.#unavailable('the model was closed');
    const child = this.#child?.alive ? this.#child : await this.#restartChild();
    fillPayload(this.#requestFrame, inputs);
    let frame: Frame;
    try {
      frame = await child.infer(this.#requestFrame, this.#limits.inferTimeoutMs);
    } catch (error) {
      this.#noteFailure();
      throw error;
    }
    if (frame.kind === FRAME_KIND.result && frame.payload.byteLength === this.#outputBytes) {
      this.#history = NO_FAILURES;
      return { outputs: splitPayload(frame.payload, this.#outputLengths), latencyUs: frame.value };
    }
    throw await this.#refusal(child, frame, 'infer');
  }

  async #restartChild(): Promise<InferenceChild> {
    const { clock, logger, what } = this.#options;
    // A child that died while nobody waited is a failure that nobody has counted.
    if (this.#child !== undefined && this.#history.failures === 0) this.#noteFailure();
    const plan = planStart(this.#history, clock.monotonicMs());
    if (plan.kind === 'refuse') {
      throw this.#unavailable(
        `failed ${this.#history.failures} times in a row; tried again in ${plan.retryInMs} ms`,
      );
    }
    if (plan.kind === 'wait') await this.#waitOpen(plan.waitMs);
    this.#restarts += 1;
    logger.warn(`${what}: starting a new inference process`, { restarts: this.#restarts });
    try {
      return await this.#startChild();
    } catch (error) {
      this.#noteFailure();
      throw error;
    }
  }

  async #waitOpen(durationMs: number): Promise<void> {
    try {
      await this.#options.clock.sleep(durationMs, this.#closing.signal);
    } catch (cause) {
      throw this.#unavailable('the model was closed', cause);
    }
  }

  async #startChild(): Promise<InferenceChild> {
    const { what, clock, model } = this.#options;
    const { memoryBytes, loadTimeoutMs } = this.#limits;
    await this.#child?.ended;
    if (this.#closing.signal.aborted) throw this.#unavailable('the model was closed');
    const child = new InferenceChild({ what, path: this.path, memoryBytes, clock });
    this.#child = child;
    const frame = await child.load(this.#loadRequest(), model, loadTimeoutMs);
    if (frame.kind !== FRAME_KIND.loaded) throw await this.#refusal(child, frame, 'load');
    const reply = parseJson(LoadReply, frame.payload, `${what}: load reply`, 'inference-crashed');
    const { delegatedOperators: delegated, totalOperators: total } = reply;
    if (delegated !== undefined && total !== undefined) {
      this.#delegation = { delegated, total };
      if (delegated === 0) this.#choice = { path: 'stock', reason: 'xnn-delegates-nothing' };
    }
    return child;
  }

  #loadRequest(): LoadRequest {
    const { addonPath, xnnPath, socketWaitPath } = this.#files;
    const { device } = this.#options;
    const spins = availableParallelism() > 1 && socketWaitPath !== undefined;
    const base = {
      addonPath,
      ...(spins ? { socketWaitPath } : {}),
      threads: THREADS,
      inputBytes: this.inputs.map(({ lengthBytes }) => lengthBytes),
      outputBytes: this.#outputLengths,
    };
    if (this.path === 'xnn' && xnnPath !== undefined) {
      return { ...base, delegate: { path: xnnPath, counts: true } };
    }
    if (this.path === 'edgetpu' && device !== undefined) {
      const { path, option } = device;
      const chosen = option === undefined ? {} : { option };
      return { ...base, delegate: { path, counts: false, ...chosen } };
    }
    return base;
  }

  /** The error that a child's refusal means. The child is ended when it is of no more use. */
  async #refusal(
    child: InferenceChild,
    frame: Frame,
    phase: 'load' | 'infer',
  ): Promise<DunlinError> {
    const { what } = this.#options;
    const refused = frame.kind === FRAME_KIND.refused;
    const text = refused ? Buffer.from(frame.payload).toString('utf8') : 'an answer of wrong size';
    const said = text.replace(/\s+/g, ' ').trim();
    const context = { path: this.path, phase };
    // An Edge TPU stays held until its process ends: another one must be able to have it.
    if (phase === 'load' || this.path === 'edgetpu' || !refused) {
      if (phase === 'infer') this.#noteFailure();
      await child.close();
    }
    if (meansOutOfMemory(said)) {
      return new DunlinError(`${what}: ${said}`, { code: 'inference-out-of-memory', context });
    }
    if (this.path === 'edgetpu') {
      const reason = phase === 'load' ? 'delegate-refused' : 'device-lost';
      return new DunlinError(`${what}: the Edge TPU does not run it: ${said}`, {
        code: 'edgetpu-unavailable',
        context: { ...context, reason },
      });
    }
    return new DunlinError(`${what}: the runtime refuses it: ${said}`, {
      code: 'inference-refused',
      context,
    });
  }

  #noteFailure(): void {
    this.#history = {
      failures: this.#history.failures + 1,
      lastFailureMs: this.#options.clock.monotonicMs(),
    };
  }

  /** Why an inference is not even queued. */
  #refuse(inputs: readonly Uint8Array[]): DunlinError | undefined {
    if (this.#queued >= this.#limits.queueLength) {
      return this.#unavailable(`${this.#queued} inferences are waiting already`);
    }
    const matches =
      inputs.length === this.inputs.length &&
      this.inputs.every(({ lengthBytes }, index) => inputs[index]!.byteLength === lengthBytes);
    if (matches) return undefined;
    const wanted = this.inputs.map(({ lengthBytes }) => lengthBytes).join(' + ');
    const given = inputs.map(({ byteLength }) => byteLength).join(' + ') || 'none';
    const message = `${this.#options.what}: inputs of ${given} bytes, ${wanted} wanted`;
    return new DunlinError(message, { code: 'input-invalid' });
  }

  #unavailable(reason: string, cause?: unknown): DunlinError {
    const message = `${this.#options.what}: ${reason}`;
    return new DunlinError(message, { code: 'inference-unavailable', cause });
  }
}
