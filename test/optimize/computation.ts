import { createHash } from 'node:crypto';
import { Graph, type TfliteModel } from '../../src/tflite/index.ts';

/**
 * Everything of a model that takes part in arithmetic, with no regard to the places of tensors, buffers and codes: two
 * models whose computations are equal give the same results.
 */
export function computationOf(model: TfliteModel): unknown {
  const graph = new Graph(model, 'model');
  const { subgraph } = graph;
  const order = new Map<number, string>();
  const describe = (index: number): unknown => {
    if (index === -1) return 'none';
    const tensor = graph.tensor(index);
    const { type, shape, isVariable, quantization } = tensor;
    const data = graph.data(tensor);
    const sha256 = createHash('sha256').update(data).digest('hex');
    return {
      ...{ type, shape, isVariable, quantization },
      value: data.byteLength > 0 ? sha256 : order.get(index),
    };
  };
  for (const [place, index] of subgraph.inputs.entries()) order.set(index, `input ${place}`);
  const operators = subgraph.operators.map((operator, place) => {
    const inputs = operator.inputs.map(describe);
    for (const [at, index] of operator.outputs.entries()) order.set(index, `${place}.${at}`);
    const { options, customOptions } = operator;
    return {
      ...graph.code(operator),
      ...{ inputs, outputs: operator.outputs.map(describe), options, customOptions },
    };
  });
  return {
    inputs: subgraph.inputs.map(describe),
    operators,
    outputs: subgraph.outputs.map(describe),
    names: [...subgraph.inputs, ...subgraph.outputs].map((index) => graph.tensor(index).name),
  };
}
