import type { KeyObject } from 'node:crypto';
import {
  type Clock,
  DunlinError,
  type ErrorCode,
  errorCode,
  errorMessage,
  type Files,
  type Logger,
} from '../../core/index.ts';
import { mcubootVersionText, parseMcubootImage, verifyMcubootImage } from '../images/mcuboot.ts';
import { isLineError, type SmpClient } from '../smp/client.ts';
import { ModelGroup } from '../smp/model-group.ts';
import { reset } from '../smp/os-group.ts';
import {
  type DeviceIdentity,
  type Flasher,
  type FlashJob,
  type FlashOptions,
  type FlashResult,
  mayPass,
  requireBoard,
} from './flasher.ts';
import { FlashJournal, type FlashPayload, type JournalRecord } from './journal.ts';
import { type FlashStep, givenUp, nextStep, recordBefore } from './next-step.ts';
import { UploadRate } from './rate.ts';
import { identifyDevice, requireRoom, type SmpTarget, smpTarget } from './smp-target.ts';

/** Steps and failures of one job, besides looking for a device that resets; every plan ends long before. */
const MAX_ROUNDS = 32;
/** Failures in a row without a byte or a step forward: more than our bootloader listens after a crash. */
const MAX_FAILURES = 8;
/** A device that is busy so often is not busy: something in it waits for a reset. */
const BUSY_FAILURES = 2;
const RETRY_DELAY_MS = 500;
/** A device answers a reset, and resets a little later. Zephyr, CONFIG_MCUMGR_GRP_OS_RESET_MS: 250. */
const DEFAULT_RESET_SETTLE_MS = 1_000;
/** Swapping two slots takes what the flash takes. */
const DEFAULT_RETURN_TIMEOUT_MS = 60_000;

export interface SmpFlasherOptions {
  readonly client: SmpClient;
  readonly files: Files;
  /** Of this device alone; its parent has to exist. */
  readonly journalDir: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Ed25519: files signed by none of them are not even sent. Without them the device alone judges. */
  readonly keys?: readonly KeyObject[];
  readonly resetSettleMs?: number;
  readonly returnTimeoutMs?: number;
}

/** What a device says of a file that is not as it was signed: the file, or what power and line have left of it. */
const DAMAGES: ReadonlySet<ErrorCode> = new Set([
  'mcu-image-refused',
  'mcu-signature-refused',
  'mcu-verify-failed',
]);

/** What is known of a job besides its journal. */
interface Run {
  record: JournalRecord;
  readonly payload: FlashPayload;
  readonly hash: Uint8Array;
  readonly target: SmpTarget;
  readonly options: FlashOptions;
  isOpen: boolean;
  isIdentified: boolean;
  isTested: boolean;
  isBlocked: boolean;
  isSent: boolean;
  /** What stands in a slot with the file's hash is damaged: it is sent anew. */
  isDamaged: boolean;
  failures: number;
  /** Until then a silent line is a device that resets. Monotonic. */
  returnByMs: number;
  refusal: DunlinError | undefined;
  /** The last warning: a device is looked for twice a second. */
  said: string;
}

/**
 * Firmware in MCUboot's slots, and models, over SMP. The client is opened when it is needed, opened again
 * when the line is lost, and left open.
 */
export class SmpFlasher implements Flasher {
  readonly #options: SmpFlasherOptions;
  readonly #journal: FlashJournal;

  constructor(options: SmpFlasherOptions) {
    this.#options = options;
    this.#journal = new FlashJournal(options.files, options.journalDir);
  }

  async identify(signal?: AbortSignal): Promise<DeviceIdentity> {
    const { client } = this.#options;
    await client.open();
    return await identifyDevice(client, smpTarget(client, 'firmware'), signal);
  }

