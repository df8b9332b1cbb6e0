import {
  type Clock,
  DunlinError,
  type ErrorCode,
  errorCode,
  errorMessage,
  innerAbort,
  type Logger,
} from '../core/index.ts';
import type { ModelState, Reporting } from '../telemetry/index.ts';
import type {
  AssignedTarget,
  Assignment,
  AssignmentSubject,
  TrustedMetadata,
} from '../update/index.ts';
import type { McuKeeper } from './microcontrollers/mcu-keeper.ts';
import type { ModelUpdate } from './model-update.ts';
import { retryPauseMs, wantedTargets } from './update-plan.ts';

/** Failures that the next try may not meet: the broker, or what it holds, can get better. */
const RETRIED: ReadonlySet<ErrorCode> = new Set([
  'broker-unreachable',
  'broker-refused',
  'metadata-missing',
  'transfer-failed',
  'digest-mismatch',
  'release-missing',
  'inference-unavailable',
]);

/** A broker that is away, or has nothing yet, has not been refused anything. */
const NO_REFUSALS: ReadonlySet<string> = new Set<ErrorCode>([
  'broker-unreachable',
  'metadata-missing',
]);

export interface MetadataState {
  readonly ok: boolean;
  readonly reason?: string;
  readonly expires?: string;
}

export interface UpdaterDependencies {
  readonly device: string;
  readonly groups: readonly string[];
  /** One for each model that a pipeline uses. */
  readonly updates: ReadonlyMap<string, ModelUpdate>;
  /** Microcontrollers take their time, and bring themselves to what they are told. */
  readonly keepers: readonly Pick<McuKeeper, 'model' | 'want'>[];
  /** @throws trust errors; `broker-unreachable` */
  readonly refresh: (signal: AbortSignal) => Promise<TrustedMetadata>;
  /** The assignments' bytes, in the order of the subjects; undefined where the broker has none. */
  readonly readAssignments: (
    subjects: readonly AssignmentSubject[],
    signal: AbortSignal,
  ) => Promise<(Uint8Array | undefined)[]>;
  /** Checks an assignment. @throws trust errors */
  readonly openAssignment: (
    bytes: Uint8Array,
    subject: AssignmentSubject,
    trusted: TrustedMetadata,
  ) => Promise<Assignment>;
  readonly reporter: Reporting;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly intervals: { checkIntervalMs: number; retryMinMs: number; retryMaxMs: number };
  readonly onChange: () => void;
}

/**
 * Brings the device to what is assigned to it: refresh the metadata, read the assignments, update each model. One pass
 * at a time; woken by a change on the broker, by the interval, and after a failure that may pass.
 * Nothing here can stop a model that is in service.
 */
export class Updater {
  readonly #deps: UpdaterDependencies;
  #metadata: MetadataState = { ok: false, reason: 'metadata-missing' };
  #wake: (() => void) | undefined;
  #woken = false;
  #failures = 0;
  /** What was last reported as refused, so that a retry does not report it again. */
  readonly #reported = new Map<string, string>();

  constructor(deps: UpdaterDependencies) {
    this.#deps = deps;
  }

  get metadata(): MetadataState {
    return this.#metadata;
  }

