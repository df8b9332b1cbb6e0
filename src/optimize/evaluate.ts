import { parseModel } from '../tflite/index.ts';
import { mapToEdgeTpu } from './edge-tpu.ts';
import type { FloatModel } from './float-model.ts';
import {
  accuracyOf,
  agreementOf,
  argmax,
  ErrorSum,
  type Rows,
  rowOf,
} from './measure/agreement.ts';
import { LAYER_SAMPLES, layerErrors } from './measure/layer-errors.ts';
import { type Outputs, runOutputs } from './measure/logits.ts';
import { measureLatency, modelFacts } from './measure/model-facts.ts';
import { type RunOptions, type Samples, spreadSamples } from './measure/sample-runs.ts';
import type { KeptOperator } from './quantize/int8-model.ts';
import type { MicrocontrollerFacts, Variant } from './report-document.ts';
import type { OptimizeRequest } from './request.ts';
import { FLOAT_VARIANT } from './variant-names.ts';

const WORST_INPUTS = 10;

/** A variant to be judged. */
export interface Candidate {
  readonly name: string;
  readonly file: string;
  readonly bytes: Uint8Array;
  readonly keptFloat: readonly KeptOperator[];
  /** The variant of the same mode made without pruning and training, where this one was made with them. */
  readonly dense?: string;
}

export interface Evaluation {
  readonly float: FloatModel;
  readonly samples: Samples;
  readonly labels: Int32Array | undefined;
  /** What the float model gives for the samples. */
  readonly wanted: Outputs;
}

export type EvaluationRun = RunOptions & Pick<OptimizeRequest, 'microcontroller' | 'onProgress'>;

/** Everything that a report says of a variant but whether it is on the Pareto front. */
export async function evaluateVariant(
  { name, file, bytes, keptFloat, dense }: Candidate,
  { float, samples, labels, wanted }: Evaluation,
  run: EvaluationRun,
): Promise<Omit<Variant, 'pareto'>> {
  const onProgress = (done: number): void =>
    run.onProgress({ step: 'evaluate', subject: name, done, total: samples.count });
  const model = parseModel(bytes, name);
  const keepsLayers = name === FLOAT_VARIANT;
  const layerSamples = spreadSamples(samples, LAYER_SAMPLES);
  const [found, layers, facts] = await Promise.all([
    runOutputs(model, name, samples, run, onProgress),
    // The float model repacked has the float model's layers.
    keepsLayers ? [] : layerErrors(float.model, model, name, layerSamples, run),
    modelFacts(model, bytes),
  ]);
  // Alone on the machine, as far as this process can tell.
  const stock = await measureLatency(bytes, 'stock', samples, run);
  const xnn = await measureLatency(bytes, 'xnn', samples, run);
  const microcontroller = facts.fullyInt8 ? await microcontrollerOf(name, bytes, run) : undefined;
  const [reference, own] = [wanted.logits ?? wanted.output, found.logits ?? found.output];
  const comparable = wanted.logits !== undefined && found.logits !== undefined;
  return {
    name,
    ...(dense === undefined ? {} : { dense }),
    file,
    ...facts,
    latency: {
      ...(stock === undefined ? {} : { stock }),
      ...(xnn === undefined ? {} : { xnn }),
    },
    ...(comparable ? { logits: agreementOf(wanted.logits, found.logits) } : {}),
    output: agreementOf(wanted.output, found.output),
    ...(labels === undefined ? {} : { accuracy: accuracyOf(found.output, labels) }),
    worstInputs: worstInputs(reference, own, labels),
    layers,
    keptFloat: [...keptFloat],
    edgeTpu: mapToEdgeTpu(model),
    ...(microcontroller === undefined ? {} : { microcontroller }),
  };
}

/** What the caller finds out about it on a microcontroller; undefined where it has no means to. */
async function microcontrollerOf(
  name: string,
  bytes: Uint8Array,
  { microcontroller, onProgress, signal }: EvaluationRun,
): Promise<MicrocontrollerFacts | undefined> {
  if (microcontroller === undefined) return undefined;
  signal.throwIfAborted();
  const note = { step: 'microcontroller', subject: name, total: 1 } as const;
  onProgress({ ...note, done: 0 });
  const found = await microcontroller(bytes, name);
  onProgress({ ...note, done: 1 });
  return found;
}

function worstInputs(
  reference: Rows,
  found: Rows,
  labels: Int32Array | undefined,
): Variant['worstInputs'] {
  const rows = Array.from({ length: reference.count }, (_, index) => {
    const [wanted, got] = [rowOf(reference, index), rowOf(found, index)];
    const sum = new ErrorSum();
    sum.add(wanted, got);
    return {
      index: Math.floor(index / reference.perInput),
      error: sum.error,
      sqnrDb: sum.sqnrDb,
      expected: argmax(wanted),
      got: argmax(got),
    };
  });
  return rows
    .filter(({ error }) => error > 0)
    .sort((a, b) => (a.error === b.error ? a.index - b.index : b.error - a.error))
    .slice(0, WORST_INPUTS)
    .map(({ index, sqnrDb, expected, got }) => ({
      index,
      sqnrDb,
      expected,
      got,
      ...(labels === undefined ? {} : { label: labels[index]! }),
    }));
}
