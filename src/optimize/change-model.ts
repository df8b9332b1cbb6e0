import { sha256Hex } from '../core/index.ts';
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
import { chooseMasks, type PrunableWeights, prunableWeights } from './prune/weights.ts';
import { INT8_HIGH, INT8_LOW } from './quantize/affine.ts';
import { quantizeInt8 } from './quantize/quantize-int8.ts';
import type { Pruning, Training } from './report-document.ts';
import type { OptimizeRequest, Progress } from './request.ts';
import type { CheckpointStore } from './train/checkpoint.ts';
import type { Target } from './train/loss.ts';
import { targetsOf } from './train/targets.ts';
import type { Grid } from './train/tensor.ts';
import { train } from './train/trainer.ts';
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

/**
 * Prunes a float model and trains it, as the settings ask; undefined where they ask for neither.
 * @throws `model-unsupported`, `input-invalid`, `model-too-large`; what loading and inference throw
 */
export async function changeModel(
  float: FloatModel,
  calibration: Calibration,
  samples: Samples,
  request: OptimizeRequest,
): Promise<ChangedModel | undefined> {
  const { prune, finetune } = request.settings;
  if (prune === undefined && finetune === undefined) return undefined;
  return new Changing(float, calibration, samples, request).change();
}

class Changing {
  readonly #float: FloatModel;
  readonly #calibration: Calibration;
  readonly #samples: Samples;
  readonly #request: OptimizeRequest;

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
  }

  async change(): Promise<ChangedModel> {
    const { prune, finetune } = this.#request.settings;
    const student = prune?.structured ? this.#withFewerChannels(prune.share) : this.#float;
    const single = prune !== undefined && !prune.structured;
    const prunable = single ? prunableWeights(student, this.#calibration) : [];
    const steps =
      finetune === undefined || !single ? undefined : 2 ** (finetune.weightBits - 1) - 1;
    const weightSteps = new Map(
      steps === undefined ? [] : prunable.map(({ tensor }) => [tensor, steps] as const),
    );
    const targets = targetsOf(this.#float, student, this.#samples);
    const trained =
      finetune === undefined
        ? undefined
        : await this.#train(student, targets, prunable, weightSteps);
    const learned = trained?.learned ?? this.#prunedAtOnce(student, prunable);
    const [result, rounded] = [learned, trained?.rounded ?? learned].map((model) =>
      this.#open(model),
    );
    return {
      change: prune === undefined ? 'trained' : 'pruned',
      float: withoutDeadChannels(result!),
      rounded: withoutDeadChannels(rounded!),
      weightSteps,
      ...(prune === undefined ? {} : { pruning: this.#describe(result!, targets[0]!) }),
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

  #train(
    student: FloatModel,
    targets: readonly Target[],
    prunable: readonly PrunableWeights[],
    weightSteps: ReadonlyMap<number, number>,
  ) {
    const { settings, calibrationLabels, threads, signal, checkpoint, onProgress } = this.#request;
    const { steps, learningRate, seed, augment } = settings.finetune!;
    const share = prunable.length === 0 ? 0 : settings.prune!.share;
    const quantized = settings.modes.some((mode) => mode !== 'float16');
    return train({
      teacher: this.#float,
      student,
      targets,
      samples: this.#samples,
      labels: calibrationLabels,
      plan: { sparsity: share, quantized, steps, learningRate },
      seed,
      augment,
      prunable,
      scope: settings.prune?.scope ?? 'layer',
      weightSteps,
      gridsOf: (model) => this.#gridsOf(model),
      threads: threads ?? 1,
      ...(checkpoint === undefined ? {} : { checkpoint: this.#ownCheckpoint(checkpoint) }),
      signal,
      onProgress: (done, loss) =>
        onProgress({ step: 'train', subject: student.what, done, total: steps, loss }),
    });
  }

  /** Without training: what is left has not been made up for. */
  #prunedAtOnce(student: FloatModel, prunable: readonly PrunableWeights[]): TfliteModel {
    const { prune } = this.#request.settings;
    if (prunable.length === 0) return student.model;
    const { graph } = student;
    const layers = prunable.map(({ tensor, importance }) => ({
      values: graph.floats(graph.tensor(tensor)),
      importance,
    }));
    const masks = chooseMasks(layers, prune!.share, prune!.scope);
    const buffers = [...student.model.buffers];
    const tensors = [...student.subgraph.tensors];
    for (const [place, { tensor }] of prunable.entries()) {
      const values = layers[place]!.values.map((value, index) => value * masks[place]![index]!);
      const buffer = buffers.push(new Uint8Array(values.buffer)) - 1;
      tensors[tensor] = { ...tensors[tensor]!, buffer };
    }
    return { ...student.model, buffers, subgraphs: [{ ...student.subgraph, tensors }] };
  }

  /** What the activations of a float model say as int8: the steps of the variant that would be written now. */
  async #gridsOf(model: TfliteModel): Promise<ReadonlyMap<number, Grid>> {
    const { settings } = this.#request;
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

  #describe(pruned: FloatModel, target: Target): Pruning {
    const prune = this.#request.settings.prune!;
    const all = prunableWeights(this.#float, this.#calibration);
    const note = (done: number): void =>
      this.#request.onProgress({
        ...{ step: 'prune', subject: this.#float.what, done, total: all.length },
      } satisfies Progress);
    const sensitivity = measureSensitivity(this.#float, all, target, this.#samples, note);
    const layers = all.map(({ tensor, layer }, place) => {
      const [before, after] = [this.#float.graph.tensor(tensor), pruned.graph.tensor(tensor)];
      const weights = elementCount(before.shape);
      const left = pruned.graph.floats(pruned.graph.tensor(tensor)).filter((value) => value !== 0);
      const channels = { before: before.shape[0]!, after: after.shape[0]! };
      return {
        ...{ layer, weights, zeros: weights - left.length, sensitivity: sensitivity[place]! },
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