  get models(): Record<string, ModelState> {
    const entries = [...this.#deps.updates].map(([name, update]) => [name, update.state] as const);
    return Object.fromEntries(entries);
  }

  /** Something changed on the broker: look now. */
  poke(): void {
    this.#woken = true;
    this.#wake?.();
  }

  /** Runs until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { intervals, logger, onChange } = this.#deps;
    while (!signal.aborted) {
      this.#woken = false;
      const retry = await this.#pass(signal).catch((error) => {
        if (!signal.aborted) logger.error(`update pass failed: ${errorMessage(error)}`);
        return true;
      });
      this.#failures = retry ? this.#failures + 1 : 0;
      onChange();
      const pauseMs = retry
        ? retryPauseMs(this.#failures, intervals.retryMinMs, intervals.retryMaxMs)
        : intervals.checkIntervalMs;
      await this.#sleepUnlessWoken(pauseMs, signal);
    }
  }

  async #sleepUnlessWoken(durationMs: number, signal: AbortSignal): Promise<void> {
    if (this.#woken || signal.aborted) return;
    const pause = innerAbort(signal);
    this.#wake = () => pause.abort();
    await this.#deps.clock.sleep(durationMs, pause.signal).catch(() => {});
    this.#wake = undefined;
    pause.abort();
  }

  /** @returns whether something failed that another try may mend */
  async #pass(signal: AbortSignal): Promise<boolean> {
    const trusted = await this.#refresh(signal);
    if (trusted === undefined) return true;
    const assignments = await this.#assignments(trusted, signal);
    const { device, groups, updates, keepers } = this.#deps;
    const models = [...updates.keys(), ...keepers.map((keeper) => keeper.model)];
    const wanted = wantedTargets(assignments.found, device, groups, models);
    let retry = assignments.retry;
    for (const [model, target] of wanted) {
      // Published while this pass was under way: the assignment is newer than the metadata, and the next pass is due.
      const isAhead = trusted.releaseTarget(model, target.version) === undefined;
      if (isAhead && this.#woken) continue;
      for (const keeper of keepers) if (keeper.model === model) keeper.want(target, trusted);
      const update = updates.get(model);
      if (update === undefined) continue;
      const failed = await this.#updateOne(update, target, trusted, signal);
      retry ||= failed;
    }
    return retry;
  }

  async #refresh(signal: AbortSignal): Promise<TrustedMetadata | undefined> {
    const { refresh, onChange } = this.#deps;
    try {
      const trusted = await refresh(signal);
      this.#metadata = { ok: true, expires: new Date(trusted.expiresAtMs).toISOString() };
      this.#reported.delete('metadata');
      return trusted;
    } catch (error) {
      if (signal.aborted) throw error;
      this.#metadata = { ok: false, reason: errorCode(error) ?? 'metadata-malformed' };
      await this.#refused('metadata', error);
      onChange();
      return undefined;
    }
  }

  async #assignments(
    trusted: TrustedMetadata,
    signal: AbortSignal,
  ): Promise<{ found: Assignment[]; retry: boolean }> {
    const { device, groups, readAssignments, openAssignment } = this.#deps;
    const subjects: AssignmentSubject[] = [
      { kind: 'device', name: device },
      ...groups.map((name) => ({ kind: 'group' as const, name })),
    ];
    const found: Assignment[] = [];
    let retry = false;
    const all = await readAssignments(subjects, signal);
    for (const [index, subject] of subjects.entries()) {
      const bytes = all[index];
      if (bytes === undefined) continue;
      const key = `assignment of ${subject.kind} ${subject.name}`;
      try {
        found.push(await openAssignment(bytes, subject, trusted));
        this.#reported.delete(key);
      } catch (error) {
        if (signal.aborted) throw error;
        retry ||= isRetried(error);
        await this.#refused(key, error);
      }
    }
    return { found, retry };
  }

  async #updateOne(
    update: ModelUpdate,
    target: AssignedTarget,
    trusted: TrustedMetadata,
    signal: AbortSignal,
  ): Promise<boolean> {
    const { logger, onChange } = this.#deps;
    try {
      await update.bringTo(target, trusted, signal);
      return false;
    } catch (error) {
      if (signal.aborted) throw error;
      logger.warn(`update to ${target.model}/${target.version}: ${errorMessage(error)}`);
      return isRetried(error);
    } finally {
      onChange();
    }
  }

  /** Reports a refusal once, until it is another one. */
  async #refused(key: string, error: unknown): Promise<void> {
    const { reporter, logger } = this.#deps;
    const reason = errorCode(error) ?? 'metadata-malformed';
    const message = `${key}: ${errorMessage(error)}`;
    logger.warn(message, { reason });
    if (this.#reported.get(key) === reason || NO_REFUSALS.has(reason)) return;
    this.#reported.set(key, reason);
    await reporter.event('metadata-refused', { reason, message });
  }
}

function isRetried(error: unknown): boolean {
  return error instanceof DunlinError && RETRIED.has(error.code);
}
