import {
  type Clock,
  DunlinError,
  type ErrorCode,
  errorCode,
  errorMessage,
  type Logger,
  parseJson,
} from '../core/index.ts';
import type { EventDetails, EventName, ModelState, Reporter } from '../telemetry/index.ts';
import {
  type AssignedTarget,
  type BlockSource,
  type ChunkStore,
  CPU_ARTIFACT,
  EDGETPU_ARTIFACT,
  type FetchOptions,
  fetchArtifact,
  fetchDocument,
  GOLDEN_ARTIFACT,
  MAX_PLAN_ROUNDS,
  planSlots,
  ReleaseDocument,
  type SlotFacts,
  type SlotStep,
  type Slots,
  type TrustedMetadata,
} from '../update/index.ts';
import type { ModelHost } from './model-host.ts';
import type { ModelLoader } from './model-loader.ts';
import type { Pipeline } from './pipeline.ts';

/** What the gate says about a release, as opposed to what befell the gate. */
const VERDICTS: ReadonlySet<ErrorCode> = new Set([
  'golden-mismatch',
  'latency-over-budget',
  'model-malformed',
  'model-unsupported',
  'model-too-large',
  'inference-crashed',
  'inference-timeout',
  'inference-out-of-memory',
  'inference-refused',
  'release-missing',
]);

/** A busy or crowded machine does these to a sound release too. */
const MAY_PASS: ReadonlySet<ErrorCode> = new Set([
  'inference-crashed',
  'inference-timeout',
  'inference-out-of-memory',
]);
const MAX_START_TRIES = 3;
const START_PAUSE_MS = 500;

export interface ModelUpdateDependencies {
  readonly model: string;
  readonly slots: Slots;
  readonly store: ChunkStore;
  readonly source: BlockSource;
  readonly loader: ModelLoader;
  readonly pipeline: Pipeline;
  readonly reporter: Reporter;
  readonly clock: Clock;
  readonly logger: Logger;
  /** The reported state changed. */
  readonly onChange: () => void;
}

type Progress = NonNullable<ModelState['update']>;

/**
 * One model's way from an assignment into service: carries out what `planSlots` says. The model in service changes only
 * after the slots have recorded it durably; a host that passed the gate is the very one that then serves.
 */
export class ModelUpdate {
  readonly #deps: ModelUpdateDependencies;
  #progress: Progress | null = null;
  /** The version whose way into service was reported as begun. */
  #started: string | undefined;
  #chunksFetched = 0;
  /** Passed its gate and waits for its activation. */
  #gated: ModelHost | undefined;
  #replacing: Promise<void> | undefined;
  /** What was last reported as failed, so that a retry does not report it again. */
  #reported: string | undefined;

  constructor(deps: ModelUpdateDependencies) {
    this.#deps = deps;
  }

