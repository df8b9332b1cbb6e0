import { Graph } from './graph.ts';
import type { TfliteModel } from './model.ts';
import { verifyOperators } from './verify-operators.ts';
import { verifyOrder } from './verify-order.ts';
import { verifyMemory, verifyTensors } from './verify-tensors.ts';

/**
 * Says whether a model may reach native code, which checks little itself: a wrong index, option,
 * shape or scale crashes TFLite 2.9.0, corrupts its memory, or gives nonsense without a word.
 * @param what names the model in errors
 * @throws DunlinError model-malformed (contradicts itself), model-unsupported (an operator, version
 *   or type that Dunlin does not know to be safe), model-too-large (against the limits in limits.ts)
 */
export function verifyModel(model: TfliteModel, what: string): void {
  const graph = new Graph(model, what);
  if (model.subgraphs.length > 1) {
    graph.fail(
      'model-unsupported',
      `${model.subgraphs.length} graphs; models of one graph are taken`,
    );
  }
  verifyIndices(model, what);
  if (model.buffers[0] === undefined || model.buffers[0].byteLength > 0) {
    graph.fail('model-malformed', 'buffer 0 must be there and be empty');
  }
  verifyTensors(graph);
  verifyOrder(graph);
  verifyOperators(graph);
  verifyMemory(graph);
}

/**
 * Whether everything that a model names by a number is there: all that rewriting a model needs to know of it.
 * @param what names the model in errors
 * @throws DunlinError model-malformed
 */
export function verifyIndices(model: TfliteModel, what: string): void {
  const graphs = model.subgraphs.map((subgraph) => {
    const graph = new Graph({ ...model, subgraphs: [subgraph] }, what);
    for (const tensor of subgraph.tensors) graph.data(tensor);
    for (const index of [...subgraph.inputs, ...subgraph.outputs]) graph.tensor(index);
    for (const operator of subgraph.operators) {
      graph.code(operator);
      for (const index of operator.inputs) if (index !== -1) graph.tensor(index);
      for (const index of operator.outputs) graph.tensor(index);
    }
    return graph;
  });
  const [main = new Graph(model, what)] = graphs;
  for (const { buffer } of model.metadata) {
    if (model.buffers[buffer] === undefined) {
      main.fail('model-malformed', `metadata names buffer ${buffer}, which does not exist`);
    }
  }
  for (const { subgraph, inputs, outputs } of model.signatures ?? []) {
    const graph =
      graphs[subgraph] ??
      main.fail('model-malformed', `a signature of graph ${subgraph}, which does not exist`);
    for (const { tensor } of [...inputs, ...outputs]) graph.tensor(tensor);
  }
}
