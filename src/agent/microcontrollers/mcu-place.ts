import type { ErrorCode } from '../../core/index.ts';
import type { ReleaseDocument, StoredRelease } from '../../update/index.ts';
import type { Pipeline } from '../pipeline.ts';
import type { Serving, ServingPlace } from '../serving-place.ts';
import type { McuDevice } from './mcu-device.ts';
import { McuHost } from './mcu-host.ts';
import { type McuTakes, mcuArtifactNames } from './mcu-release.ts';

/** What a device says about a release. A line that is cut, a busy port or another board say nothing about it. */
const VERDICTS: ReadonlySet<ErrorCode> = new Set([
  'golden-mismatch',
  'release-missing',
  'image-malformed',
  'untrusted-signature',
  'mcu-refused',
  'mcu-image-refused',
  'mcu-image-too-large',
  'mcu-signature-refused',
  'mcu-downgrade-refused',
  'mcu-reverted',
]);

export interface McuPlaceOptions {
  readonly device: McuDevice;
  readonly takes: McuTakes;
  /** Windows for the device's model, where the configuration has some. */
  readonly pipeline: Pipeline | undefined;
  /** There is something to do that only the device's keeper does. */
  readonly onWanted: () => void;
}

/**
 * A microcontroller as the place of a model. Its own confirmation comes before the slots' record: killed in between,
 * the agent finds the candidate confirmed at its next start, and records it. What else the device may run while
 * nothing is on its way to it, `restore` mends.
 */
export class McuPlace implements ServingPlace {
  readonly verdicts = VERDICTS;
  readonly mayPass: ReadonlySet<ErrorCode> = new Set();
  readonly #options: McuPlaceOptions;
  #gated: StoredRelease | undefined;
  /** What the device has to run. */
  #wanted: StoredRelease | undefined;
  /** Why it will not run it; nothing but another release, or another connection, changes that. */
  #fault: ErrorCode | undefined;

  constructor(options: McuPlaceOptions) {
    this.#options = options;
  }

  get serving(): Serving | undefined {
    const { device } = this.#options;
    if (this.#wanted === undefined || !device.runs(this.#wanted)) return undefined;
    const { engine = 'firmware' } = device.running ?? {};
    return { variant: 'mcu', path: engine, reason: 'device-confirmed' };
  }

  /** Digest of the release that the device has to run, and runs. */
  get servedSha256(): string | undefined {
    return this.serving === undefined ? undefined : this.#wanted?.release.releaseSha256;
  }

  get fault(): ErrorCode | undefined {
    return this.#fault;
  }

  set fault(code: ErrorCode | undefined) {
    this.#fault = code;
  }

  /** The device runs something else, and it is not known that it refuses. */
  get needsRestore(): boolean {
    return this.#wanted !== undefined && this.#fault === undefined && this.serving === undefined;
  }

  artifactNames(document: ReleaseDocument): readonly string[] {
    return mcuArtifactNames(document, this.#options.takes);
  }

  async gate(stored: StoredRelease, signal: AbortSignal): Promise<void> {
    await this.#options.device.install(stored, signal);
    this.#gated = stored;
  }

  async takeOver(): Promise<void> {
    if (this.#gated === undefined) return;
    await this.#serve(this.#gated);
    this.#gated = undefined;
  }

  async dropGated(): Promise<void> {
    this.#gated = undefined;
  }

  /** The device may be away; its keeper sees to it. */
  async reopen(stored: StoredRelease): Promise<void> {
    await this.#serve(stored);
    this.#options.onWanted();
  }

  async rest(): Promise<void> {
    this.#wanted = undefined;
    await this.#options.pipeline?.rest();
  }

  /** Brings the device back to what it has to run. @throws as `gate` */
  async restore(signal: AbortSignal): Promise<void> {
    if (this.#wanted !== undefined) await this.#options.device.install(this.#wanted, signal);
  }

  async #serve(stored: StoredRelease): Promise<void> {
    const { device, pipeline, takes } = this.#options;
    this.#wanted = stored;
    this.#fault = undefined;
    if (!takes.install.includes('model')) return;
    await pipeline?.serve(new McuHost(stored, device, () => this.#wanted === stored));
  }
}
