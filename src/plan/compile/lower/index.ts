import { Graph, printable, type TfliteModel, verifyModel } from '../../../tflite/index.ts';
import { Node } from '../../reference/node.ts';
import { type Operation, type Program, type Value, withInputs } from '../program.ts';
import { add, LOOKUPS, multiply, subtract } from './elementwise.ts';
import { concatenate, pad, stridedSlice } from './layout.ts';
import type { Lower } from './lowering.ts';
import { mean, softmax } from './reduce.ts';
import { averagePool2d, conv2d, depthwiseConv2d, fullyConnected, maxPool2d } from './window.ts';

/** By the schema's names. */
const LOWERINGS: ReadonlyMap<string, Lower> = new Map<string, Lower>([
  ['ADD', add],
  ['AVERAGE_POOL_2D', averagePool2d],
  ['CONCATENATION', concatenate],
  ['CONV_2D', conv2d],
  ['DEPTHWISE_CONV_2D', depthwiseConv2d],
  ['FULLY_CONNECTED', fullyConnected],
  ['MAX_POOL_2D', maxPool2d],
  ['MEAN', mean],
  ['MUL', multiply],
  ['PAD', pad],
  ['SOFTMAX', softmax],
  ['STRIDED_SLICE', stridedSlice],
  ['SUB', subtract],
  ...LOOKUPS,
]);

/** Another shape for the same values: the output is the input. */
const ALIASES: ReadonlySet<string> = new Set(['EXPAND_DIMS', 'RESHAPE', 'SQUEEZE']);

/** What can be compiled, by the schema's names. */
export const COMPILED_OPERATORS: readonly string[] = [...LOWERINGS.keys(), ...ALIASES].sort();

/** Bytes of a constant; none of what is computed. */
const constantValues = (graph: Graph, index: number): Int8Array => {
  const { buffer, byteOffset, byteLength } = graph.data(graph.tensor(index));
  return new Int8Array(buffer, byteOffset, byteLength);
};

function refuse(node: Node): never {
  const known = COMPILED_OPERATORS.join(', ');
  return node.fail('model-unsupported', `no execution plan has this operator; they have ${known}`);
}

/** The int8 tensors with one scale, which are those that operations read and write. */
function int8Values(graph: Graph): Map<number, Value> {
  const values = new Map<number, Value>();
  for (const [id, { type, shape, quantization }] of graph.subgraph.tensors.entries()) {
    const [scale, ...more] = quantization?.scale ?? [];
    const zeroPoint = quantization?.zeroPoint[0];
    if (type !== 'int8' || scale === undefined || zeroPoint === undefined || more.length > 0) {
      continue;
    }
    const constant = constantValues(graph, id);
    values.set(id, {
      ...{ id, shape, scale, zeroPoint },
      ...(constant.length === 0 ? {} : { values: constant }),
    });
  }
  return values;
}

/** @throws DunlinError model-unsupported for an input or output of another type */
function requireInt8Ends(graph: Graph, values: ReadonlyMap<number, Value>): void {
  for (const index of [...graph.subgraph.inputs, ...graph.subgraph.outputs]) {
    if (values.has(index)) continue;
    const { name, type } = graph.tensor(index);
    graph.fail(
      'model-unsupported',
      `input or output tensor ${index} ("${printable(name)}") is ${type}; a plan takes and gives ` +
        'int8 of one scale: quantize the model wholly (dunlin optimize --mode int8)',
    );
  }
}

/**
 * A verified int8 model as a program.
 * @param what names the model in errors
 * @throws DunlinError model-unsupported naming the operator, the tensor and what is wrong with them;
 * as `verifyModel`
 */
export function lowerModel(model: TfliteModel, what: string): Program {
  verifyModel(model, what);
  const graph = new Graph(model, what);
  const values = int8Values(graph);
  requireInt8Ends(graph, values);
  const aliases = new Map<number, number>();
  const resolve = (id: number): number => aliases.get(id) ?? id;
  const operations = graph.subgraph.operators.flatMap((operator): Operation[] => {
    const node = new Node(graph, operator, (index) => constantValues(graph, index));
    if (ALIASES.has(node.name)) {
      node.output();
      aliases.set(node.outputIndex, resolve(node.inputIndex(0)));
      return [];
    }
    const lower = LOWERINGS.get(node.name) ?? refuse(node);
    return lower(node).map((operation) => withInputs(operation, resolve));
  });
  return {
    what,
    labels: graph.subgraph.operators.map((operator) => graph.label(operator)),
    values,
    operations,
    inputs: graph.subgraph.inputs,
    outputs: graph.subgraph.outputs.map(resolve),
    outputShapes: graph.subgraph.outputs.map((index) => graph.tensor(index).shape),
  };
}
