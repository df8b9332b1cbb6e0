import {
  type Clock,
  DunlinError,
  type ErrorCode,
  errorCode,
  errorMessage,
  type Logger,
  parseJson,
} from '../core/index.ts';
import type { EventDetails, EventName, ModelState, Reporting } from '../telemetry/index.ts';
import {
  type BlockSource,
  type ChunkStore,
  type FetchOptions,
  fetchArtifact,
  fetchDocument,
  MAX_PLAN_ROUNDS,
  type ProbationCounts,
  planSlots,
  ReleaseDocument,
  type SlotFacts,
  type SlotStep,
  type Slots,
  type SlotTarget,
  type TrustedReleases,
} from '../update/index.ts';
import type { ServingPlace } from './serving-place.ts';
import type { Turns } from './turns.ts';

const MAX_START_TRIES = 3;
const START_PAUSE_MS = 500;

export interface ModelUpdateDependencies {
  readonly model: string;
  readonly slots: Slots;
  readonly store: ChunkStore;
  readonly source: BlockSource;
  /** One transfer at a time: they share the link, and each clears the store of what it does not need. */
  readonly transfers: Turns;
  /** Slots of others that may have a release already. */
  readonly siblings: () => readonly Slots[];
  readonly place: ServingPlace;
  /** Of a model on a microcontroller: its name, for reports. */
  readonly microcontroller?: string;
  readonly reporter: Reporting;
  readonly clock: Clock;
  readonly logger: Logger;
  /** The reported state changed. */
  readonly onChange: () => void;
}

type Progress = NonNullable<ModelState['update']>;

/**
 * One model's way from an assignment into service in one place: carries out what `planSlots` says. What serves changes
 * only after the slots have recorded it durably.
 */
export class ModelUpdate {
  readonly #deps: ModelUpdateDependencies;
  #progress: Progress | null = null;
  /** The version whose way into service was reported as begun. */
  #started: string | undefined;
  #chunksFetched = 0;
  /** What was last reported as failed, so that a retry does not report it again. */
  #reported: string | undefined;

  constructor(deps: ModelUpdateDependencies) {
    this.#deps = deps;
  }

  get state(): ModelState {
    const { slots, place } = this.#deps;
    const { active } = slots.state;
    const { serving } = place;
    const release =
      active === null
        ? null
        : {
            version: active.version,
            releaseSha256: active.releaseSha256,
            phase: active.phase,
          };
    return {
      active: release === null || serving === undefined ? null : { ...release, ...serving },
      update: this.#progress ?? this.#refusal(),
    };
  }

