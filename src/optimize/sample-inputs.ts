import { DunlinError } from '../core/index.ts';
import { elementCount, parseModel, printable, type TfliteModel } from '../tflite/index.ts';
import type { FloatModel } from './float-model.ts';
import { type Samples, spreadSamples } from './measure/sample-runs.ts';
import type { Optimized, OptimizeRequest } from './request.ts';
import type { SampleInput, SampleSet } from './samples/index.ts';
import { logitsOf } from './train/targets.ts';

/** Enough for a device to know the model by, and small beside it. */
const GOLDEN_INPUTS = 32;

/** The inputs that a model's file wants samples for, in its order. @throws `model-*` */
export function modelInputs(model: Uint8Array, what: string): SampleInput[] {
  const [graph] = parseModel(model, what).subgraphs;
  return (graph?.inputs ?? []).map((index) => {
    const { name, shape } = graph!.tensors[index]!;
    return { name, shape };
  });
}

/** A set for each input of a model, as samples for it. */
export function samplesOf(sets: readonly SampleSet[]): Samples {
  return {
    count: sets[0]?.count ?? 0,
    at: (index) =>
      sets.map(({ values, elementCount: size }) =>
        values.subarray(index * size, (index + 1) * size),
      ),
  };
}

/** @throws `input-invalid` where sets do not fit the model or one another */
export function checkSampleSets(float: FloatModel, request: OptimizeRequest): void {
  const judgedBy = request.evaluation ?? request.calibration;
  for (const sets of [request.calibration, judgedBy]) checkSets(float, sets);
  if (request.labels !== undefined) {
    checkLabels(request.labels, judgedBy[0]!.count, float.model, float.what);
  }
  const learned = request.calibrationLabels;
  if (learned !== undefined) checkLearnedLabels(learned, request.calibration[0]!.count, float);
}

/** What training takes beside the float model's own answers. */
function checkLearnedLabels(labels: Int32Array, sampleCount: number, float: FloatModel): void {
  const { model, what } = float;
  const option = '--calibration-labels: ';
  if (logitsOf(float, 0) === undefined) {
    throw invalid(
      `${option}${what} does not end in a softmax, so there are no classes to learn; leave them out`,
    );
  }
  checkLabels(labels, sampleCount, model, what, { of: 'calibration', option });
}

/** How many classes a model tells apart: the last dimension of its first output. */
export function classCount({ subgraphs: [graph] }: TfliteModel): number {
  return graph!.tensors[graph!.outputs[0]!]!.shape.at(-1) ?? 1;
}

/**
 * @param use of the samples, and the option that the labels came by where it has to be named
 * @throws `input-invalid` where labels cannot be those of a model's answers
 */
export function checkLabels(
  labels: Int32Array,
  sampleCount: number,
  model: TfliteModel,
  what: string,
  { of, option } = { of: 'evaluation', option: '' },
): void {
  if (labels.length !== sampleCount) {
    throw invalid(
      `${option}${labels.length} labels for ${sampleCount} ${of} samples; give one for each`,
    );
  }
  const classes = classCount(model);
  const { shape } = model.subgraphs[0]!.tensors[model.subgraphs[0]!.outputs[0]!]!;
  if (elementCount(shape) !== classes) {
    throw invalid(
      `${option}${what} gives several answers for a sample (${shape.join(' x ')}), and labels are one for each; ` +
        'leave them out, or convert the model with a batch of 1',
    );
  }
  const wrong = labels.find((label) => label < 0 || label >= classes);
  if (wrong !== undefined) {
    throw invalid(
      `${option}a label of ${wrong}, and ${what} tells ${classes} classes apart, from 0 on; labels need an output ` +
        'a class',
    );
  }
}

function checkSets({ subgraph, graph, what }: FloatModel, sets: readonly SampleSet[]): void {
  if (sets.length !== subgraph.inputs.length) {
    throw invalid(
      `${what} has ${subgraph.inputs.length} inputs and there are samples for ${sets.length}`,
    );
  }
  for (const [place, { count, elementCount: size, source }] of sets.entries()) {
    const tensor = graph.tensor(subgraph.inputs[place]!);
    if (size !== elementCount(tensor.shape)) {
      throw invalid(
        `${source}: samples of ${size} values, and input "${printable(tensor.name)}" takes ${tensor.shape.join(' x ')}`,
      );
    }
    if (count === 0 || count !== sets[0]!.count) {
      throw invalid(`${source}: ${count} samples where the first input has ${sets[0]!.count}`);
    }
  }
}

export function goldenInputsOf(
  { subgraph, graph }: FloatModel,
  samples: Samples,
): Optimized['goldenInputs'] {
  if (subgraph.inputs.length !== 1) return undefined;
  const [batch = 1, ...shape] = graph.tensor(subgraph.inputs[0]!).shape;
  const few = spreadSamples(samples, GOLDEN_INPUTS);
  const rows = Array.from({ length: few.count }, (_, index) => few.at(index)[0]!);
  const size = rows[0]!.length;
  const values = new Float32Array(few.count * size);
  for (const [index, row] of rows.entries()) values.set(row, index * size);
  return { shape: [few.count * batch, ...shape], values };
}

function invalid(message: string): DunlinError {
  return new DunlinError(message, { code: 'input-invalid' });
}
