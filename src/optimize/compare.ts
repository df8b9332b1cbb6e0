import { DunlinError } from '../core/index.ts';
import { parseModel, printable, type TfliteModel, verifyModel } from '../tflite/index.ts';
import { accuracyOf, agreementOf } from './measure/agreement.ts';
import { LAYER_SAMPLES, layerErrors } from './measure/layer-errors.ts';
import { refuseNotFinite, runOutputs } from './measure/logits.ts';
import { type RunOptions, type Samples, spreadSamples } from './measure/sample-runs.ts';
import type { Agreement, LayerError } from './report-document.ts';
import { checkLabels } from './sample-inputs.ts';

/** A layer below this, measured up to and with it, has visibly left the reference. */
export const DIVERGED_DB = 20;

export interface ComparedModel {
  readonly bytes: Uint8Array;
  readonly what: string;
}

export interface Comparison {
  readonly count: number;
  readonly sizeBytes: { readonly a: number; readonly b: number };
  /** On the input of a final softmax; absent where one of the two does not end in one. */
  readonly logits?: Agreement;
  readonly output: Agreement;
  readonly accuracy?: { readonly a: number; readonly b: number };
  /** In order of execution; the operators that both models share. */
  readonly layers: readonly LayerError[];
  /** First layer whose accumulated error is past `DIVERGED_DB`; absent where none is. */
  readonly firstDiverged?: LayerError;
  /** The layer that adds the most error of its own. */
  readonly mostToBlame?: LayerError;
}

/**
 * Model B against model A on the same inputs.
 * @throws `model-*`, `input-invalid` where the two do not take or give the same
 */
export async function compareModels(
  a: ComparedModel,
  b: ComparedModel,
  samples: Samples,
  labels: Int32Array | undefined,
  run: RunOptions & { readonly onProgress: (what: string, done: number) => void },
): Promise<Comparison> {
  const [modelA, modelB] = [a, b].map(({ bytes, what }) => {
    const model = parseModel(bytes, what);
    verifyModel(model, what);
    return model;
  }) as [TfliteModel, TfliteModel];
  checkSameEnds(modelA, modelB, a.what, b.what);
  if (labels !== undefined) checkLabels(labels, samples.count, modelA, a.what);
  const wanted = await runOutputs(modelA, a.what, samples, run, (done) =>
    run.onProgress(a.what, done),
  );
  refuseNotFinite(wanted, a.what);
  const found = await runOutputs(modelB, b.what, samples, run, (done) =>
    run.onProgress(b.what, done),
  );
  const layers = await layerErrors(
    modelA,
    modelB,
    b.what,
    spreadSamples(samples, LAYER_SAMPLES),
    run,
  );
  const firstDiverged = layers.find(({ accumulatedSqnrDb }) =>
    below(accumulatedSqnrDb, DIVERGED_DB),
  );
  const mostToBlame = worstOwn(layers);
  return {
    count: samples.count,
    sizeBytes: { a: a.bytes.byteLength, b: b.bytes.byteLength },
    ...(wanted.logits === undefined || found.logits === undefined
      ? {}
      : { logits: agreementOf(wanted.logits, found.logits) }),
    output: agreementOf(wanted.output, found.output),
    ...(labels === undefined
      ? {}
      : {
          accuracy: { a: accuracyOf(wanted.output, labels), b: accuracyOf(found.output, labels) },
        }),
    layers,
    ...(firstDiverged === undefined ? {} : { firstDiverged }),
    ...(mostToBlame === undefined ? {} : { mostToBlame }),
  };
}

const below = (decibels: number | null | undefined, limit: number): boolean =>
  typeof decibels === 'number' && decibels < limit;

function worstOwn(layers: readonly LayerError[]): LayerError | undefined {
  return layers.reduce<LayerError | undefined>((worst, layer) => {
    if (typeof layer.ownSqnrDb !== 'number') return worst;
    return below(layer.ownSqnrDb, worst?.ownSqnrDb ?? Number.POSITIVE_INFINITY) ? layer : worst;
  }, undefined);
}

/** Inputs one by one, and the first output: that much must be alike. */
function checkSameEnds(a: TfliteModel, b: TfliteModel, whatA: string, whatB: string): void {
  const shapes = ({ subgraphs: [graph] }: TfliteModel): string[] =>
    [...graph!.inputs, graph!.outputs[0]!].map((index) => graph!.tensors[index]!.shape.join(' x '));
  const [left, right] = [shapes(a), shapes(b)];
  const differs =
    left.length !== right.length ? 0 : left.findIndex((shape, place) => shape !== right[place]);
  if (differs < 0) return;
  const place = differs === left.length - 1 ? 'the output' : `input ${differs}`;
  throw new DunlinError(
    `${printable(whatA)} and ${printable(whatB)} do not compare: ${place} is ${left[differs]} and ` +
      `${right[differs] ?? 'missing'}`,
    { code: 'input-invalid' },
  );
}
