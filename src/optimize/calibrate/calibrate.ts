import { DunlinError } from '../../core/index.ts';
import { elementsOf, type LoadedModel } from '../../inference/index.ts';
import { elementCount, printable, serializeModel, type TfliteModel } from '../../tflite/index.ts';
import type { FloatModel } from '../float-model.ts';
import { Histogram } from './histogram.ts';

/** Below this, ranges depend on the luck of the draw: kws loses 4 dB with 5 samples and 22 with one. */
export const FEW_SAMPLES = 100;
const CPU_PATH = 'stock';

/** What calibration saw of one activation. */
export interface ActivationStatistics {
  readonly histogram: Histogram;
  /** Mean over the samples at each place of the tensor; the shape is the tensor's. */
  readonly mean: Float64Array;
  /** Mean square, likewise. */
  readonly meanSquare: Float64Array;
}

/** By tensor index of the float model; constants and what is not float32 are absent. */
export type Calibration = ReadonlyMap<number, ActivationStatistics>;

/** Loads a model on a path; the caller closes it. */
export type Loader = (
  model: Uint8Array,
  what: string,
  path: 'stock' | 'xnn',
) => Promise<LoadedModel>;

export interface CalibrationRun {
  /** A sample for each inference: the bytes of each input of the model. */
  readonly samples: Iterable<readonly Uint8Array[]>;
  readonly count: number;
  readonly load: Loader;
  readonly signal: AbortSignal;
  readonly onProgress: (done: number, count: number) => void;
}

/** Tensors that an operator computes and that are float32, in order of execution. */
export function floatActivations({ subgraph, graph }: FloatModel): number[] {
  const computed = subgraph.operators.flatMap(({ outputs }) => outputs);
  return computed.filter((index) => graph.tensor(index).type === 'float32');
}

/** The same model with every activation as an output. Signatures would contradict that. */
export function exposeActivations(model: TfliteModel, activations: readonly number[]): TfliteModel {
  const { signatures: _, subgraphs, ...rest } = model;
  return { ...rest, subgraphs: [{ ...subgraphs[0]!, outputs: [...activations] }] };
}

/**
 * Runs the float model on the samples in the real runtime and watches every activation.
 * @throws `input-invalid` where an activation is not a finite number; what loading and inference throw
 */
export async function calibrate(float: FloatModel, run: CalibrationRun): Promise<Calibration> {
  const activations = floatActivations(float);
  const bytes = serializeModel(exposeActivations(float.model, activations));
  const loaded = await run.load(bytes, float.what, CPU_PATH);
  const found = new Map<number, ActivationStatistics>();
  for (const index of [...float.subgraph.inputs, ...activations]) {
    const count = elementCount(float.graph.tensor(index).shape);
    found.set(index, {
      histogram: new Histogram(),
      mean: new Float64Array(count),
      meanSquare: new Float64Array(count),
    });
  }
  try {
    let done = 0;
    for (const sample of run.samples) {
      run.signal.throwIfAborted();
      const { outputs } = await loaded.infer(sample);
      for (const [place, index] of float.subgraph.inputs.entries()) {
        note(float, found.get(index)!, index, sample[place]!, done);
      }
      for (const [place, index] of activations.entries()) {
        note(float, found.get(index)!, index, outputs[place]!, done);
      }
      done += 1;
      run.onProgress(done, run.count);
    }
    for (const { mean, meanSquare } of found.values()) {
      for (let place = 0; place < mean.length; place++) {
        mean[place]! /= done;
        meanSquare[place]! /= done;
      }
    }
  } finally {
    await loaded.close();
  }
  return found;
}

function note(
  { what, graph }: FloatModel,
  { histogram, mean, meanSquare }: ActivationStatistics,
  index: number,
  bytes: Uint8Array,
  sample: number,
): void {
  const values = elementsOf(bytes, 'float32') as Float32Array;
  histogram.add(values);
  if (histogram.notFinite !== undefined) {
    const name = printable(graph.tensor(index).name);
    throw new DunlinError(
      `${what}: tensor ${index} "${name}" becomes ${histogram.notFinite} on calibration sample ${sample}; ` +
        'look at that sample and at how inputs are scaled',
      { code: 'input-invalid', context: { tensor: index, sample } },
    );
  }
  for (let place = 0; place < values.length; place++) {
    const value = values[place]!;
    mean[place]! += value;
    meanSquare[place]! += value * value;
  }
}
