import { DunlinError } from '../core/index.ts';
import {
  Graph,
  operatorSpec,
  parseModel,
  printable,
  type TfliteModel,
  type TfliteSubgraph,
  verifyModel,
} from '../tflite/index.ts';

/** A verified model that computes in float32, and holds nothing quantized. */
export interface FloatModel {
  readonly what: string;
  readonly model: TfliteModel;
  readonly graph: Graph;
  readonly subgraph: TfliteSubgraph;
}

/**
 * Reads a model to be quantized.
 * @param what names the file in errors
 * @throws `model-malformed`, `model-too-large`; `model-unsupported` for what is quantized already in part or in
 *   whole, has several graphs, shapes that are open, constants that are no numbers, or operators that Dunlin does
 *   not know
 */
export function openFloatModel(bytes: Uint8Array, what: string): FloatModel {
  const model = parseModel(bytes, what);
  refuseOpenShapes(model, what);
  const graph = new Graph(model, what);
  refuseUnknownOperators(graph);
  verifyModel(model, what);
  refuseQuantized(graph);
  refuseConstants(graph, Number.isNaN);
  return { what, model, graph, subgraph: graph.subgraph };
}

function unsupported(what: string, detail: string): never {
  throw new DunlinError(`${what}: ${detail}`, { code: 'model-unsupported' });
}

/**
 * What no int8 tensor can say: infinities, and values past the largest scale that the verifier takes.
 * @throws `model-unsupported` naming the first constant with one
 */
export function refuseEndlessConstants({ graph }: FloatModel): void {
  refuseConstants(graph, (value) => !(Math.abs(value) <= MOST_MAGNITUDE));
}

/** Largest value of a tensor that is quantized: in 127 steps, half of the verifier's largest scale. */
export const MOST_MAGNITUDE = 2 ** 70;

function refuseConstants(graph: Graph, bad: (value: number) => boolean): void {
  for (const [index, tensor] of graph.subgraph.tensors.entries()) {
    if (tensor.type !== 'float32' || !graph.isConstant(tensor)) continue;
    const values = graph.values(tensor);
    const element = values.findIndex(bad);
    if (element < 0) continue;
    unsupported(
      graph.what,
      `constant tensor ${index} "${printable(tensor.name)}" is ${values[element]} at element ${element}; ` +
        'mend the training or the conversion that it comes from',
    );
  }
}

/** Said before the verifier's word, because there is something to do about it. */
function refuseUnknownOperators(graph: Graph): void {
  for (const operator of graph.subgraph.operators) {
    if (operatorSpec(graph.code(operator).builtin) !== undefined) continue;
    unsupported(
      graph.what,
      `${graph.label(operator)} is none that Dunlin knows; convert the model with TensorFlow Lite's builtin ` +
        'operators alone',
    );
  }
}

/** Said before the verifier's word, because there is something to do about it. */
function refuseOpenShapes({ subgraphs }: TfliteModel, what: string): void {
  if (subgraphs.length > 1) {
    unsupported(
      what,
      `${subgraphs.length} graphs; convert a model without control flow (if, while), it has one`,
    );
  }
  for (const [index, { name, shape }] of (subgraphs[0]?.tensors ?? []).entries()) {
    if (shape.every((size) => size > 0)) continue;
    unsupported(
      what,
      `tensor ${index} "${printable(name)}" has the open shape [${shape}]; convert the model with fixed ` +
        'input shapes (a batch of 1)',
    );
  }
}

function refuseQuantized(graph: Graph): void {
  const { what, subgraph } = graph;
  const named = (index: number): string =>
    `tensor ${index} "${printable(graph.tensor(index).name)}"`;
  for (const [index, tensor] of subgraph.tensors.entries()) {
    const { type } = tensor;
    if (type === 'float16') {
      unsupported(
        what,
        `${named(index)} is float16 already; give the float32 model that it was made from`,
      );
    }
    if (type === 'int8' || type === 'uint8' || type === 'int16') {
      const hybrid = subgraph.inputs.every((input) => graph.tensor(input).type === 'float32');
      unsupported(
        what,
        `${named(index)} is ${type}: the model is quantized already${hybrid ? ' in part' : ''}; give the ` +
          'float32 model that it was made from',
      );
    }
  }
  for (const index of subgraph.inputs) {
    const { type } = graph.tensor(index);
    if (type !== 'float32') unsupported(what, `input ${named(index)} is ${type}, not float32`);
  }
  if (!subgraph.tensors.some(({ type }) => type === 'float32')) {
    unsupported(what, 'nothing in it is float32');
  }
}