  get state(): ModelState {
    const { slots, pipeline } = this.#deps;
    const { active } = slots.state;
    const { host } = pipeline;
    return {
      active:
        active === null || host === undefined
          ? null
          : {
              version: active.version,
              releaseSha256: active.releaseSha256,
              phase: active.phase,
              variant: host.release.variant,
              path: host.path,
              reason: host.reason,
            },
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
    const { slots, loader, pipeline, model, clock, logger } = this.#deps;
    let failures = 0;
    for (let round = 0; round < MAX_PLAN_ROUNDS && slots.state.active !== null; round++) {
      const { version } = slots.state.active;
      try {
        await pipeline.serve(await loader.reopen(await slots.read('active'), { lost: false }));
        return;
      } catch (error) {
        const reason = errorCode(error);
        if (reason === undefined || !VERDICTS.has(reason)) throw error;
        failures += 1;
        if (MAY_PASS.has(reason) && failures < MAX_START_TRIES) {
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
  async bringTo(
    target: AssignedTarget,
    trusted: TrustedMetadata,
    signal: AbortSignal,
  ): Promise<void> {
    const { slots, onChange } = this.#deps;
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
      if (slots.state.refused === null) this.#progress = null;
      this.#reported = undefined;
      this.#started = undefined;
    } catch (error) {
      if (signal.aborted) throw error;
      await this.#failed(target.version, error);
      throw error;
    } finally {
      await this.#gated?.close();
      this.#gated = undefined;
      onChange();
    }
  }

  /** Counts an inference of the model in service towards its probation. */
  async inferred(host: ModelHost, error: unknown): Promise<void> {
    const { slots, onChange } = this.#deps;
    if (slots.state.active?.releaseSha256 !== host.release.releaseSha256) return;
    if (errorCode(error) === 'edgetpu-unavailable') return await this.#edgeTpuLost(host);
    const { version } = host.release.document;
    const verdict = await slots.countInference(error === undefined);
    if (verdict === 'go-on') return;
    if (verdict === 'commit') await this.#report('update-committed', version);
    else {
      await this.#report('update-rolled-back', version, { reason: 'probation-failed' });
      await this.#serveActive();
    }
    onChange();
  }

  async #carryOut(
    step: SlotStep,
    target: AssignedTarget,
    trusted: TrustedMetadata,
    signal: AbortSignal,
  ): Promise<SlotFacts['gate']> {
    const { slots, pipeline } = this.#deps;
    const { version } = target;
    switch (step.kind) {
      case 'install':
        await this.#install(target, trusted, signal);
        return undefined;
      case 'gate':
        return { releaseSha256: step.releaseSha256, verdict: await this.#gate(version) };
      case 'activate': {
        const host = this.#gated;
        this.#gated = undefined;
        await slots.carryOut(step);
        if (host !== undefined) await pipeline.serve(host);
        await this.#report('update-activated', version, this.#chunkCounts());
        return undefined;
      }
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
    target: AssignedTarget,
    trusted: TrustedMetadata,
    signal: AbortSignal,
  ): Promise<void> {
    const { slots, store, loader, model } = this.#deps;
    const { version, releaseSha256 } = target;
    const released = trusted.releaseTarget(model, version);
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
    const names = this.#artifactNames(document, loader.chooseVariant(document).variant);
    transfer.expect(names.map((name) => document.artifacts[name]!.chunks.length));
    const artifacts = new Map<string, Uint8Array>();
    for (const name of names) {
      const artifact = document.artifacts[name]!;
      const onProgress: FetchOptions['onProgress'] = transfer.next(artifact.chunks.length);
      artifacts.set(name, await fetchArtifact({ artifact, ...options, onProgress }));
    }
    await slots.install({ document: bytes, releaseSha256, artifacts });
    await store.prune(new Set());
  }

  /** The CPU's variant always: it takes over when an Edge TPU is lost. */
  #artifactNames(document: ReleaseDocument, variant: 'cpu' | 'edgetpu'): string[] {
    const names = [
      CPU_ARTIFACT,
      GOLDEN_ARTIFACT,
      ...(variant === 'edgetpu' ? [EDGETPU_ARTIFACT] : []),
    ];
    const absent = names.find((name) => document.artifacts[name] === undefined);
    if (absent === undefined) return names;
    throw new DunlinError(`release ${document.version} has no ${absent}`, {
      code: 'release-missing',
    });
  }

  async #gate(version: string): Promise<'passed' | ErrorCode> {
    const { slots, loader } = this.#deps;
    this.#advance({ ...this.#countsOf(version), phase: 'gating' });
    try {
      this.#gated = await loader.gate(await slots.read('candidate'));
      return 'passed';
    } catch (error) {
      const reason = errorCode(error);
      if (reason === undefined || !VERDICTS.has(reason)) throw error;
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

  /** The CPU takes over; windows that fail meanwhile ask for the same. */
  async #edgeTpuLost(host: ModelHost): Promise<void> {
    if (this.#deps.pipeline.host !== host) return;
    this.#replacing ??= this.#replaceLost(host).finally(() => {
      this.#replacing = undefined;
    });
    await this.#replacing;
  }

  async #replaceLost(host: ModelHost): Promise<void> {
    const { slots, loader, pipeline, onChange } = this.#deps;
    const { version } = host.release.document;
    const next = await loader.reopen(await slots.read('active'), { lost: true });
    // An update was quicker.
    if (pipeline.host !== host) return await next.close();
    await pipeline.serve(next);
    onChange();
    await this.#report('inference-failed', version, { reason: next.reason });
  }

  async #serveActive(): Promise<void> {
    const { slots, pipeline } = this.#deps;
    if (slots.state.active === null) await pipeline.rest();
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
    const { reporter, model } = this.#deps;
    return reporter.event(name, { model: { model, version }, ...details });
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
