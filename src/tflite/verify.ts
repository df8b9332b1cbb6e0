import { Graph } from './graph.ts';
import { MAX_SUBGRAPHS } from './limits.ts';
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
  verifyReferences(graph);
  verifyTensors(graph);
  verifyOrder(graph);
  verifyOperators(graph);
  verifyMemory(graph);
}

/** What names buffers and tensors from outside the graph. */
function verifyReferences(graph: Graph): void {
  const { buffers, metadata, signatures } = graph.model;
  if (buffers[0] === undefined || buffers[0].byteLength > 0) {
    graph.fail('model-malformed', 'buffer 0 must be there and be empty');
  }
  for (const { buffer } of metadata) {
    if (buffers[buffer] === undefined) {
      graph.fail('model-malformed', `metadata names buffer ${buffer}, which does not exist`);
    }
  }
  for (const { subgraph, inputs, outputs } of signatures ?? []) {
    if (subgraph >= Math.min(graph.model.subgraphs.length, MAX_SUBGRAPHS)) {
      graph.fail('model-malformed', `a signature of graph ${subgraph}, which does not exist`);
    }
    for (const { tensor } of [...inputs, ...outputs]) graph.tensor(tensor);
  }
}
