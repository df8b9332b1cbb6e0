import {
  type Clock,
  type ErrorCode,
  errorCode,
  errorMessage,
  innerAbort,
  type Logger,
} from '../../core/index.ts';
import { isLineError } from '../../mcu/index.ts';
import type { EventName, McuLine, McuState, Reporting } from '../../telemetry/index.ts';
import type { AssignedTarget, Slots, TrustedReleases } from '../../update/index.ts';
import type { ModelUpdate } from '../model-update.ts';
import { retryPauseMs } from '../update-plan.ts';
import type { McuDevice } from './mcu-device.ts';
import type { McuPlace } from './mcu-place.ts';
import type { McuWatch } from './mcu-watch.ts';
import type { Rollout, RolloutRefusal } from './rollout.ts';

/** Of the device or its port, not of a release: the connection is given up, and tried again. */
const CONNECTION_CODES: ReadonlySet<ErrorCode> = new Set(['mcu-busy', 'mcu-wrong-board']);

export interface McuKeeperOptions {
  readonly model: string;
  readonly port: string;
  readonly device: McuDevice;
  readonly slots: Slots;
  readonly place: McuPlace;
  readonly update: ModelUpdate;
  readonly watch: McuWatch;
  readonly rollout: Rollout;
  /** Another device's refusal of a release. */
  readonly refusal: (releaseSha256: string) => RolloutRefusal | undefined;
  readonly reporter: Reporting;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly intervals: {
    readonly pollIntervalMs: number;
    readonly returnIntervalMs: number;
    readonly retryMinMs: number;
    readonly retryMaxMs: number;
  };
  readonly onChange: () => void;
}

interface Wanted {
  readonly target: AssignedTarget;
  readonly trusted: TrustedReleases;
}

type Job = 'recover' | 'update' | 'restore';

/**
 * Looks after one microcontroller: finds it and finds it again, finishes what an earlier life began, brings it to
 * what is assigned, brings it back to that when it runs something else, and reads its numbers.
 * Invariants: jobs come one after the other and only with a place in the roll-out; the line is read between them;
 * what an unplugged device misses is done when it is back.
 */
export class McuKeeper {
  readonly #options: McuKeeperOptions;
  #wanted: Wanted | undefined;
  /** The journal, and a candidate that is on its way, are looked at once a connection. */
  #mustRecover = false;
  #failures = 0;
  #retryAtMs = 0;
  #losses = 0;
  #reason: ErrorCode | undefined;
  #isWoken = false;
  #wake: (() => void) | undefined;

  constructor(options: McuKeeperOptions) {
    this.#options = options;
    options.device.onChange = options.onChange;
  }

  get name(): string {
    return this.#options.device.name;
  }

  get model(): string {
    return this.#options.model;
  }

  get state(): McuState {
    const { model, port, device, update, watch, place } = this.#options;
    const { step, running } = device;
    const { statistics } = watch;
    const reason = this.#reason ?? place.fault;
    return {
      ...{ model, port, online: device.isOnline },
      ...(reason === undefined ? {} : { reason }),
      ...(step === undefined ? {} : { step }),
      ...(running === undefined ? {} : { running }),
      release: update.state,
      ...(statistics === undefined ? {} : { statistics }),
      line: this.#line,
    };
  }

  /** What the device should run, by metadata that is trusted now. */
  want(target: AssignedTarget, trusted: TrustedReleases): void {
    // The same again, by every pass of the updater, is no reason to flash a device before its time.
    if (target.releaseSha256 !== this.#wanted?.target.releaseSha256) this.#retryAtMs = 0;
    this.#wanted = { target, trusted };
    this.poke();
  }

  /** There is something to do. */
  poke(): void {
    this.#isWoken = true;
    this.#wake?.();
  }

  /** Runs until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, intervals } = this.#options;
    while (!signal.aborted) {
      try {
        await this.#connection(signal);
      } catch (error) {
        if (signal.aborted) break;
        await this.#lost(error);
        await clock.sleep(intervals.returnIntervalMs, signal).catch(() => {});
      }
    }
    this.#options.rollout.leave(this.name);
  }

  close(): Promise<void> {
    return this.#options.device.disconnect();
  }

  /** From an opened line until it is lost. */
  async #connection(signal: AbortSignal): Promise<void> {
    const { device, place, logger, onChange } = this.#options;
    await device.connect(signal);
    this.#mustRecover = (await device.isInterrupted()) || (await this.#hasBegunCandidate());
    this.#reason = undefined;
    place.fault = undefined;
    logger.info(`${this.name}: connected`);
    await this.#report('microcontroller-connected');
    onChange();
    while (!signal.aborted) {
      this.#isWoken = false;
      await this.#work(signal);
      await this.#look(signal);
      await this.#pause(signal);
    }
  }

