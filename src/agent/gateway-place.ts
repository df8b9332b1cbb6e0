import { DunlinError, type ErrorCode } from '../core/index.ts';
import type { Reporting } from '../telemetry/index.ts';
import {
  CPU_ARTIFACT,
  EDGETPU_ARTIFACT,
  GOLDEN_ARTIFACT,
  type ReleaseDocument,
  type Slots,
  type StoredRelease,
} from '../update/index.ts';
import { ModelHost } from './model-host.ts';
import type { ModelLoader } from './model-loader.ts';
import type { Pipeline, WindowHost } from './pipeline.ts';
import type { Serving, ServingPlace } from './serving-place.ts';

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

export interface GatewayPlaceDependencies {
  readonly model: string;
  readonly slots: Slots;
  readonly loader: ModelLoader;
  readonly pipeline: Pipeline;
  readonly reporter: Reporting;
  /** The reported state changed. */
  readonly onChange: () => void;
}

/** This gateway's sandbox and its pipeline. The host that passed the gate is the very one that then serves. */
export class GatewayPlace implements ServingPlace {
  readonly verdicts = VERDICTS;
  readonly mayPass = MAY_PASS;
  readonly #deps: GatewayPlaceDependencies;
  /** Passed its gate and waits for its activation. */
  #gated: ModelHost | undefined;
  #replacing: Promise<void> | undefined;

  constructor(deps: GatewayPlaceDependencies) {
    this.#deps = deps;
  }

  get serving(): Serving | undefined {
    const { host } = this.#deps.pipeline;
    // None but hosts of the loader serve in this place.
    if (!(host instanceof ModelHost)) return undefined;
    return { variant: host.release.variant, path: host.path, reason: host.reason };
  }

  /** The CPU's variant always: it takes over when an Edge TPU is lost. */
  artifactNames(document: ReleaseDocument): readonly string[] {
    const { variant } = this.#deps.loader.chooseVariant(document);
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

  async gate(stored: StoredRelease): Promise<void> {
    this.#gated = await this.#deps.loader.gate(stored);
  }

  async takeOver(): Promise<void> {
    const host = this.#gated;
    this.#gated = undefined;
    if (host !== undefined) await this.#deps.pipeline.serve(host);
  }

  async dropGated(): Promise<void> {
    const host = this.#gated;
    this.#gated = undefined;
    await host?.close();
  }

  async reopen(stored: StoredRelease): Promise<void> {
    const { loader, pipeline } = this.#deps;
    await pipeline.serve(await loader.reopen(stored, { lost: false }));
  }

  rest(): Promise<void> {
    return this.#deps.pipeline.rest();
  }

  /** The Edge TPU is lost: the CPU takes over; windows that fail meanwhile ask for the same. */
  async edgeTpuLost(host: WindowHost): Promise<void> {
    const { pipeline, slots } = this.#deps;
    const { active } = slots.state;
    if (pipeline.host !== host || active?.releaseSha256 !== host.release.releaseSha256) return;
    this.#replacing ??= this.#replaceLost(host).finally(() => {
      this.#replacing = undefined;
    });
    await this.#replacing;
  }

  async #replaceLost(host: WindowHost): Promise<void> {
    const { slots, loader, pipeline, reporter, model, onChange } = this.#deps;
    const { version } = host.release.document;
    const next = await loader.reopen(await slots.read('active'), { lost: true });
    // An update was quicker.
    if (pipeline.host !== host) return await next.close();
    await pipeline.serve(next);
    onChange();
    await reporter.event('inference-failed', { model: { model, version }, reason: next.reason });
  }
}