  async flash(job: FlashJob, options: FlashOptions = {}): Promise<FlashResult> {
    const { client, clock, keys } = this.#options;
    const what = `${job.kind} for ${client.lineName}`;
    const image = parseMcubootImage(job.file, what);
    verifyMcubootImage(image, what, keys);
    if (job.kind === 'model' && job.golden.length === 0) {
      throw new DunlinError(`${what}: a model is confirmed after a self-test only; it has none`, {
        code: 'input-invalid',
      });
    }
    await client.open();
    const target = smpTarget(client, job.kind);
    const identity = await identifyDevice(client, target, options.signal);
    requireBoard(identity, job.boards, client.lineName);
    requireRoom(identity, job.file.byteLength, client.lineName);
    const record = await this.#journal.begin(
      {
        kind: job.kind,
        boards: [...job.boards],
        hashHex: Buffer.from(image.hash).toString('hex'),
        version: mcubootVersionText(image.version),
        sizeBytes: job.file.byteLength,
        phase: 'upload',
        trials: 0,
        startedMs: clock.nowMs(),
      },
      job,
    );
    return await this.#run(record, job, options, true);
  }

  async resume(options: FlashOptions = {}): Promise<FlashResult | undefined> {
    const record = await this.#journal.readUnfinished();
    if (record === undefined) return undefined;
    const { client, logger } = this.#options;
    logger.info(`${client.lineName}: going on with ${record.version}`);
    try {
      const payload = await this.#journal.readPayload(record);
      return await this.#run(record, payload, options, false);
    } catch (error) {
      if (errorCode(error) !== 'digest-mismatch') throw error;
      // Its file is gone, so it cannot be finished; a trial of it can be ended.
      const given = givenUp(record, 'digest-mismatch');
      await this.#journal.write(given);
      return await this.#run(given, { file: new Uint8Array(), golden: [] }, options, false);
    }
  }

  async #run(
    record: JournalRecord,
    payload: FlashPayload,
    options: FlashOptions,
    isIdentified: boolean,
  ): Promise<FlashResult> {
    const run: Run = {
      record,
      payload,
      hash: Buffer.from(record.hashHex, 'hex'),
      target: smpTarget(this.#options.client, record.kind),
      options,
      isOpen: true,
      isIdentified,
      isTested: payload.golden.length === 0,
      isBlocked: false,
      isSent: false,
      isDamaged: false,
      failures: 0,
      returnByMs: 0,
      refusal: undefined,
      said: '',
    };
    for (let rounds = 0; rounds < MAX_ROUNDS; ) {
      options.signal?.throwIfAborted();
      try {
        await this.#round(run);
        rounds++;
      } catch (error) {
        if (!this.#isReturning(run)) rounds++;
        await this.#failed(run, error);
      }
      if (run.record.phase === 'done') return resultOf(run.record);
      if (run.record.phase === 'failed') throw this.#failure(run);
    }
    await this.#giveUp(run, new DunlinError('the device does not settle', { code: 'mcu-refused' }));
    await this.#write(run, { ...run.record, phase: 'failed' });
    throw this.#failure(run);
  }

  /** Asks the device, decides, writes down, does. */
  async #round(run: Run): Promise<void> {
    const { client, logger } = this.#options;
    const { signal } = run.options;
    run.isOpen = false;
    await client.open();
    run.isOpen = true;
    if (!run.isIdentified) {
      const identity = await identifyDevice(client, run.target, signal);
      requireBoard(identity, run.record.boards, client.lineName);
      run.isIdentified = true;
    }
    const found = await run.target.place(run.hash, signal);
    const place = found === 'stored' && run.isDamaged ? 'absent' : found;
    run.returnByMs = 0;
    const { isTested, isBlocked, isSent } = run;
    const step = nextStep(run.record, { place, isTested, isBlocked, isSent });
    const record = recordBefore(run.record, step);
    await this.#write(run, record);
    logger.debug(() => `${client.lineName}: ${place}, ${step.kind}`);
    try {
      await this.#perform(run, step);
    } catch (error) {
      if (!(await this.#hasLostTrial(run, step, error))) throw error;
      logger.warn(`${client.lineName}: reset in its trial: ${errorMessage(error)}`);
    }
    run.failures = 0;
  }

  /** Whether the device answered so because a reset has ended the trial: that says nothing about the file. */
  async #hasLostTrial(run: Run, { kind }: FlashStep, error: unknown): Promise<boolean> {
    if (kind !== 'self-test' && kind !== 'confirm') return false;
    const code = errorCode(error);
    if (code === undefined || mayPass(code)) return false;
    return (await run.target.place(run.hash, run.options.signal)) !== 'trial';
  }

  async #perform(run: Run, step: FlashStep): Promise<void> {
    const { client } = this.#options;
    const { target, hash, options, payload } = run;
    const { signal } = options;
    const sizeBytes = payload.file.byteLength;
    const rate = new UploadRate(this.#options.clock, step.kind, sizeBytes);
    if (step.kind !== 'upload') options.onProgress?.(rate.at(sizeBytes));
    switch (step.kind) {
      case 'upload':
        await target.upload(payload.file, {
          signal,
          onProgress: ({ doneBytes }) => {
            run.failures = 0;
            options.onProgress?.(rate.at(doneBytes));
          },
        });
        run.isSent = true;
        run.isDamaged = false;
        return;
      case 'test':
        await target.test(hash, signal);
        run.isTested = payload.golden.length === 0;
        return;
      case 'reset':
        run.isTested = payload.golden.length === 0;
        return await this.#reset(run);
      case 'self-test':
        await new ModelGroup(client).selfTest(payload.golden, signal);
        run.isTested = true;
        return;
      case 'confirm':
        await target.confirm(hash, signal);
        return;
      case 'clear':
        run.isBlocked = false;
        return await this.#withdraw(run);
      case 'withdraw':
        return await this.#withdraw(run);
      default:
        return;
    }
  }

  async #withdraw(run: Run): Promise<void> {
    if (run.target.withdrawsByReset) return await this.#reset(run);
    await run.target.withdraw(run.hash, run.options.signal);
  }

  /** Resolves when the device has had time to go; the next round meets it when it is back. */
  async #reset(run: Run): Promise<void> {
    const { client, clock, resetSettleMs, returnTimeoutMs } = this.#options;
    try {
      await reset(client, { signal: run.options.signal });
    } catch (error) {
      // Some are gone before they have answered.
      if (!isLineError(error)) throw error;
    }
    run.returnByMs = clock.monotonicMs() + (returnTimeoutMs ?? DEFAULT_RETURN_TIMEOUT_MS);
    await clock.sleep(resetSettleMs ?? DEFAULT_RESET_SETTLE_MS, run.options.signal);
  }

  /** Gets ready for another round, or throws what ends the job for now. */
  async #failed(run: Run, error: unknown): Promise<void> {
    const { client, clock, logger } = this.#options;
    const { signal } = run.options;
    signal?.throwIfAborted();
    if (!(error instanceof DunlinError)) throw error;
    const { code } = error;
    if (code === 'mcu-wrong-board' || code === 'file-unreadable') throw error;
    const message = `${client.lineName}: ${this.#withoutName(error)}`;
    if (message === run.said) logger.debug(message);
    else logger.warn(message);
    run.said = message;
    const wasDamaged = run.isDamaged;
    run.isDamaged ||= DAMAGES.has(code) && !run.isSent;
    if (!mayPass(code)) {
      // Found in its slot, and not what it says it is: sent anew, once.
      if (run.isDamaged && !wasDamaged) return;
      return await this.#giveUp(run, error);
    }
    const isLine = !run.isOpen || isLineError(error);
    if (!this.#isReturning(run) && ++run.failures >= MAX_FAILURES) {
      if (isLine) throw error;
      return await this.#giveUp(run, error);
    }
    run.isBlocked = code === 'mcu-busy' && run.failures >= BUSY_FAILURES;
    if (isLine) {
      run.isIdentified = false;
      await client.close();
    }
    await clock.sleep(RETRY_DELAY_MS, signal);
  }

  #isReturning({ returnByMs }: Run): boolean {
    return this.#options.clock.monotonicMs() < returnByMs;
  }

  /** The client's errors begin with the line's name, others do not. */
  #withoutName(error: Error): string {
    const name = `${this.#options.client.lineName}: `;
    const message = errorMessage(error);
    return message.startsWith(name) ? message.slice(name.length) : message;
  }

  async #giveUp(run: Run, error: DunlinError): Promise<void> {
    run.refusal ??= error;
    await this.#write(run, givenUp(run.record, error.code));
  }

  async #write(run: Run, record: JournalRecord): Promise<void> {
    if (record === run.record) return;
    await this.#journal.write(record);
    run.record = record;
  }

  #failure({ record, refusal }: Run): DunlinError {
    const { reason = 'mcu-refused', version } = record;
    const why =
      refusal === undefined
        ? 'the device runs again what it ran before'
        : this.#withoutName(refusal);
    return new DunlinError(`${this.#options.client.lineName}: ${version} not installed: ${why}`, {
      code: reason,
      cause: refusal,
    });
  }
}

function resultOf({ kind, version, hashHex }: JournalRecord): FlashResult {
  return { kind, version, hashHex };
}
