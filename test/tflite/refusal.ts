import { DunlinError } from '../../src/core/index.ts';
import { type TfliteModel, verifyModel } from '../../src/tflite/index.ts';
import type { MutableModel } from '../fuzz/tflite-mutate.ts';
import { sampleModels } from './sample-models.ts';

export type Change = (model: MutableModel) => void;
export type Code = 'model-malformed' | 'model-unsupported' | 'model-too-large';

export function refusal(model: TfliteModel): DunlinError | undefined {
  try {
    verifyModel(model, 'm.tflite');
    return undefined;
  } catch (error) {
    if (error instanceof DunlinError) return error;
    throw error;
  }
}

export function changed(model: TfliteModel, change: Change): MutableModel {
  const copy = structuredClone(model) as MutableModel;
  change(copy);
  return copy;
}

export function sample(name: string): TfliteModel {
  const found = sampleModels().find((candidate) => candidate.name.startsWith(name));
  if (found === undefined) throw new Error(`no sample ${name}`);
  return found.model;
}

export const graph = (model: MutableModel) => model.subgraphs[0]!;
export const tensor = (model: MutableModel, index: number) => graph(model).tensors[index]!;
export const options = (model: MutableModel, index = 0) => graph(model).operators[index]!.options;
export const set =
  (name: string, value: number | boolean): Change =>
  (model) => {
    options(model)[name] = value;
  };

/** [what is wrong, model, change, code, what the message must say] */
export type Refused = readonly [string, string, Change, Code, RegExp];
