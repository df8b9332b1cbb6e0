import { DunlinError, sha256Hex } from '../core/index.ts';
import { elementCount, serializeModel, type TfliteModel } from '../tflite/index.ts';
import { type Calibration, calibrate } from './calibrate/calibrate.ts';
import { type FloatModel, openFloatModel } from './float-model.ts';
import type { Samples } from './measure/sample-runs.ts';
import {
  chooseChannels,
  removeChannels,
  removeDeadChannels,
  weightImportance,
} from './prune/channels/index.ts';
import { measureSensitivity } from './prune/sensitivity.ts';
import {
  chooseMasks,
  layersToPrune,
  maskedWeights,
  type PrunableWeights,
  prunableWeights,
} from './prune/weights.ts';
import { INT8_HIGH, INT8_LOW } from './quantize/affine.ts';
import { quantizeInt8 } from './quantize/quantize-int8.ts';
import type { Pruning, Training } from './report-document.ts';
import type { OptimizeRequest } from './request.ts';
import type { CheckpointStore } from './train/checkpoint.ts';
import { Network } from './train/network.ts';
import { SHARD_SAMPLES } from './train/plan.ts';
import { resultOf, targetsOf } from './train/targets.ts';
import type { Grid } from './train/tensor.ts';
import { checkSampleCount, type Trained, train } from './train/trainer.ts';
import type { Change } from './variant-names.ts';

/** A float model after pruning and training. */
export interface ChangedModel {
  readonly change: Change;
  /** As float. */
  readonly float: FloatModel;
  /** To be made int8: its weights stand on int8's steps already, where it was trained for them. */
  readonly rounded: FloatModel;
  /** Steps to each side of zero of weights, by tensor, where they are fewer than int8 has. */
  readonly weightSteps: ReadonlyMap<number, number>;
  readonly pruning?: Pruning;
  readonly training?: Training;
}

/** A change that can be made, as far as can be known before the work. */
export interface PlannedChange {
  make(): Promise<ChangedModel>;
}

/**
 * What needs no calibration to be refused.
 * @throws `model-unsupported`, `model-too-large` where a model cannot be trained, `input-invalid` for too few samples
 */
export function checkTrainable(float: FloatModel, { settings, calibration }: OptimizeRequest) {
  if (settings.finetune === undefined) return;
  checkSampleCount(float, calibration[0]!.count);
  const { parameters } = new Network(float, SHARD_SAMPLES);
  if (parameters.length > 0) return;
  throw new DunlinError(`${float.what}: it has no weights to train; leave --finetune out`, {
    code: 'model-unsupported',
  });
}

/**
 * How a float model is pruned and trained, as the settings ask; undefined where they ask for neither.
 * @throws `model-unsupported` where there is nothing to prune, or not as much
 */
export function planChange(
  float: FloatModel,
  calibration: Calibration,
  samples: Samples,
  request: OptimizeRequest,
): PlannedChange | undefined {
  const { prune, finetune } = request.settings;
  if (prune === undefined && finetune === undefined) return undefined;
  return new Changing(float, calibration, samples, request);
}

class Changing implements PlannedChange {
  readonly #float: FloatModel;
  readonly #calibration: Calibration;
  readonly #samples: Samples;
  readonly #request: OptimizeRequest;
  /** What learns: the float model, or what is left of it once channels are gone. */
  readonly #student: FloatModel;
  /** Single weights; none where whole channels go. */
  readonly #prunable: readonly PrunableWeights[];

  constructor(
    float: FloatModel,
    calibration: Calibration,
    samples: Samples,
    request: OptimizeRequest,
  ) {
    this.#float = float;
    this.#calibration = calibration;
    this.#samples = samples;
    this.#request = request;
    const { prune } = request.settings;
    this.#student = prune?.structured ? this.#withFewerChannels(prune.share) : float;
    this.#prunable =
      prune !== undefined && !prune.structured ? prunableWeights(float, calibration) : [];
  }

