/**
 * Every error that Dunlin raises on purpose, with the exit status the command line gives it.
 * docs/EXIT-CODES.md is the same table for people; a test keeps the two equal.
 */
export const ERROR_EXIT_STATUS = {
  /** The command line itself is wrong. */
  usage: 2,
  /** A file, a configuration or a value that was handed in is not what it should be. */
  'file-missing': 3,
  'file-unreadable': 3,
  'input-invalid': 3,
  'config-invalid': 3,
  /** A model is broken, too large, or uses what Dunlin does not know. */
  'model-malformed': 4,
  'model-unsupported': 4,
  'model-too-large': 4,
  /** The same of an execution plan for a microcontroller. */
  'plan-malformed': 4,
  /** The same of a firmware image. */
  'image-malformed': 4,
  /** Inference failed; the caller lives on. */
  'inference-crashed': 5,
  'inference-timeout': 5,
  'inference-out-of-memory': 5,
  'inference-refused': 5,
  'inference-unavailable': 5,
  'edgetpu-unavailable': 5,
  /** The broker cannot be reached, or does not do what an update needs. */
  'broker-unreachable': 6,
  'broker-refused': 6,
  'broker-lost-data': 6,
  /** Something is signed by nobody we trust, is old, or is not what its signature says. */
  'untrusted-signature': 7,
  'metadata-expired': 7,
  'metadata-rollback': 7,
  'metadata-missing': 7,
  'metadata-malformed': 7,
  'wrong-passphrase': 7,
  /** An update that was trusted and still did not go into service. */
  'digest-mismatch': 8,
  'transfer-failed': 8,
  'golden-mismatch': 8,
  'latency-over-budget': 8,
  'probation-failed': 8,
  'release-exists': 8,
  'release-missing': 8,
  /** The optimizer made its variants, and none keeps the limits that were asked for. */
  'budget-not-met': 8,
  /** A step of the guided tour did not go as it should. */
  'demo-failed': 8,
  /** A microcontroller cannot be reached, or does not take what it is given. */
  'mcu-unreachable': 9,
  'mcu-silent': 9,
  'mcu-garbled': 9,
  'mcu-busy': 9,
  'mcu-wrong-board': 9,
  'mcu-unsupported': 9,
  'mcu-refused': 9,
  'mcu-image-refused': 9,
  'mcu-image-too-large': 9,
  'mcu-signature-refused': 9,
  'mcu-downgrade-refused': 9,
  'mcu-verify-failed': 9,
  'mcu-reverted': 9,
} as const;

export type ErrorCode = keyof typeof ERROR_EXIT_STATUS;

export interface DunlinErrorOptions {
  readonly code: ErrorCode;
  readonly cause?: unknown;
  /** Facts for logs and scripts; never needed to understand the message. */
  readonly context?: Readonly<Record<string, unknown>>;
}

/** The one error of Dunlin. `message` says in one line what was wrong and what to do about it. */
export class DunlinError extends Error {
  override readonly name = 'DunlinError';
  readonly code: ErrorCode;
  readonly context: Readonly<Record<string, unknown>>;

  constructor(message: string, options: DunlinErrorOptions) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = options.code;
    this.context = options.context ?? {};
  }
}

/** The code of an error of ours, else undefined. */
export function errorCode(error: unknown): ErrorCode | undefined {
  return error instanceof DunlinError ? error.code : undefined;
}

/** One line about anything that can be thrown. */
export function errorMessage(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.replace(/\s*\n\s*/g, ' ');
}

/** The errno name (`ENOENT`) of a Node system error, else undefined. */
export function errnoOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string'
    ? error.code
    : undefined;
}
