import { serializeModel, type TfliteModel, type TfliteTensor } from '../../src/tflite/index.ts';
import { ModelBuilder } from '../tflite/model-builder.ts';
import { RandomValues } from './random-values.ts';

/** Small models of one layer that are wrong, or at the edge of what can be said in int8. */

export interface LayerPlan {
  /** Changes the weights, [8, 3, 3, 4], and the biases. */
  readonly change?: (weights: number[], bias: number[]) => void;
  readonly relu?: boolean;
}

const NUMBERS = new RandomValues(3);
const WEIGHTS = NUMBERS.normals(8 * 9 * 4, 0.3);
const BIAS = NUMBERS.normals(8, 0.5);

/** CONV_2D of [1, 6, 6, 4] to [1, 4, 4, 8]; weights are tensor 2, biases tensor 3. */
export function layer({ change = () => {}, relu = false }: LayerPlan = {}): TfliteModel {
  const [weights, bias] = [[...WEIGHTS], [...BIAS]];
  change(weights, bias);
  const b = new ModelBuilder();
  const [input, output] = [b.tensor([1, 6, 6, 4]), b.tensor([1, 4, 4, 8])];
  const constants = [b.tensor([8, 3, 3, 4], { data: weights }), b.tensor([8], { data: bias })];
  const options = { padding: 1, strideW: 1, strideH: 1, fusedActivationFunction: relu ? 1 : 0 };
  return b.operator('CONV_2D', [input, ...constants], [output], options).build([input], [output]);
}

export function scale(values: number[], factor: number): void {
  for (const [index, value] of values.entries()) values[index] = value * factor;
}

/** The layer with a part of its first graph exchanged. */
export function withGraph(
  change: (graph: TfliteModel['subgraphs'][number]) => Partial<TfliteModel['subgraphs'][number]>,
): TfliteModel {
  const model = layer();
  const graph = model.subgraphs[0]!;
  return { ...model, subgraphs: [{ ...graph, ...change(graph) }] };
}

export function withTensor(index: number, change: Partial<TfliteTensor>): TfliteModel {
  return withGraph(({ tensors }) => ({
    tensors: tensors.with(index, { ...tensors[index]!, ...change }),
  }));
}

export function withCustomOperator(customCode: string): TfliteModel {
  const model = withGraph(({ operators }) => ({
    operators: operators.map((operator) => ({ ...operator, options: {} })),
  }));
  return { ...model, operatorCodes: [{ builtin: 'CUSTOM', customCode, version: 1 }] };
}

const GELU = 150;

/** A file with an operator that the writer does not write: one byte is another number. */
export function fileWithBuiltin(number: number): Uint8Array {
  const b = new ModelBuilder();
  const [input, output] = [b.tensor([1, 8]), b.tensor([1, 8])];
  const bytes = serializeModel(b.operator('GELU', [input], [output]).build([input], [output]));
  const places = [...bytes.keys()].filter((place) => bytes[place] === GELU);
  if (places.length !== 1) throw new Error(`the number of GELU is there ${places.length} times`);
  return bytes.with(places[0]!, number);
}

/** Operators one after another over [1, 8], with their constants. */
export function chain(...steps: readonly (readonly [string, ...number[][]])[]): TfliteModel {
  const b = new ModelBuilder();
  const input = b.tensor([1, 8]);
  let last = input;
  for (const [builtin, ...constants] of steps) {
    const next = b.tensor([1, 8]);
    const places = constants.map((data) => b.tensor([data.length], { data }));
    b.operator(builtin, [last, ...places], [next]);
    last = next;
  }
  return b.build([input], [last]);
}
