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
import { evidenceBetween } from './mcu-evidence.ts';

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
    this.#base = undefined;
  }

  /**
   * @param servedSha256 the release that the device runs and has to run
   * @returns evidence for it, if there is any
   */
  async look(
    now: ModelStatistics,
    servedSha256: string | undefined,
  ): Promise<ProbationCounts | undefined> {
    const { clock, reporter, name, probation } = this.#options;
    const nowMs = clock.monotonicMs();
    this.#statistics = now;
    const before = servedSha256 === this.#servedSha256 ? this.#base : undefined;
    this.#servedSha256 = servedSha256;
    this.#base = now;
    if (before === undefined) {
      this.#quietSinceMs = nowMs;
      return undefined;
    }
    const { good, bad, resets } = evidenceBetween(before, now);
    if (resets > 0) {
      const reason = (now.cause ?? 'unknown').slice(0, 64);
      await reporter.event('microcontroller-reset', { microcontroller: name, reason });
    }
    if (bad > 0 || resets > 0) this.#quietSinceMs = nowMs;
    const isQuiet = nowMs - this.#quietSinceMs >= probation.quietMs;
    return { good: isQuiet ? Math.max(good, probation.goodInferences) : good, bad };
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