  async #lost(error: unknown): Promise<void> {
    const { device, rollout, logger } = this.#options;
    // What has no code is the disk's: the journal cannot be read or written.
    const reason = errorCode(error) ?? 'file-unreadable';
    const isNews = device.isOnline || this.#reason !== reason;
    if (device.isOnline) this.#losses += 1;
    this.#reason = reason;
    rollout.leave(this.name);
    await device.disconnect();
    if (!isNews) return;
    const message = errorMessage(error);
    logger.warn(`${this.name}: ${message}`, { reason });
    await this.#report('microcontroller-lost', { reason, message });
  }

  async #hasBegunCandidate(): Promise<boolean> {
    const { slots, device } = this.#options;
    const { candidate } = slots.state;
    if (candidate === null) return false;
    const stored = await slots.find(candidate.releaseSha256);
    return stored !== undefined && (await device.hasBegun(stored));
  }

  async #work(signal: AbortSignal): Promise<void> {
    const { rollout, watch, place, logger, onChange } = this.#options;
    const job = await this.#nextJob();
    if (job === undefined) return rollout.leave(this.name);
    if (!rollout.enter(this.name, () => this.poke())) return;
    try {
      await this.#perform(job, signal);
      this.#failures = 0;
      this.poke();
    } catch (error) {
      signal.throwIfAborted();
      const code = errorCode(error);
      if (isLineError(error) || (code !== undefined && CONNECTION_CODES.has(code))) throw error;
      logger.warn(`${this.name}: ${job}: ${errorMessage(error)}`);
      if (job === 'restore' && code !== undefined && place.verdicts.has(code)) {
        place.fault = code;
        await this.#report('microcontroller-fault', { reason: code, message: errorMessage(error) });
      }
      this.#backOff();
    } finally {
      watch.forget();
      rollout.leave(this.name);
      onChange();
    }
  }

  /** Pure but for what it reports as held. */
  async #nextJob(): Promise<Job | undefined> {
    const { update, place, clock, refusal } = this.#options;
    if (this.#mustRecover) return 'recover';
    if (clock.monotonicMs() < this.#retryAtMs) return undefined;
    const { target, trusted } = this.#wanted ?? {};
    // Metadata that expired meanwhile stops updates; the next pass brings fresh one.
    const isFresh = trusted !== undefined && clock.nowMs() < trusted.expiresAtMs;
    if (target !== undefined && !update.needs(target)) update.isThere();
    else if (target !== undefined && isFresh) {
      const refused = refusal(target.releaseSha256);
      if (refused === undefined) return 'update';
      const message = `${refused.by} refused ${target.version} (${refused.reason})`;
      await update.hold(target, refused.reason, message);
    }
    return place.needsRestore ? 'restore' : undefined;
  }

  async #perform(job: Job, signal: AbortSignal): Promise<void> {
    const { device, update, place, slots } = this.#options;
    if (job === 'restore') return await place.restore(signal);
    if (job === 'update') {
      const { target, trusted } = this.#wanted!;
      return await update.bringTo(target, trusted, signal);
    }
    await device.resume(signal);
    this.#mustRecover = false;
    const wanted = this.#wanted?.target.releaseSha256;
    const { candidate } = slots.state;
    const isWanted = wanted === undefined || wanted === candidate?.releaseSha256;
    if (isWanted && (await this.#hasBegunCandidate())) await update.finish(signal);
  }

  async #look(signal: AbortSignal): Promise<void> {
    const { device, watch, place, update, logger } = this.#options;
    try {
      const reading = await device.poll(signal);
      const served = place.servedSha256;
      const evidence = await watch.look(reading?.statistics, served);
      if (reading !== undefined) await watch.log(reading.log);
      if (served !== undefined) await update.count(served, evidence);
      if (device.running !== undefined) await watch.sample(device.running, this.#line);
    } catch (error) {
      signal.throwIfAborted();
      if (isLineError(error)) throw error;
      logger.warn(`${this.name}: ${errorMessage(error)}`);
    }
  }

  async #pause(signal: AbortSignal): Promise<void> {
    if (this.#isWoken || signal.aborted) return;
    const { clock, intervals } = this.#options;
    const pause = innerAbort(signal);
    this.#wake = () => pause.abort();
    await clock.sleep(intervals.pollIntervalMs, pause.signal).catch(() => {});
    this.#wake = undefined;
    pause.abort();
  }

  #backOff(): void {
    const { clock, intervals } = this.#options;
    this.#failures += 1;
    const pauseMs = retryPauseMs(this.#failures, intervals.retryMinMs, intervals.retryMaxMs);
    this.#retryAtMs = clock.monotonicMs() + pauseMs;
  }

  get #line(): McuLine {
    const { bytes, packets, damaged } = this.#options.device.lineCounts;
    return {
      receivedBytes: bytes,
      packets,
      damagedLines: damaged,
      losses: this.#losses,
    };
  }

  #report(name: EventName, details: { reason?: string; message?: string } = {}): Promise<void> {
    return this.#options.reporter.event(name, { microcontroller: this.name, ...details });
  }
}
