import type { Graph, TfliteModel, TfliteSubgraph } from '../../tflite/index.ts';

/** Inputs or outputs of one graph that the runtime is asked for; the reader stops a little above. */
export const MAX_ENDS = 1000;

/**
 * The same model with other tensors as its outputs, and without what is not needed for them: the verifier refuses
 * operators that compute for nobody. Signatures would contradict that.
 */
export function exposeTensors(model: TfliteModel, outputs: readonly number[]): TfliteModel {
  const { signatures: _, subgraphs, ...rest } = model;
  const subgraph = subgraphs[0]!;
  const operators = neededOperators(subgraph, outputs);
  return { ...rest, subgraphs: [{ ...subgraph, operators, outputs: [...outputs] }] };
}

function neededOperators(
  { operators }: TfliteSubgraph,
  outputs: readonly number[],
): TfliteSubgraph['operators'] {
  const needed = new Set(outputs);
  return operators
    .toReversed()
    .filter((operator) => {
      if (!operator.outputs.some((output) => needed.has(output))) return false;
      for (const input of operator.inputs) needed.add(input);
      return true;
    })
    .toReversed();
}

/** Constants, and what is computed of constants alone (weights behind a DEQUANTIZE, say). */
export function constantTensors(graph: Graph): Set<number> {
  const found = new Set(
    [...graph.subgraph.tensors.keys()].filter((index) => graph.isConstant(graph.tensor(index))),
  );
  for (const { inputs, outputs } of graph.subgraph.operators) {
    if (inputs.every((index) => index === -1 || found.has(index)))
      for (const index of outputs) found.add(index);
  }
  return found;
}
