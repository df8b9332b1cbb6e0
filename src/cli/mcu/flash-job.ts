import { errorCode, nodeFiles, systemClock } from '../../core/index.ts';
import {
  type FlashJob,
  FlashJournal,
  type FlashProgress,
  type FlashResult,
  isLineError,
  type SmpClient,
  SmpFlasher,
} from '../../mcu/index.ts';
import type { CommandIo } from '../command.ts';
import { commandLogger } from '../command-logger.ts';
import { ProgressLine } from '../progress-line.ts';
import { journalDirectory } from './journal.ts';

/** What a job came to, as `--json` prints it. */
export interface FlashReport extends FlashResult {
  readonly port: string;
  readonly durationMs: number;
  /** Of the upload, from where it went on; null where the device had the file already. */
  readonly bytesPerSecond: number | null;
}

/** One job of `dunlin mcu flash` or `model`, from its journal to its progress line. */
export class FlashRun {
  readonly #io: CommandIo;
  readonly #port: string;
  readonly #progress: ProgressLine;
  #upload: FlashProgress | undefined;

  constructor(io: CommandIo, port: string) {
    this.#io = io;
    this.#port = port;
    this.#progress = new ProgressLine(io, systemClock.monotonicMs);
  }

  /** @throws what `Flasher.flash` does */
  async flash(client: SmpClient, job: FlashJob): Promise<FlashReport> {
    return await this.#run(client, async (flasher, journalDir) => {
      const before = await new FlashJournal(nodeFiles, journalDir).readUnfinished();
      if (before !== undefined) {
        this.#io.err(`note: the unfinished ${before.kind} ${before.version} is given up\n`);
      }
      return await flasher.flash(job, this.#options());
    });
  }

  /** Undefined where there is nothing to resume. @throws what `Flasher.resume` does */
  async resume(client: SmpClient): Promise<FlashReport | undefined> {
    return await this.#run(client, (flasher) => flasher.resume(this.#options()));
  }

  async #run<T extends FlashResult | undefined>(
    client: SmpClient,
    work: (flasher: SmpFlasher, journalDir: string) => Promise<T>,
  ): Promise<FlashReport | Extract<T, undefined>> {
    const startedMs = systemClock.monotonicMs();
    const journalDir = await journalDirectory(this.#io, this.#port);
    const logger = commandLogger({ ...this.#io, err: (text) => this.#say(text) });
    const options = { client, files: nodeFiles, journalDir, clock: systemClock, logger };
    try {
      const result = await work(new SmpFlasher(options), journalDir);
      if (result === undefined) return undefined as Extract<T, undefined>;
      const durationMs = Math.round(systemClock.monotonicMs() - startedMs);
      const rate = this.#upload?.bytesPerSecond;
      const bytesPerSecond = rate === undefined ? null : Math.round(rate);
      return { port: this.#port, ...result, durationMs, bytesPerSecond };
    } catch (error) {
      const isCut = this.#io.signal.aborted || isLineError(error) || errorCode(error) === undefined;
      const isPending = isCut && (await hasUnfinishedJob(journalDir));
      if (isPending) this.#say(`to go on: dunlin mcu flash ${this.#port} --resume\n`);
      throw error;
    } finally {
      this.#progress.end();
    }
  }

  /** A line of its own, whatever the bar shows. */
  #say(text: string): void {
    this.#progress.end();
    this.#io.err(text);
  }

  #options() {
    return {
      signal: this.#io.signal,
      onProgress: (progress: FlashProgress) => this.#show(progress),
    };
  }

  #show(progress: FlashProgress): void {
    const { step, doneBytes, totalBytes } = progress;
    if (step === 'done' || step === 'failed') return;
    if (step !== 'upload') {
      this.#progress.show(step, 1, 1, '');
      return;
    }
    this.#upload = progress;
    this.#progress.show(step, doneBytes, totalBytes, transferText(progress));
  }
}

async function hasUnfinishedJob(journalDir: string): Promise<boolean> {
  return (await new FlashJournal(nodeFiles, journalDir).readUnfinished()) !== undefined;
}

/** `12.3 of 45.6 kB, 9.8 kB/s, 4 s left` */
export function transferText(progress: FlashProgress): string {
  const { doneBytes, totalBytes, bytesPerSecond, remainingMs } = progress;
  const kB = (bytes: number): string => (bytes / 1000).toFixed(1);
  const rate = bytesPerSecond === 0 ? '' : `, ${kB(bytesPerSecond)} kB/s`;
  const left = remainingMs === undefined ? '' : `, ${Math.ceil(remainingMs / 1000)} s left`;
  return `${kB(doneBytes)} of ${kB(totalBytes)} kB${rate}${left}`;
}

export function describeFlash(report: FlashReport): string {
  const { port, kind, version, hashHex, durationMs, bytesPerSecond } = report;
  const seconds = (durationMs / 1000).toFixed(1);
  const sent =
    bytesPerSecond === null
      ? 'the device had it already'
      : `sent at ${(bytesPerSecond / 1000).toFixed(1)} kB/s`;
  return `${port}: ${kind} ${version} confirmed in ${seconds} s; ${sent}\n${hashHex}\n`;
}
