import { DunlinError, Random } from '../../core/index.ts';
import type { TfliteModel } from '../../tflite/index.ts';
import type { FloatModel } from '../float-model.ts';
import type { Samples } from '../measure/sample-runs.ts';
import {
  chooseMasks,
  maskedWeights,
  type PrunableWeights,
  type PruneScope,
} from '../prune/weights.ts';
import { WEIGHT_HIGH } from '../quantize/affine.ts';
import type { Training } from '../report-document.ts';
import {
  type Checkpoint,
  type CheckpointStore,
  readCheckpoint,
  writeCheckpoint,
} from './checkpoint.ts';
import { Descent } from './descent.ts';
import type { Target } from './loss.ts';
import type { Network } from './network.ts';
import type { Parameter } from './parameter.ts';
import { pause } from './pause.ts';
import {
  BATCH_SAMPLES,
  learningRateAt,
  prunedFrom,
  quantizedFrom,
  settledFrom,
  sparsityAt,
  type TrainingPlan,
} from './plan.ts';
import type { LabelledSamples, Lesson } from './shard.ts';
import { ShardTeam } from './team.ts';
import type { Grid } from './tensor.ts';

/** Fewer samples are learned by heart. */
export const LEAST_TRAINING_SAMPLES = 32;
/** Of the samples, one in so many is kept for validation. */
const VALIDATION_EVERY = 10;
const NOTE_EVERY_STEPS = 50;
/** Notes without an improvement, once it has settled, after which no more is to be had. */
const PATIENCE_NOTES = 12;
const LEAST_IMPROVEMENT = 0.002;
const CHECKPOINT_EVERY_STEPS = 250;

export interface TrainingRequest {
  readonly teacher: FloatModel;
  readonly student: FloatModel;
  readonly targets: readonly Target[];
  readonly samples: Samples;
  readonly labels: Int32Array | undefined;
  /** Whether samples are varied. */
  readonly augment: boolean;
  readonly plan: TrainingPlan;
  readonly seed: number;
  /** Of the student; none where nothing is pruned. */
  readonly prunable: readonly PrunableWeights[];
  readonly scope: PruneScope;
  /** Steps to each side of zero that weights have once they are int8, where that is less than they could: by tensor. */
  readonly weightSteps: ReadonlyMap<number, number>;
  /** What the activations of a float model can say once they are int8. */
  readonly gridsOf: (model: TfliteModel) => Promise<ReadonlyMap<number, Grid>>;
  readonly threads: number;
  readonly checkpoint?: CheckpointStore;
  readonly signal: AbortSignal;
  readonly onProgress: (done: number, loss: number) => void;
}

export interface Trained {
  /** The student as it was learned. */
  readonly learned: TfliteModel;
  /** The same with its weights on int8's steps; equal where int8 was not simulated. */
  readonly rounded: TfliteModel;
  readonly training: Training;
}

/**
 * Trains a model to do what another does, while its least weights become zero and, in the end, int8 is simulated. Equal
 * requests give equal weights, to the bit, on any number of threads, whether or not a run was interrupted.
 * @throws `input-invalid` for too few samples and where the loss is no number any more, `model-unsupported`,
 *   `model-too-large`; the signal's reason, after a checkpoint
 */
export async function train(request: TrainingRequest): Promise<Trained> {
  checkSampleCount(request.student, request.samples.count);
  const run = new TrainingRun(request);
  try {
    return await run.finish();
  } finally {
    await run.close();
  }
}

/** @throws `input-invalid` for fewer samples than can be learned from */
export function checkSampleCount({ what, subgraph }: FloatModel, count: number): void {
  if (count >= LEAST_TRAINING_SAMPLES) return;
  throw new DunlinError(
    `${what}: ${count} calibration samples are too few to train its ${subgraph.operators.length} layers with: ` +
      `give at least ${LEAST_TRAINING_SAMPLES}, better some hundreds, or leave --finetune out`,
    { code: 'input-invalid' },
  );
}

class TrainingRun {
  readonly #request: TrainingRequest;
  readonly #team: ShardTeam;
  readonly #network: Network;
  readonly #validation: LabelledSamples;
  readonly #descent: Descent;
  readonly #curve: Training['curve'] = [];
  #step = 0;
  #grids: ReadonlyMap<number, Grid> | undefined;
  #loss = { sum: 0, steps: 0 };

