import { type Clock, DunlinError, errorCode, errorMessage, type Logger } from '../core/index.ts';
import {
  chooseVariant,
  type DelegateLibrary,
  type EdgeTpu,
  type EdgeTpuUse,
  type ExecutionPath,
  type LoadedModel,
  Sandbox,
  type SandboxLimits,
  useEdgeTpu,
  type VariantChoice,
} from '../inference/index.ts';
import { logitsFile } from '../tflite/index.ts';
import {
  CPU_ARTIFACT,
  EDGETPU_ARTIFACT,
  GOLDEN_ARTIFACT,
  type ReleaseDocument,
  type StoredRelease,
} from '../update/index.ts';
import {
  behindSoftmax,
  checkGolden,
  checkLatency,
  type GoldenVectors,
  goldenVectors,
} from './golden-gate.ts';
import { type HostChoice, ModelHost } from './model-host.ts';

export interface ModelLoaderOptions {
  readonly path: 'auto' | ExecutionPath;
  readonly limits: Partial<SandboxLimits>;
  /** Looked up anew each time: an Edge TPU can be plugged in and out. */
  readonly findEdgeTpu: () => { edgeTpus: EdgeTpu[]; delegate: DelegateLibrary | undefined };
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Makes a model host of a stored release: chooses the variant, starts the sandbox, runs the gate. */
export class ModelLoader {
  readonly #options: ModelLoaderOptions;

  constructor(options: ModelLoaderOptions) {
    this.#options = options;
  }

  /** The variant of a release that would serve; a configuration that insists on a CPU's path has its way. */
  chooseVariant({ artifacts }: ReleaseDocument, lost = false): VariantChoice {
    const { path, findEdgeTpu } = this.#options;
    const mayUse = path === 'auto' || path === 'edgetpu';
    const hasEdgeTpuVariant = mayUse && artifacts[EDGETPU_ARTIFACT] !== undefined;
    return chooseVariant({ hasEdgeTpuVariant, lost, ...findEdgeTpu() });
  }

  /**
   * The gate of an update: golden outputs on the path that would serve, and the latency budget.
   * @throws `golden-mismatch`, `latency-over-budget`, what Sandbox.load throws
   */
  gate(stored: StoredRelease): Promise<ModelHost> {
    return this.#open(stored, { checksLatency: true, lost: false });
  }

  /**
   * A release that passed its gate earlier, at a start or after the Edge TPU went away. The golden outputs are checked
   * again, for the path may be another one; where XNNPACK has become wrong, the stock kernels take over.
   * @throws as `gate`, but for the latency
   */
  async reopen(stored: StoredRelease, { lost }: { readonly lost: boolean }): Promise<ModelHost> {
    try {
      return await this.#open(stored, { checksLatency: false, lost });
    } catch (error) {
      if (this.#options.path !== 'auto' || errorCode(error) !== 'golden-mismatch') throw error;
      this.#options.logger.warn(`${errorMessage(error)}; trying the stock path`);
      return await this.#open(stored, { checksLatency: false, lost: true }, 'stock');
    }
  }

  /** On the Edge TPU where that can be; else, unless the configuration insists, on the CPU. */
  async #open(
    stored: StoredRelease,
    { checksLatency, lost }: { readonly checksLatency: boolean; readonly lost: boolean },
    path = this.#options.path,
  ): Promise<ModelHost> {
    const choice = this.#choiceFor(stored, lost);
    try {
      return await this.#openVariant(stored, choice, checksLatency, path);
    } catch (error) {
      const failed = choice.variant === 'edgetpu' && errorCode(error) === 'edgetpu-unavailable';
      if (!failed || path === 'edgetpu') throw error;
      this.#options.logger.warn(`${errorMessage(error)}; the CPU takes over`);
      const { phase } = (error as DunlinError).context;
      const reason = phase === 'infer' ? 'edgetpu-lost' : 'edgetpu-delegate-unusable';
      return await this.#openVariant(stored, { variant: 'cpu', reason }, checksLatency, path);
    }
  }

  #choiceFor({ document, artifacts }: StoredRelease, lost: boolean): HostChoice {
    const choice = this.chooseVariant(document, lost);
    const isThere = choice.variant === 'cpu' || artifacts.has(EDGETPU_ARTIFACT);
    return isThere ? choice : { variant: 'cpu', reason: 'edgetpu-not-installed' };
  }

  async #openVariant(
    stored: StoredRelease,
    choice: HostChoice,
    checksLatency: boolean,
    path: 'auto' | ExecutionPath,
  ): Promise<ModelHost> {
    const { document, release, artifacts } = stored;
    const onEdgeTpu = choice.variant === 'edgetpu';
    const bytes = artifacts.get(onEdgeTpu ? EDGETPU_ARTIFACT : CPU_ARTIFACT);
    const golden = artifacts.get(GOLDEN_ARTIFACT);
    if (bytes === undefined || golden === undefined) {
      throw new DunlinError(`release ${document.version} has no model for this device`, {
        code: 'release-missing',
      });
    }
    const load = (model: Uint8Array): Promise<Sandbox> =>
      this.#load(model, `${document.model}/${document.version}`, onEdgeTpu, path);
    const logits = document.golden.on === 'logits' ? logitsFile(bytes, 'model') : undefined;
    let vectors: GoldenVectors | undefined;
    if (logits !== undefined) {
      vectors = await closing(await load(logits), async (sandbox) => {
        const found = goldenVectors(document, golden, sandbox.path);
        await checkGolden(sandbox, found);
        return found;
      });
    }
    const sandbox = await load(bytes);
    try {
      vectors ??= await this.#checkOutput(sandbox, stored, golden);
      if (checksLatency) await checkLatency(sandbox, vectors, document.golden.latencyBudgetUs);
      const { releaseSha256 } = release;
      return new ModelHost(
        { document, releaseSha256, variant: choice.variant, variantReason: choice.reason },
        sandbox,
      );
    } catch (error) {
      await sandbox.close();
      throw error;
    }
  }

  async #checkOutput(
    sandbox: Sandbox,
    { document }: StoredRelease,
    golden: Uint8Array,
  ): Promise<GoldenVectors> {
    const found = goldenVectors(document, golden, sandbox.path);
    const vectors = document.golden.on === 'logits' ? behindSoftmax(found) : found;
    await checkGolden(sandbox, vectors);
    return vectors;
  }

  #load(
    model: Uint8Array,
    what: string,
    onEdgeTpu: boolean,
    path: 'auto' | ExecutionPath,
  ): Promise<Sandbox> {
    const { findEdgeTpu, limits, clock, logger } = this.#options;
    const { edgeTpus, delegate } = findEdgeTpu();
    const device: EdgeTpuUse | undefined = onEdgeTpu ? useEdgeTpu(edgeTpus, delegate) : undefined;
    return Sandbox.load({
      ...{ model, what, limits, clock, logger },
      path: onEdgeTpu ? 'edgetpu' : path,
      ...(device === undefined ? {} : { device }),
    });
  }
}

async function closing<T>(
  model: LoadedModel,
  work: (model: LoadedModel) => Promise<T>,
): Promise<T> {
  try {
    return await work(model);
  } finally {
    await model.close();
  }
}
