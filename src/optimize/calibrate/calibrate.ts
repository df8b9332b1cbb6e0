import { DunlinError } from '../../core/index.ts';
import { elementCount, printable, serializeModel } from '../../tflite/index.ts';
import { type FloatModel, MOST_MAGNITUDE, refuseEndlessConstants } from '../float-model.ts';
import { constantTensors, exposeTensors, MAX_ENDS } from '../measure/expose.ts';
import { inferReals, type RunOptions, type Samples } from '../measure/sample-runs.ts';
import { int8Scheme } from '../quantize/int8-schemes.ts';
import { Histogram } from './histogram.ts';

/** Below this, ranges depend on the luck of the draw: kws loses 4 dB with 5 samples and 22 with one. */
export const FEW_SAMPLES = 100;

/** What calibration saw of one activation. */
export interface ActivationStatistics {
  readonly histogram: Histogram;
  /** Mean over the samples at each place; kept where an operator multiplies the tensor with weights. */
  readonly mean?: Float64Array;
  /** Mean square of each channel, which is the last dimension. */
  readonly channelSquares: Float64Array;
}

/** By tensor index of the float model; constants and what is not float32 are absent. */
export type Calibration = ReadonlyMap<number, ActivationStatistics>;

export interface CalibrationRun extends RunOptions {
  readonly samples: Samples;
  readonly onProgress: (done: number) => void;
}

/** Tensors that an operator computes of the inputs and that are float32, in order of execution. */
function floatActivations({ subgraph, graph }: FloatModel): number[] {
  const constant = constantTensors(graph);
  const computed = subgraph.operators.flatMap(({ outputs }) => outputs);
  return computed.filter((index) => graph.tensor(index).type === 'float32' && !constant.has(index));
}

/**
 * Runs the float model on the samples in the real runtime and watches every activation.
 * @throws `input-invalid` where an activation is not a finite number, `model-unsupported` where a constant is not; what
 *   loading and inference throw
 */
export async function calibrate(float: FloatModel, run: CalibrationRun): Promise<Calibration> {
  refuseEndlessConstants(float);
  const activations = floatActivations(float);
  const weighted = weightedInputs(float);
  const found = new Map<number, ActivationStatistics>();
  for (const index of [...float.subgraph.inputs, ...activations]) {
    const { shape } = float.graph.tensor(index);
    found.set(index, {
      histogram: new Histogram(),
      channelSquares: new Float64Array(shape.at(-1) ?? 1),
      ...(weighted.has(index) ? { mean: new Float64Array(elementCount(shape)) } : {}),
    });
  }
  for (let sample = 0; sample < run.samples.count; sample++) {
    const values = run.samples.at(sample);
    for (const [place, index] of float.subgraph.inputs.entries()) {
      note(float, found.get(index)!, { index, sample, values: values[place]! });
    }
  }
  // The runtime is asked for so many tensors at a time; hardly a model has more.
  for (let from = 0; from < activations.length; from += MAX_ENDS) {
    await watch(float, activations.slice(from, from + MAX_ENDS), found, run);
  }
  for (const { histogram, mean, channelSquares } of found.values()) {
    divide(mean ?? [], run.samples.count);
    divide(channelSquares, histogram.count / channelSquares.length);
  }
  return found;
}

async function watch(
  float: FloatModel,
  activations: readonly number[],
  found: ReadonlyMap<number, ActivationStatistics>,
  run: CalibrationRun,
): Promise<void> {
  const bytes = serializeModel(exposeTensors(float.model, activations));
  const loaded = await run.load(bytes, float.what, 'stock');
  try {
    for (let sample = 0; sample < run.samples.count; sample++) {
      run.signal.throwIfAborted();
      const results = await inferReals(loaded, run.samples.at(sample));
      for (const [place, index] of activations.entries()) {
        note(float, found.get(index)!, { index, sample, values: results[place]! });
      }
      run.onProgress(sample + 1);
    }
  } finally {
    await loaded.close();
  }
}

function note(
  { what, graph }: FloatModel,
  { histogram, mean, channelSquares }: ActivationStatistics,
  {
    index,
    sample,
    values,
  }: { readonly index: number; readonly sample: number; readonly values: Float32Array },
): void {
  histogram.add(values);
  const { min, max, notFinite } = histogram;
  const endless = notFinite ?? [min, max].find((value) => Math.abs(value) > MOST_MAGNITUDE);
  if (endless !== undefined) {
    const name = printable(graph.tensor(index).name);
    throw new DunlinError(
      `${what}: tensor ${index} "${name}" becomes ${endless} on calibration sample ${sample}; ` +
        'look at that sample and at how inputs are scaled',
      { code: 'input-invalid', context: { tensor: index, sample } },
    );
  }
  const channels = channelSquares.length;
  for (let place = 0, channel = 0; place < values.length; place++, channel++) {
    const value = values[place]!;
    if (channel === channels) channel = 0;
    channelSquares[channel]! += value * value;
    if (mean !== undefined) mean[place]! += value;
  }
}

function divide(sums: Float64Array | [], by: number): void {
  for (let place = 0; place < sums.length; place++) sums[place]! /= by;
}

/** Activations that are multiplied with weights. */
function weightedInputs({ subgraph, graph }: FloatModel): Set<number> {
  return new Set(
    subgraph.operators.flatMap((operator) => {
      const scheme = int8Scheme(graph.code(operator).builtin);
      return scheme?.weights === undefined || scheme.activations === 'all'
        ? []
        : scheme.activations.map((position) => operator.inputs[position]!);
    }),
  );
}