  /** @throws `model-*`, `input-invalid` for training that diverges; the signal's reason; what inference throws */
  async make(): Promise<ChangedModel> {
    const { prune, finetune } = this.#request.settings;
    const bits = finetune?.weightBits;
    const weightSteps = new Map(
      bits === undefined
        ? []
        : this.#prunable.map(({ tensor }) => [tensor, 2 ** (bits - 1) - 1] as const),
    );
    const trained = finetune === undefined ? undefined : await this.#train(weightSteps);
    const learned = trained?.learned ?? this.#prunedAtOnce();
    const result = this.#open(learned);
    const rounded = trained === undefined ? result : this.#open(trained.rounded);
    return {
      change: prune === undefined ? 'trained' : 'pruned',
      float: withoutDeadChannels(result),
      rounded: withoutDeadChannels(rounded),
      weightSteps,
      ...(prune === undefined ? {} : { pruning: await this.#describe(result) }),
      ...(trained === undefined ? {} : { training: trained.training }),
    };
  }

  /** Tensors keep their places, so that what calibration saw still fits. */
  #withFewerChannels(share: number): FloatModel {
    const { model, what } = this.#float;
    const meanSquare = (tensor: number, channel: number): number =>
      this.#calibration.get(tensor)?.channelSquares[channel] ?? 1;
    const importanceOf = weightImportance(model, what, meanSquare);
    const { classes } = chooseChannels(model, what, { macsShare: 1 - share, importanceOf });
    return this.#open(removeChannels(model, what, classes));
  }

  async #train(weightSteps: ReadonlyMap<number, number>): Promise<Trained> {
    const { settings, calibrationLabels, threads, signal, checkpoint, onProgress } = this.#request;
    const { steps, learningRate, seed, augment } = settings.finetune!;
    const sparsity = this.#prunable.length === 0 ? 0 : settings.prune!.share;
    const quantized = settings.modes.some((mode) => mode !== 'float16');
    return train({
      teacher: this.#float,
      student: this.#student,
      targets: await targetsOf(this.#float, this.#student, this.#samples, signal),
      samples: this.#samples,
      labels: calibrationLabels,
      plan: { sparsity, quantized, steps, learningRate },
      seed,
      augment,
      prunable: this.#prunable,
      scope: settings.prune?.scope ?? 'layer',
      weightSteps,
      gridsOf: (model) => this.#gridsOf(model),
      threads: threads ?? 1,
      ...(checkpoint === undefined ? {} : { checkpoint: this.#ownCheckpoint(checkpoint) }),
      signal,
      onProgress: (done, loss) =>
        onProgress({ step: 'train', subject: this.#student.what, done, total: steps, loss }),
    });
  }

  /** Without training: what is left has not been made up for. */
  #prunedAtOnce(): TfliteModel {
    const { graph, model, subgraph } = this.#student;
    const { prune } = this.#request.settings;
    if (this.#prunable.length === 0) return model;
    const layers = this.#prunable.map(({ tensor, importance }) => ({
      values: graph.floats(graph.tensor(tensor)),
      importance,
    }));
    const masks = chooseMasks(layers, prune!.share, prune!.scope);
    const buffers = [...model.buffers];
    const tensors = [...subgraph.tensors];
    for (const [place, { tensor }] of this.#prunable.entries()) {
      const values = maskedWeights(layers[place]!.values, masks[place]!);
      const buffer = buffers.push(new Uint8Array(values.buffer)) - 1;
      tensors[tensor] = { ...tensors[tensor]!, buffer };
    }
    return { ...model, buffers, subgraphs: [{ ...subgraph, tensors }] };
  }

  /** What the activations of a float model say as int8: the steps of the variant that would be written now. */
  async #gridsOf(model: TfliteModel): Promise<ReadonlyMap<number, Grid>> {
    const settings = { ...this.#request.settings, fullyInt8: false };
    const float = this.#open(model);
    const run = { ...this.#request, onProgress: () => {}, onTrial: () => {} };
    const calibration = await calibrate(float, { ...run, samples: this.#samples });
    const { plan } = await quantizeInt8(float, calibration, this.#samples, settings, run);
    const computed = float.subgraph.operators.flatMap(({ outputs }, place) =>
      plan.operators[place]!.kind === 'int8' ? outputs : [],
    );
    const grids = new Map<number, Grid>();
    for (const tensor of [...float.subgraph.inputs, ...computed]) {
      const affine = plan.affines.get(tensor);
      if (affine === undefined) continue;
      const { scale, zeroPoint } = affine;
      grids.set(tensor, { scale, low: INT8_LOW - zeroPoint, high: INT8_HIGH - zeroPoint });
    }
    return grids;
  }

  async #describe(pruned: FloatModel): Promise<Pruning> {
    const prune = this.#request.settings.prune!;
    const all = prune.structured
      ? layersToPrune(this.#float, this.#calibration, 1)
      : this.#prunable;
    const sensitivity = await this.#sensitivity(all);
    const layers = all.map(({ tensor, layer }, place) => {
      const [before, after] = [this.#float.graph.tensor(tensor), pruned.graph.tensor(tensor)];
      const weights = elementCount(before.shape);
      const left = pruned.graph.floats(pruned.graph.tensor(tensor)).filter((value) => value !== 0);
      const channels = { before: before.shape[0]!, after: after.shape[0]! };
      return {
        ...{ layer, weights, zeros: weights - left.length },
        sensitivity: sensitivity?.[place] ?? [],
        ...(prune.structured ? { channels } : {}),
      };
    });
    const sum = (of: (layer: (typeof layers)[number]) => number): number =>
      layers.reduce((total, layer) => total + of(layer), 0);
    return {
      share: prune.share,
      structured: prune.structured,
      scope: prune.scope,
      prunableWeights: sum(({ weights }) => weights),
      zeroWeights: sum(({ zeros }) => zeros),
      layers,
    };
  }

  /** Undefined where the model cannot be run here: pruning alone does not depend on it. */
  async #sensitivity(layers: readonly PrunableWeights[]) {
    const { what } = this.#float;
    const { signal, onProgress } = this.#request;
    const note = { step: 'prune', subject: what, total: layers.length } as const;
    try {
      const result = resultOf(this.#float, 0);
      return await measureSensitivity(this.#float, layers, result, this.#samples, {
        signal,
        onLayer: (done) => onProgress({ ...note, done }),
      });
    } catch (error) {
      if (error instanceof DunlinError && error.code.startsWith('model-')) return undefined;
      throw error;
    }
  }

  /** A checkpoint is this run's where model, samples, labels and settings are the same. */
  #ownCheckpoint(store: CheckpointStore): CheckpointStore {
    const { model, calibration, calibrationLabels, settings, machine } = this.#request;
    const labels = calibrationLabels === undefined ? '' : calibrationLabels.join();
    const digests = [sha256Hex(model), ...calibration.map(({ sha256 }) => sha256)];
    const identity = [...digests, labels, JSON.stringify(settings), machine.dunlin].join('\n');
    const mark = Buffer.from(sha256Hex(Buffer.from(identity)));
    return {
      read: async () => {
        const bytes = await store.read();
        if (bytes === undefined || !mark.equals(bytes.subarray(0, mark.length))) return undefined;
        return bytes.slice(mark.length);
      },
      write: (bytes) => store.write(Buffer.concat([mark, bytes])),
    };
  }

  #open(model: TfliteModel): FloatModel {
    return openFloatModel(serializeModel(model), this.#float.what);
  }
}

/** The same results with fewer channels, where some say nothing. */
export function withoutDeadChannels(float: FloatModel): FloatModel {
  const { model, removed } = removeDeadChannels(float.model, float.what);
  return removed.length === 0 ? float : openFloatModel(serializeModel(model), float.what);
}
