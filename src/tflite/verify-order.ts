import { type Graph, printable } from './graph.ts';
import type { TensorType } from './tensor-type.ts';

/** Types that the runtime's binding hands in and out. */
const END_TYPES: readonly TensorType[] = ['float32', 'int8', 'uint8', 'int16', 'int32', 'bool'];

/**
 * Every tensor has one origin, and has it before it is read: the file, the caller, or an earlier
 * operator. The runtime follows the order in the file and plans its memory by it. Every result is
 * of use, and every output depends on an input: XNNPACK crashes on what it would optimize away.
 */
export function verifyOrder(graph: Graph): void {
  verifyEnds(graph);
  const origins = verifyOrigins(graph);
  for (const index of graph.subgraph.outputs) {
    if (origins.get(index) !== 'computed') {
      fail(graph, `output ${named(graph, index)} depends on no input`);
    }
  }
  const read = new Set([
    ...graph.subgraph.outputs,
    ...graph.subgraph.operators.flatMap(({ inputs }) => inputs),
  ]);
  for (const operator of graph.subgraph.operators) {
    if (!operator.outputs.some((index) => read.has(index))) {
      fail(graph, `nothing uses the result of ${graph.label(operator)}`);
    }
  }
}

function fail(graph: Graph, detail: string): never {
  return graph.fail('model-malformed', detail);
}

function named(graph: Graph, index: number): string {
  return `tensor ${index} "${printable(graph.tensor(index).name)}"`;
}

function verifyEnds(graph: Graph): void {
  const { inputs, outputs } = graph.subgraph;
  if (inputs.length === 0 || outputs.length === 0) {
    fail(graph, 'the graph needs at least one input and one output');
  }
  for (const index of [...inputs, ...outputs]) {
    const { type } = graph.tensor(index);
    if (!END_TYPES.includes(type)) {
      const name = named(graph, index);
      graph.fail('model-unsupported', `${name} of type ${type} as an input or output`);
    }
  }
}

/** Where a value comes from; `computed` is by an operator, of an input or of state. */
type Origin = 'constant' | 'state' | 'input' | 'computed';

function verifyOrigins(graph: Graph): Map<number, Origin> {
  const { tensors, inputs, operators } = graph.subgraph;
  const origins = new Map<number, Origin>();
  for (const [index, tensor] of tensors.entries()) {
    if (tensor.isVariable) origins.set(index, 'state');
    else if (graph.isConstant(tensor)) origins.set(index, 'constant');
  }
  for (const index of inputs) {
    if (origins.has(index)) {
      fail(graph, `${named(graph, index)} is an input twice, or is not computed at all`);
    }
    origins.set(index, 'input');
  }
  for (const operator of operators) {
    let origin: Origin = 'constant';
    for (const index of operator.inputs.filter((input) => input !== -1)) {
      const found = origins.get(index);
      if (found === undefined) {
        fail(graph, `${graph.label(operator)} reads ${named(graph, index)} before it is there`);
      }
      if (found !== 'constant') origin = 'computed';
    }
    for (const index of operator.outputs) {
      if (origins.has(index)) {
        fail(graph, `${graph.label(operator)} writes ${named(graph, index)} over`);
      }
      origins.set(index, origin);
    }
  }
  return origins;
}
