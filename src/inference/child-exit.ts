import { DunlinError, type ErrorCode } from '../core/index.ts';
import type { ExecutionPath } from './execution-path.ts';

/** How a child ended, or what it did that made the supervisor end it. */
export interface ChildExit {
  readonly exitStatus: number | null;
  readonly signal: NodeJS.Signals | null;
  /** The last of what it wrote to standard error. */
  readonly stderrTail: string;
  /** Why the supervisor killed it, when it did. */
  readonly endedFor?: 'timeout' | 'protocol' | 'close';
}

export interface ExitContext {
  readonly what: string;
  readonly path: ExecutionPath;
  readonly phase: 'load' | 'infer';
  readonly timeoutMs: number;
  readonly memoryBytes: number;
}

/** Of libstdc++ (std::bad_alloc), V8 (fatal errors, array buffers) and libuv; all mean the limit was hit. */
const OUT_OF_MEMORY =
  /bad_alloc|out of memory|Cannot allocate memory|allocation failed|length_error|ENOMEM/i;

export function meansOutOfMemory(text: string): boolean {
  return OUT_OF_MEMORY.test(text);
}

/** The error that a child's end means to whoever waits for it. */
export function errorOfExit(exit: ChildExit, context: ExitContext): DunlinError {
  const { what, path, phase, timeoutMs, memoryBytes } = context;
  const make = (code: ErrorCode, message: string, reason?: string): DunlinError =>
    new DunlinError(`${what}: ${message}`, {
      code,
      context: { path, phase, reason, ...exit },
    });
  if (exit.endedFor === 'close') return make('inference-unavailable', 'the model was closed');
  if (exit.endedFor === 'timeout') {
    return path === 'edgetpu'
      ? make('edgetpu-unavailable', `the Edge TPU did not answer within ${timeoutMs} ms`, 'timeout')
      : make('inference-timeout', `no result within ${timeoutMs} ms; the process was killed`);
  }
  if (meansOutOfMemory(exit.stderrTail)) {
    return outOfMemory(context);
  }
  const how =
    exit.endedFor === 'protocol'
      ? 'sent what is no frame'
      : exit.signal === null
        ? `ended with status ${exit.exitStatus}`
        : `was ended by ${exit.signal}`;
  if (path === 'edgetpu') {
    const reason = phase === 'load' ? 'delegate-refused' : 'device-lost';
    return make('edgetpu-unavailable', `the Edge TPU's process ${how}`, reason);
  }
  const oomKiller = exit.signal === 'SIGKILL' ? ' (perhaps by the out-of-memory killer)' : '';
  return make(
    'inference-crashed',
    `the inference process ${how}${oomKiller} while ${phase === 'load' ? 'loading' : 'running'}`,
  );

  function outOfMemory({ memoryBytes: limit }: ExitContext): DunlinError {
    return make(
      'inference-out-of-memory',
      `needs more than the ${Math.round(limit / 1024 / 1024)} MiB that inference may use`,
      String(memoryBytes),
    );
  }
}