  constructor(request: TrainingRequest) {
    this.#request = request;
    const { learning, validation } = splitSamples(request);
    const lesson: Lesson = { ...request, ...learning };
    this.#validation = validation;
    this.#team = new ShardTeam(lesson, request.threads);
    this.#network = this.#team.runner.student;
    this.#team.runner.addMoments(learning.samples);
    this.#descent = new Descent(this.#network);
  }

  async finish(): Promise<Trained> {
    const { plan, onProgress } = this.#request;
    await this.#resume();
    let stopped: Training['stopped'] = 'steps';
    while (this.#step < plan.steps) {
      // Before anything else: a run that goes on from here has to stop here too.
      if (this.#isOnPlateau()) {
        stopped = 'plateau';
        break;
      }
      await this.#learnOrSave();
      onProgress(this.#step, this.#curve.at(-1)?.loss ?? this.#loss.sum / this.#loss.steps);
      if (this.#step % CHECKPOINT_EVERY_STEPS === 0) await this.#save();
    }
    const { samples, labels, seed } = this.#request;
    this.#refresh();
    return {
      learned: withParameters(this.#network, ({ learned, mask }) =>
        maskedWeights(learned.floats, mask),
      ),
      rounded: withParameters(this.#network, ({ values }) => values.floats),
      training: {
        samples: samples.count,
        labelled: labels !== undefined,
        batch: BATCH_SAMPLES,
        seed,
        steps: this.#step,
        plannedSteps: plan.steps,
        stopped,
        curve: this.#curve,
      },
    };
  }

  close(): Promise<void> {
    return this.#team.close();
  }

  async #learnOrSave(): Promise<void> {
    const { signal } = this.#request;
    try {
      await pause(signal);
      await this.#learn();
    } catch (error) {
      // A step changes nothing that the next attempt would not find before it has all its gradients.
      if (signal.aborted) await this.#save();
      throw error;
    }
  }

  async #learn(): Promise<void> {
    const { plan } = this.#request;
    this.#prune();
    if (this.#step === quantizedFrom(plan)) {
      this.#refresh();
      const learned = withParameters(this.#network, ({ values }) => values.floats);
      this.#startRounding(await this.#request.gridsOf(learned));
    }
    this.#refresh();
    const loss = await this.#team.learn(this.#step);
    if (!Number.isFinite(loss)) this.#refuseLoss(loss);
    this.#loss.sum += loss;
    this.#loss.steps += 1;
    this.#descent.step(this.#step, learningRateAt(plan, this.#step));
    this.#step += 1;
    if (this.#step % NOTE_EVERY_STEPS === 0 || this.#step === plan.steps) this.#note();
  }

  #refuseLoss(loss: number): never {
    const { plan, student } = this.#request;
    throw new DunlinError(
      `${student.what}: training diverged: the loss is ${loss} after ${this.#step} steps; give less than ` +
        `${plan.learningRate} as --learning-rate`,
      { code: 'input-invalid' },
    );
  }

  /**
   * Chooses the weights to prune, at every step: those that are go on learning, and one that has grown comes back
   * before its jump could hurt (T. Lin et al. 2020, "Dynamic Model Pruning with Feedback"). Then they stay as they are.
   */
  #prune(): void {
    const { plan, prunable, scope } = this.#request;
    if (plan.sparsity === 0 || this.#step > prunedFrom(plan)) return;
    const parameters = this.#prunableParameters();
    const layers = parameters.map(({ learned }, place) => ({
      values: learned.floats,
      importance: prunable[place]!.importance,
    }));
    const masks = chooseMasks(layers, sparsityAt(plan, this.#step), scope);
    for (const [place, { mask }] of parameters.entries()) mask.set(masks[place]!);
  }

  #prunableParameters(): Parameter[] {
    return this.#request.prunable.map(
      ({ tensor }) => this.#network.parameters.find((parameter) => parameter.tensor === tensor)!,
    );
  }

  #startRounding(grids: ReadonlyMap<number, Grid>): void {
    this.#grids = grids;
    this.#team.roundTo(grids);
    for (const parameter of this.#network.parameters) {
      parameter.roundTo(this.#request.weightSteps.get(parameter.tensor) ?? WEIGHT_HIGH);
    }
  }

  #refresh(): void {
    for (const parameter of this.#network.parameters) parameter.refresh();
  }

  #note(): void {
    const { plan } = this.#request;
    this.#refresh();
    const validationLoss = this.#team.runner.validate(this.#validation);
    if (!Number.isFinite(validationLoss)) this.#refuseLoss(validationLoss);
    this.#curve.push({
      step: this.#step,
      loss: round(this.#loss.sum / this.#loss.steps),
      validationLoss: round(validationLoss),
      sparsity: plan.sparsity === 0 ? 0 : round(sparsityAt(plan, this.#step - 1)),
      quantized: this.#grids !== undefined,
    });
    this.#loss = { sum: 0, steps: 0 };
  }

  /** Looks at the notes alone, so that a run that goes on from a checkpoint stops where it would have. */
  #isOnPlateau(): boolean {
    const { plan } = this.#request;
    if (this.#step % NOTE_EVERY_STEPS !== 0) return false;
    const notes = this.#curve.filter(({ step }) => step > settledFrom(plan));
    if (notes.length <= PATIENCE_NOTES) return false;
    const least = (points: typeof notes): number =>
      Math.min(...points.map(({ loss, validationLoss = loss }) => validationLoss));
    const before = least(notes.slice(0, -PATIENCE_NOTES));
    return least(notes.slice(-PATIENCE_NOTES)) > before * (1 - LEAST_IMPROVEMENT);
  }

  async #resume(): Promise<void> {
    const { checkpoint } = this.#request;
    const { plan } = this.#request;
    const saved = checkpoint && (await readCheckpoint(checkpoint, this.#network, plan));
    if (saved === undefined) return;
    this.#step = saved.step;
    this.#loss = { ...saved.loss };
    this.#curve.push(...saved.curve);
    if (saved.grids !== undefined) this.#startRounding(new Map(saved.grids));
  }

  async #save(): Promise<void> {
    const { checkpoint, plan } = this.#request;
    if (checkpoint === undefined) return;
    // Grids of a step that came to nothing are made again.
    const grids = this.#step > quantizedFrom(plan) ? this.#grids : undefined;
    const state: Checkpoint = {
      step: this.#step,
      loss: this.#loss,
      curve: this.#curve,
      ...(grids === undefined ? {} : { grids: [...grids] }),
    };
    await writeCheckpoint(checkpoint, state, this.#network);
  }
}

const round = (value: number): number => Number(value.toPrecision(6));

/**
 * One of every ten samples says how well what was learned holds for others: a random one, since classes may come in
 * turn.
 */
function splitSamples({ samples, labels, seed }: TrainingRequest) {
  const random = new Random(seed);
  const learning: number[] = [];
  const validation: number[] = [];
  for (let from = 0; from < samples.count; from += VALIDATION_EVERY) {
    const held = from + random.integer(VALIDATION_EVERY);
    const until = Math.min(from + VALIDATION_EVERY, samples.count);
    for (let index = from; index < until; index++) {
      (index === held ? validation : learning).push(index);
    }
  }
  const pick = (chosen: readonly number[]): LabelledSamples => ({
    samples: { count: chosen.length, at: (index) => samples.at(chosen[index]!) },
    labels: labels && Int32Array.from(chosen, (index) => labels[index]!),
  });
  return { learning: pick(learning), validation: pick(validation) };
}

/** The float model with other values for its parameters. */
function withParameters(
  { float, parameters }: Network,
  valuesOf: (parameter: Parameter) => Float32Array,
): TfliteModel {
  const buffers = [...float.model.buffers];
  const tensors = [...float.subgraph.tensors];
  for (const parameter of parameters) {
    const data = new Uint8Array(Float32Array.from(valuesOf(parameter)).buffer);
    // Another tensor may have the same bytes.
    tensors[parameter.tensor] = { ...tensors[parameter.tensor]!, buffer: buffers.push(data) - 1 };
  }
  return { ...float.model, buffers, subgraphs: [{ ...float.subgraph, tensors }] };
}
