import { DunlinError, type ErrorCode } from '../../core/index.ts';
import type { GoldenVector } from '../smp/model-group.ts';

/** What a device says it is; what it does not say is undefined. */
export interface DeviceIdentity {
  readonly board: string | undefined;
  readonly bootloader: string | undefined;
  /** What an image or a model may have at most. */
  readonly slotBytes: number | undefined;
}

export type FlashKind = 'firmware' | 'model';

export interface FlashJob {
  readonly kind: FlashKind;
  /** Names that the device may have; docs of its firmware say which. */
  readonly boards: readonly string[];
  /** The whole file as it goes to the device. */
  readonly file: Uint8Array;
  /** Run on the device before it is told to keep what it got. A model has at least one. */
  readonly golden: readonly GoldenVector[];
}

export interface FlashProgress {
  readonly step: string;
  readonly doneBytes: number;
  readonly totalBytes: number;
  /** Of this upload so far; 0 before anything can be said. */
  readonly bytesPerSecond: number;
  readonly remainingMs: number | undefined;
}

export interface FlashOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: (progress: FlashProgress) => void;
}

export interface FlashResult {
  readonly kind: FlashKind;
  readonly version: string;
  /** How the device names it. */
  readonly hashHex: string;
}

/**
 * Brings a file into a device and makes the device keep it. Whatever the protocol, an implementation
 *   - identifies the device before it erases anything (`mcu-wrong-board`),
 *   - verifies by read-back or by digest what it wrote (`mcu-verify-failed`),
 *   - writes a durable journal, so that after a kill `resume` finishes the job, or leaves what ran before.
 * One job at a time.
 */
export interface Flasher {
  /** @throws `mcu-unreachable`, `mcu-silent`, `mcu-garbled` */
  identify(signal?: AbortSignal): Promise<DeviceIdentity>;
  /**
   * Resolves when the device has confirmed the file. Errors of the line (`mcu-unreachable`, `mcu-silent`,
   * `mcu-garbled`) and aborts leave the job to `resume`; after any other error it is over, and the device
   * runs what it ran before.
   */
  flash(job: FlashJob, options?: FlashOptions): Promise<FlashResult>;
  /** Goes on with the job that was interrupted; undefined where there is none. Throws what `flash` throws. */
  resume(options?: FlashOptions): Promise<FlashResult | undefined>;
}

/** @throws `mcu-wrong-board` */
export function requireBoard(
  { board }: DeviceIdentity,
  boards: readonly string[],
  lineName: string,
): void {
  if (board !== undefined && boards.includes(board)) return;
  const found = board === undefined ? 'does not say which board it is' : `is ${board}`;
  throw new DunlinError(`${lineName}: the device ${found}, the file is for ${boards.join(', ')}`, {
    code: 'mcu-wrong-board',
    context: { board, boards },
  });
}

/** Another attempt, or another connection, may succeed where one failed with this. */
export function mayPass(code: ErrorCode | undefined): boolean {
  return (
    code === 'mcu-unreachable' ||
    code === 'mcu-silent' ||
    code === 'mcu-garbled' ||
    code === 'mcu-busy' ||
    code === 'mcu-verify-failed'
  );
}
