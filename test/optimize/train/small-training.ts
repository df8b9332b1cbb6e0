import { createHash } from 'node:crypto';
import { type FloatModel, openFloatModel } from '../../../src/optimize/float-model.ts';
import type { Samples } from '../../../src/optimize/measure/sample-runs.ts';
import type { PrunableWeights } from '../../../src/optimize/prune/weights.ts';
import type { CheckpointStore } from '../../../src/optimize/train/checkpoint.ts';
import type { TrainingPlan } from '../../../src/optimize/train/plan.ts';
import { targetsOf } from '../../../src/optimize/train/targets.ts';
import type { Grid } from '../../../src/optimize/train/tensor.ts';
import { type Trained, type TrainingRequest, train } from '../../../src/optimize/train/trainer.ts';
import { serializeModel, type TfliteModel } from '../../../src/tflite/index.ts';
import { ModelBuilder } from '../../tflite/model-builder.ts';
import { RandomValues } from '../random-values.ts';

/** Inputs, two hidden layers, classes: a step takes a fraction of a millisecond. */
const [INPUTS, WIDE, DEEP, CLASSES] = [12, 40, 20, 4];
export const NO_SIGNAL: AbortSignal = new AbortController().signal;

/** A classifier of three dense layers. Weights are tensors 5, 7 and 9; 6, 8 and 10 are biases. */
export function smallClassifier(seed = 1): TfliteModel {
  const random = new RandomValues(seed);
  const b = new ModelBuilder();
  const activations = [INPUTS, WIDE, DEEP, CLASSES, CLASSES].map((width) => b.tensor([1, width]));
  for (const [place, width] of [WIDE, DEEP, CLASSES].entries()) {
    const depth = [INPUTS, WIDE, DEEP][place]!;
    const weights = b.tensor([width, depth], {
      data: random.normals(width * depth, depth ** -0.5),
    });
    const bias = b.tensor([width], { data: random.normals(width, 0.2) });
    b.operator('FULLY_CONNECTED', [activations[place]!, weights, bias], [activations[place + 1]!], {
      fusedActivationFunction: place < 2 ? 1 : 0,
    });
  }
  b.operator('SOFTMAX', [activations[3]!], [activations[4]!], { beta: 1 });
  return b.build([activations[0]!], [activations[4]!]);
}

export const openSmall = (model: TfliteModel): FloatModel =>
  openFloatModel(serializeModel(model), 'small.tflite');

export function smallSamples(count: number, seed = 2): Samples {
  const random = new RandomValues(seed);
  const values = Array.from({ length: count }, () => Float32Array.from(random.normals(INPUTS, 1)));
  return { count, at: (index) => [values[index]!] };
}

/** The first two layers: as the third they would be too small for the command line, and are not for training. */
function prunable(float: FloatModel): PrunableWeights[] {
  return [0, 1].map((place) => ({
    tensor: float.subgraph.operators[place]!.inputs[1]!,
    label: `operator ${place}`,
    layer: `layer ${place}`,
    importance: Float64Array.of(1),
  }));
}

/** Steps that depend on every weight, as real ones do: whoever goes on with other weights gets others. */
export async function gridsOf(model: TfliteModel): Promise<ReadonlyMap<number, Grid>> {
  const { graph, subgraph } = openSmall(model);
  const sum = subgraph.tensors
    .filter((tensor) => graph.isConstant(tensor))
    .reduce(
      (total, tensor) => total + graph.floats(tensor).reduce((a, b) => a + Math.abs(b), 0),
      0,
    );
  const scale = 2 ** -5 * (1 + sum / 1e4);
  return new Map([0, 1, 2, 3].map((index) => [index, { scale, low: -128, high: 127 }]));
}

/** Keeps every checkpoint that was written. */
export class CheckpointHistory implements CheckpointStore {
  readonly written: Uint8Array[] = [];

  constructor(...written: readonly Uint8Array[]) {
    this.written.push(...written);
  }

  async read(): Promise<Uint8Array | undefined> {
    return this.written.at(-1);
  }

  async write(bytes: Uint8Array): Promise<void> {
    this.written.push(bytes.slice());
  }
}

export interface Parts extends Partial<Omit<TrainingRequest, 'plan'>> {
  readonly plan?: Partial<TrainingPlan>;
}

/** A whole request; pruning and int8 only where asked for. */
export async function smallRequest({ plan, ...more }: Parts = {}): Promise<TrainingRequest> {
  const teacher = more.teacher ?? openSmall(smallClassifier());
  const student = more.student ?? teacher;
  const samples = more.samples ?? smallSamples(200);
  const whole = { sparsity: 0, quantized: false, steps: 100, learningRate: 0.03, ...plan };
  return {
    teacher,
    student,
    targets: await targetsOf(teacher, student, samples, NO_SIGNAL),
    samples,
    labels: undefined,
    plan: whole,
    seed: 1,
    prunable: whole.sparsity === 0 ? [] : prunable(student),
    scope: 'layer',
    weightSteps: new Map(),
    gridsOf,
    threads: 1,
    augment: true,
    signal: NO_SIGNAL,
    onProgress: () => {},
    ...more,
  };
}

export async function trainSmall(parts: Parts = {}): Promise<Trained> {
  return train(await smallRequest(parts));
}

/** Trains until so many steps are done. @returns whether that was before the end */
export async function trainUntil(step: number, parts: Parts): Promise<boolean> {
  const stop = new AbortController();
  const onProgress = (done: number): void => {
    if (done >= step) stop.abort(new Error('enough'));
  };
  if (step === 0) stop.abort(new Error('enough'));
  try {
    await trainSmall({ ...parts, signal: stop.signal, onProgress });
    return false;
  } catch (error) {
    if (error === stop.signal.reason) return true;
    throw error;
  }
}

/** Everything that came of a run, to the bit. */
export function digestOf({ learned, rounded, training }: Trained): string {
  const hash = createHash('sha256');
  for (const model of [learned, rounded]) hash.update(serializeModel(model));
  return hash.update(JSON.stringify(training)).digest('hex');
}

/** Weights of the prunable layers. */
export function prunedWeights(model: TfliteModel): Float32Array[] {
  const float = openSmall(model);
  return prunable(float).map(({ tensor }) => float.graph.floats(float.graph.tensor(tensor)));
}
