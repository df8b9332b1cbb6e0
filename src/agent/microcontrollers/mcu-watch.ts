import type { Clock } from '../../core/index.ts';
import type { ModelLog, ModelStatistics } from '../../mcu/index.ts';
import type {
  McuLine,
  McuLogSample,
  McuRunning,
  McuSample,
  McuStatistics,
  Reporting,
} from '../../telemetry/index.ts';
import type { ProbationCounts } from '../../update/index.ts';
import { evidenceBetween, NOTHING } from './mcu-evidence.ts';

/** Levels of docs/smp-model-group.md, "Log", that are passed on. */
const LOG_LEVELS: Readonly<Record<number, 'error' | 'warn'>> = { 0: 'error', 1: 'warn' };

export interface McuWatchOptions {
  readonly name: string;
  readonly reporter: Reporting;
  readonly clock: Clock;
  readonly sampleIntervalMs: number;
  readonly probation: { readonly goodInferences: number; readonly quietMs: number };
}

/**
 * What is made of a device's numbers: telemetry, and evidence for the probation of what it runs. Evidence begins with
 * the first look after a release went into service, and goes on over a line that was lost.
 */
export class McuWatch {
  readonly #options: McuWatchOptions;
  #statistics: ModelStatistics | undefined;
  #servedSha256: string | undefined;
  #base: ModelStatistics | undefined;
  #hasBase = false;
  #quietSinceMs = 0;
  #sampledAtMs: number | undefined;

  constructor(options: McuWatchOptions) {
    this.#options = options;
  }

  get statistics(): McuStatistics | undefined {
    return this.#statistics === undefined ? undefined : reported(this.#statistics);
  }

  /** A job resets devices and runs vectors: neither is evidence. */
  forget(): void {
    this.#hasBase = false;
  }

  /**
   * @param now undefined from firmware that has no statistics: that it answers is all that can be seen
   * @param servedSha256 the release that the device runs and has to run
   * @returns evidence for it
   */
  async look(
    now: ModelStatistics | undefined,
    servedSha256: string | undefined,
  ): Promise<ProbationCounts> {
    const { clock, probation } = this.#options;
    const nowMs = clock.monotonicMs();
    const before = this.#base;
    const isFirst = !this.#hasBase || servedSha256 !== this.#servedSha256;
    this.#servedSha256 = servedSha256;
    this.#statistics = now;
    this.#base = now;
    this.#hasBase = true;
    if (isFirst) this.#quietSinceMs = nowMs;
    const { good, bad, resets } =
      isFirst || before === undefined || now === undefined ? NOTHING : evidenceBetween(before, now);
    if (resets > 0) await this.#reportReset(now?.cause);
    if (bad > 0 || resets > 0) this.#quietSinceMs = nowMs;
    const isQuiet = nowMs - this.#quietSinceMs >= probation.quietMs;
    return { good: isQuiet ? Math.max(good, probation.goodInferences) : good, bad };
  }

  async #reportReset(cause = 'unknown'): Promise<void> {
    const { reporter, name } = this.#options;
    await reporter.event('microcontroller-reset', { microcontroller: name, reason: cause });
  }

  async sample(running: McuRunning, line: McuLine): Promise<void> {
    const { clock, reporter, name, sampleIntervalMs } = this.#options;
    const nowMs = clock.monotonicMs();
    if (this.#sampledAtMs !== undefined && nowMs - this.#sampledAtMs < sampleIntervalMs) return;
    this.#sampledAtMs = nowMs;
    const { statistics } = this;
    const sample: McuSample = {
      kind: 'microcontroller',
      microcontroller: name,
      at: new Date(clock.nowMs()).toISOString(),
      running,
      ...(statistics === undefined ? {} : { statistics }),
      line,
    };
    await reporter.samples([sample]);
  }

  async log({ lines, lost = 0 }: ModelLog): Promise<void> {
    const { clock, reporter, name } = this.#options;
    const kept = lines.flatMap(({ n: number, ms: uptimeMs, level, text }) => {
      const word = LOG_LEVELS[level];
      return word === undefined ? [] : [{ number, uptimeMs, level: word, text }];
    });
    if (kept.length === 0 && lost === 0) return;
    const sample: McuLogSample = {
      kind: 'microcontroller-log',
      microcontroller: name,
      at: new Date(clock.nowMs()).toISOString(),
      lines: kept,
      lost,
    };
    await reporter.samples([sample]);
  }
}

function reported(raw: ModelStatistics): McuStatistics {
  const { up, resets, cause, runs, failures, us, usmin, usmax, cycles, arena, stack } = raw;
  return {
    uptimeMs: up,
    ...{ resets, runs, failures },
    ...(cause === undefined ? {} : { resetCause: cause }),
    ...(us === undefined ? {} : { lastUs: us }),
    ...(usmin === undefined ? {} : { fastestUs: usmin }),
    ...(usmax === undefined ? {} : { slowestUs: usmax }),
    ...(cycles === undefined ? {} : { cycles }),
    arenaBytes: arena,
    ...(stack === undefined ? {} : { stackBytes: stack }),
    damagedLines: raw.lines,
    trials: raw.trials,
    reverts: raw.reverts,
  };
}
