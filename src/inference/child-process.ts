import { type ChildProcess, spawn } from 'node:child_process';
import { writeSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { type Clock, DunlinError, errorMessage } from '../core/index.ts';
import { type ChildExit, type ExitContext, errorOfExit } from './child-exit.ts';
import type { ExecutionPath } from './execution-path.ts';
import { SpinJudge } from './spin.ts';
import {
  FRAME_KIND,
  type Frame,
  FrameReader,
  formatFrame,
  type LoadRequest,
  type SocketWait,
} from './wire.ts';

const CHILD_SCRIPT = fileURLToPath(new URL('./child.js', import.meta.url));
const STDERR_TAIL_CHARACTERS = 4096;
/** Models up to this are waited for without sleeping; the event loop stands still for that long. */
const MAX_SPIN_INVOKE_US = 1_000;
const SPIN_MARGIN_US = 300;
/** Longer answers come in pieces. */
const SPIN_READ_BYTES = 16 * 1024;
/** The child's JavaScript is small: no compiler threads and a small heap. */
const NODE_FLAGS = ['--v8-pool-size=0', '--max-semi-space-size=1', '--max-old-space-size=32'];
/**
 * RLIMIT_DATA (setrlimit(2)) counts private writable memory; RLIMIT_AS would count V8's reservations.
 * No core dumps: a crashing model must not fill the disk. Where a lower limit is set already, it stays.
 */
const LIMIT_AND_EXEC = 'ulimit -c 0; ulimit -d "$1"; shift; exec "$@"';
/** Nothing of the agent's environment is the native runtime's business but where libraries are. */
const PASSED_ENVIRONMENT = ['LD_LIBRARY_PATH'];

export interface ChildOptions {
  readonly what: string;
  readonly path: ExecutionPath;
  /** Private writable memory, Node's own 60 MB of it included. */
  readonly memoryBytes: number;
  readonly clock: Clock;
}

interface Waiting {
  readonly phase: ExitContext['phase'];
  readonly timeoutMs: number;
  readonly resolve: (frame: Frame) => void;
  readonly reject: (error: DunlinError) => void;
}

/**
 * One child and its socket. Invariants: at most one request waits; while one waits, the watchdog
 * runs; after the child has ended every request is rejected with the error that its end means.
 */
export class InferenceChild {
  /** Settles when the process is gone. */
  readonly ended: Promise<void>;
  readonly #options: ChildOptions;
  readonly #process: ChildProcess;
  readonly #socket: Socket;
  readonly #reader = new FrameReader();
  #waiting: Waiting | undefined;
  #deadlineMs = 0;
  /** The watchdog's present sleep, and when it ends. */
  #sleep: { readonly untilMs: number; readonly controller: AbortController } | undefined;
  #watching = false;
  #socketWait: SocketWait | undefined;
  readonly #judge = new SpinJudge();
  #lastInvokeUs = Number.POSITIVE_INFINITY;
  #stderrTail = '';
  #endedFor: ChildExit['endedFor'];
  #exit: ChildExit | undefined;

  constructor(options: ChildOptions) {
    this.#options = options;
    const limitKib = String(Math.ceil(options.memoryBytes / 1024));
    const command = [process.execPath, ...NODE_FLAGS, CHILD_SCRIPT];
    this.#process = spawn('/bin/sh', ['-c', LIMIT_AND_EXEC, 'sh', limitKib, ...command], {
      stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
      cwd: '/',
      env: Object.fromEntries(
        PASSED_ENVIRONMENT.flatMap((name) => {
          const value = process.env[name];
          return value === undefined ? [] : [[name, value]];
        }),
      ),
    });
    this.#process.on('error', (error) => {
      this.#stderrTail += errorMessage(error);
    });
    if (this.#process.pid === undefined) {
      throw new DunlinError(`${options.what}: the inference process cannot be started`, {
        code: 'inference-unavailable',
      });
    }
    this.#socket = this.#process.stdio[3] as Socket;
    this.#socket.on('data', (piece: Buffer) => this.#receive(piece));
    // A write to a child that has ended: its 'close' says all there is to say.
    this.#socket.on('error', () => {});
    this.#process.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderrTail = (this.#stderrTail + text).slice(-STDERR_TAIL_CHARACTERS);
    });
    this.ended = new Promise((resolve) => {
      this.#process.on('close', (status, signal) => this.#finish(status, signal, resolve));
    });
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  get alive(): boolean {
    return this.#exit === undefined && this.#endedFor === undefined;
  }

  /** Hands over the model; resolves with the child's reply frame. */
  load(request: LoadRequest, model: Uint8Array, timeoutMs: number): Promise<Frame> {
    if (request.socketWaitPath !== undefined) {
      this.#socketWait = createRequire(import.meta.url)(request.socketWaitPath) as SocketWait;
    }
    const json = Buffer.from(JSON.stringify(request));
    const frame = formatFrame(FRAME_KIND.load, [json, model], json.byteLength);
    return this.#request(frame, 'load', timeoutMs);
  }

  /** `frame` must stay as it is until the promise settles. */
  infer(frame: Buffer, timeoutMs: number): Promise<Frame> {
    return this.#request(frame, 'infer', timeoutMs);
  }

  /** Ends the process; whoever waits is told that the model was closed. */
  close(): Promise<void> {
    this.#end('close');
    return this.ended;
  }

  #request(frame: Buffer, phase: ExitContext['phase'], timeoutMs: number): Promise<Frame> {
    return new Promise((resolve, reject) => {
      if (this.#exit !== undefined) {
        reject(this.#error(this.#exit, phase, timeoutMs));
        return;
      }
      this.#waiting = { phase, timeoutMs, resolve, reject };
      this.#deadlineMs = this.#options.clock.monotonicMs() + timeoutMs;
      if (this.#exchange(frame)) return;
      if (!this.#watching) void this.#watch();
      else if (this.#sleep !== undefined && this.#deadlineMs < this.#sleep.untilMs) {
        this.#sleep.controller.abort();
      }
    });
  }

  /**
   * Sends a request, and waits for the answer of a quick model without sleeping: it is here before this process could
   * be woken for it. @returns whether the answer came; otherwise the event loop brings it
   */
  #exchange(frame: Buffer): boolean {
    const fd = (this.#socket as unknown as { _handle?: { fd: number } })._handle?.fd;
    const wait = this.#socketWait;
    const quick = this.#lastInvokeUs <= MAX_SPIN_INVOKE_US;
    if (wait === undefined || fd === undefined || !quick || !this.#judge.worth()) {
      this.#socket.write(frame);
      return false;
    }
    let sent = 0;
    try {
      sent = writeSync(fd, frame);
    } catch {
      // A full socket, or a child that has ended: the slow way finds out.
    }
    if (sent < frame.byteLength) {
      this.#socket.write(frame.subarray(sent));
      return false;
    }
    const piece = Buffer.allocUnsafe(SPIN_READ_BYTES);
    const got = wait.receive(fd, piece, 0, this.#lastInvokeUs + SPIN_MARGIN_US);
    this.#judge.note(got > 0);
    if (got > 0) this.#receive(piece.subarray(0, got));
    return this.#waiting === undefined;
  }

  #receive(piece: Buffer): void {
    try {
      for (const frame of this.#reader.push(piece)) {
        const waiting = this.#waiting;
        if (waiting === undefined) throw new RangeError('an answer that nobody asked for');
        this.#waiting = undefined;
        if (frame.kind === FRAME_KIND.result) this.#lastInvokeUs = frame.value;
        waiting.resolve(frame);
      }
    } catch {
      this.#end('protocol');
    }
  }

  /** One sleeping watcher serves many requests: a timer for each would cost more than the request. */
  async #watch(): Promise<void> {
    const { clock } = this.#options;
    this.#watching = true;
    while (this.#waiting !== undefined) {
      const untilMs = this.#deadlineMs;
      const remainingMs = untilMs - clock.monotonicMs();
      if (remainingMs <= 0) {
        this.#end('timeout');
        break;
      }
      const controller = new AbortController();
      this.#sleep = { untilMs, controller };
      // Woken early for a nearer deadline, or because the process is gone: the loop looks again.
      await clock.sleep(remainingMs, controller.signal).catch(() => {});
    }
    this.#sleep = undefined;
    this.#watching = false;
  }

  #end(reason: NonNullable<ChildExit['endedFor']>): void {
    this.#endedFor ??= reason;
    this.#process.kill('SIGKILL');
  }

  #finish(exitStatus: number | null, signal: NodeJS.Signals | null, resolve: () => void): void {
    this.#exit = {
      exitStatus,
      signal,
      stderrTail: this.#stderrTail,
      ...(this.#endedFor === undefined ? {} : { endedFor: this.#endedFor }),
    };
    this.#socket.destroy();
    const waiting = this.#waiting;
    this.#waiting = undefined;
    this.#sleep?.controller.abort();
    waiting?.reject(this.#error(this.#exit, waiting.phase, waiting.timeoutMs));
    resolve();
  }

  #error(exit: ChildExit, phase: ExitContext['phase'], timeoutMs: number): DunlinError {
    const { what, path, memoryBytes } = this.#options;
    return errorOfExit(exit, { what, path, phase, timeoutMs, memoryBytes });
  }
}