  /** What the slots remember of a release that was refused or rolled back, also in an earlier life. */
  #refusal(): Progress | null {
    const { refused } = this.#deps.slots.state;
    if (refused === null) return null;
    const { version, reason } = refused;
    return { version, phase: 'refused', chunksPresent: 0, chunksTotal: 0, reason };
  }

  /** At the agent's start: the active release into service; one that has become unsound makes way. */
  async start(): Promise<void> {
    const { slots, place, model, clock, logger } = this.#deps;
    let failures = 0;
    for (let round = 0; round < MAX_PLAN_ROUNDS && slots.state.active !== null; round++) {
      const { version } = slots.state.active;
      try {
        await place.reopen(await slots.read('active'));
        return;
      } catch (error) {
        const reason = errorCode(error);
        if (reason === undefined || !place.verdicts.has(reason)) throw error;
        failures += 1;
        if (place.mayPass.has(reason) && failures < MAX_START_TRIES) {
          logger.warn(`${model}/${version} did not start: ${errorMessage(error)}; once more`);
          await clock.sleep(START_PAUSE_MS);
          continue;
        }
        failures = 0;
        logger.error(`${model}/${version} is unsound: ${errorMessage(error)}`);
        await slots.rollback(reason);
        await this.#report('update-rolled-back', version, { reason, message: errorMessage(error) });
      }
    }
  }

  /**
   * Brings the model to its target, or finds that it is there, or refused.
   * @throws what stopped it; reported already
   */
  bringTo(target: SlotTarget, trusted: TrustedReleases, signal: AbortSignal): Promise<void> {
    return this.#towards(target, trusted, signal);
  }

  /** Whether `bringTo` has anything to do. */
  needs(target: SlotTarget): boolean {
    const { slots } = this.#deps;
    return planSlots(slots.state, target, { stored: slots.stored }).length > 0;
  }

  /** `bringTo` has nothing to do: what was said on the way is over, a refusal is not. */
  isThere(): void {
    if (this.#deps.slots.state.refused === null) this.#progress = null;
    this.#reported = undefined;
    this.#started = undefined;
  }

  /** Goes on with a candidate whose files are here, whether or not the broker is. @throws as `bringTo` */
  async finish(signal: AbortSignal): Promise<void> {
    const { candidate } = this.#deps.slots.state;
    if (candidate !== null) await this.#towards(candidate, undefined, signal);
  }

  /** The release is not to be tried here now; reported once. */
  async hold({ version }: SlotTarget, reason: string, message: string): Promise<void> {
    if (this.#progress?.phase === 'held' && this.#progress.version === version) return;
    this.#advance({ version, phase: 'held', chunksPresent: 0, chunksTotal: 0, reason });
    await this.#report('update-held', version, { reason, message });
  }

  async #towards(
    target: SlotTarget,
    trusted: TrustedReleases | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    const { slots, place, onChange } = this.#deps;
    let gate: SlotFacts['gate'];
    try {
      for (let round = 0; round < MAX_PLAN_ROUNDS; round++) {
        const facts: SlotFacts = { stored: slots.stored, ...(gate === undefined ? {} : { gate }) };
        const steps = planSlots(slots.state, target, facts);
        if (steps.length === 0) break;
        for (const step of steps) {
          signal.throwIfAborted();
          gate = (await this.#carryOut(step, target, trusted, signal)) ?? gate;
        }
      }
      this.isThere();
    } catch (error) {
      if (signal.aborted) throw error;
      await this.#failed(target.version, error);
      throw error;
    } finally {
      await place.dropGated();
      onChange();
    }
  }

  /** Counts what was seen of a release in service towards its probation. */
  async count(releaseSha256: string, { good, bad }: ProbationCounts): Promise<void> {
    const { slots, onChange } = this.#deps;
    const { active } = slots.state;
    if (active === null || active.releaseSha256 !== releaseSha256) return;
    const verdict = await slots.countInferences({ good, bad });
    if (verdict === 'go-on') return;
    if (verdict === 'commit') await this.#report('update-committed', active.version);
    else {
      await this.#report('update-rolled-back', active.version, { reason: 'probation-failed' });
      await this.#serveActive();
    }
    onChange();
  }

  async #carryOut(
    step: SlotStep,
    target: SlotTarget,
    trusted: TrustedReleases | undefined,
    signal: AbortSignal,
  ): Promise<SlotFacts['gate']> {
    const { slots, place, transfers } = this.#deps;
    const { version } = target;
    switch (step.kind) {
      case 'install':
        await transfers.run(() => this.#install(target, trusted, signal), signal);
        return undefined;
      case 'gate': {
        const verdict = await this.#gate(version, signal);
        return { releaseSha256: step.releaseSha256, verdict };
      }
      case 'activate':
        await slots.carryOut(step);
        await place.takeOver();
        await this.#report('update-activated', version, this.#chunkCounts());
        return undefined;
      case 'withdraw':
        await slots.carryOut(step);
        await this.#serveActive();
        return undefined;
      default:
        await slots.carryOut(step);
        return undefined;
    }
  }

  async #install(
    target: SlotTarget,
    trusted: TrustedReleases | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    const { slots, store, place, model } = this.#deps;
    const { version, releaseSha256 } = target;
    const released = trusted?.releaseTarget(model, version);
    if (released === undefined) {
      throw new DunlinError(`${model}/${version} is assigned, and not among the signed releases`, {
        code: 'release-missing',
      });
    }
    if (released.sha256 !== releaseSha256) {
      throw new DunlinError(`${model}/${version}: assignment and release do not mean the same`, {
        code: 'digest-mismatch',
      });
    }
    if (this.#started !== version) await this.#report('update-started', version);
    this.#started = version;
    this.#progress = { version, phase: 'fetching', chunksPresent: 0, chunksTotal: 0 };
    const transfer = new TransferCount((present, fetched, total) => {
      this.#chunksFetched = fetched;
      this.#advance({ version, phase: 'fetching', chunksPresent: present, chunksTotal: total });
    });
    const options = { store, source: this.#deps.source, signal };
    const bytes = await fetchDocument({
      target: released,
      ...options,
      onProgress: transfer.next(released.chunks.length),
    });
    const document = parseJson(ReleaseDocument, bytes, 'release.json', 'metadata-malformed');
    const artifacts = await this.#fromSiblings(releaseSha256, place.artifactNames(document));
    const names = place.artifactNames(document).filter((name) => !artifacts.has(name));
    transfer.expect(names.map((name) => document.artifacts[name]!.chunks.length));
    for (const name of names) {
      const artifact = document.artifacts[name]!;
      const onProgress: FetchOptions['onProgress'] = transfer.next(artifact.chunks.length);
      artifacts.set(name, await fetchArtifact({ artifact, ...options, onProgress }));
    }
    await slots.install({ document: bytes, releaseSha256, artifacts });
    await store.prune(new Set());
  }

  /** Files that the same release has in another's slots need not come again; `Slots.install` checks them. */
  async #fromSiblings(
    releaseSha256: string,
    names: readonly string[],
  ): Promise<Map<string, Uint8Array>> {
    const found = new Map<string, Uint8Array>();
    for (const sibling of this.#deps.siblings()) {
      const stored = await sibling.find(releaseSha256);
      for (const name of names) {
        const bytes = stored?.artifacts.get(name);
        if (bytes !== undefined) found.set(name, bytes);
      }
    }
    return found;
  }

  async #gate(version: string, signal: AbortSignal): Promise<'passed' | ErrorCode> {
    const { slots, place } = this.#deps;
    this.#advance({ ...this.#countsOf(version), phase: 'gating' });
    try {
      await place.gate(await slots.read('candidate'), signal);
      return 'passed';
    } catch (error) {
      const reason = errorCode(error);
      if (reason === undefined || !place.verdicts.has(reason)) throw error;
      const message = errorMessage(error);
      this.#advance({ ...this.#countsOf(version), phase: 'refused', reason });
      await this.#report('update-refused', version, { reason, message, ...this.#chunkCounts() });
      return reason;
    }
  }

  async #failed(version: string, error: unknown): Promise<void> {
    const reason = errorCode(error) ?? 'transfer-failed';
    const message = errorMessage(error);
    this.#deps.logger.warn(`update to ${version} failed: ${message}`, { reason });
    this.#progress = { ...this.#countsOf(version), phase: 'failed', reason };
    const key = `${version} ${reason}`;
    if (this.#reported === key) return;
    this.#reported = key;
    await this.#report('update-failed', version, { reason, message, ...this.#chunkCounts() });
  }

  async #serveActive(): Promise<void> {
    const { slots, place } = this.#deps;
    if (slots.state.active === null) await place.rest();
    else await this.start();
  }

  #advance(progress: Progress): void {
    this.#progress = progress;
    this.#deps.onChange();
  }

  #countsOf(version: string): Progress {
    const { chunksPresent = 0, chunksTotal = 0 } = this.#progress ?? {};
    return { version, phase: 'fetching', chunksPresent, chunksTotal };
  }

  #chunkCounts(): { chunksFetched: number; chunksTotal: number } {
    return { chunksFetched: this.#chunksFetched, chunksTotal: this.#progress?.chunksTotal ?? 0 };
  }

  #report(name: EventName, version: string, details: EventDetails = {}): Promise<void> {
    const { reporter, model, microcontroller } = this.#deps;
    const where = microcontroller === undefined ? {} : { microcontroller };
    return reporter.event(name, { model: { model, version }, ...where, ...details });
  }
}

/** Adds up the chunks of the transfers that make one update. */
class TransferCount {
  readonly #report: (present: number, fetched: number, total: number) => void;
  #expected = 0;
  #presentBefore = 0;
  #fetchedBefore = 0;

  constructor(report: (present: number, fetched: number, total: number) => void) {
    this.#report = report;
  }

  /** Chunk counts of the transfers to come. */
  expect(chunkCounts: readonly number[]): void {
    this.#expected = chunkCounts.reduce((sum, count) => sum + count, this.#presentBefore);
  }

  /** The progress of the next transfer. */
  next(chunkCount: number): NonNullable<FetchOptions['onProgress']> {
    const present = this.#presentBefore;
    const fetched = this.#fetchedBefore;
    return ({ chunksPresent, chunksFetched }) => {
      this.#presentBefore = present + chunksPresent;
      this.#fetchedBefore = fetched + chunksFetched;
      this.#report(this.#presentBefore, this.#fetchedBefore, Math.max(this.#expected, chunkCount));
    };
  }
}
