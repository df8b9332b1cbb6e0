import { elementCount, Graph, type TfliteModel, verifyModel } from '../../tflite/index.ts';
import { requireInputs } from '../require-inputs.ts';
import { kernelOf } from './kernels/index.ts';
import { Node, type Step } from './node.ts';

export interface ReferenceTensor {
  /** In the model's first graph. */
  readonly index: number;
  readonly shape: readonly number[];
  /** Elements, which are bytes. */
  readonly length: number;
}

export interface ReferenceExecutor {
  readonly inputs: readonly ReferenceTensor[];
  readonly outputs: readonly ReferenceTensor[];
  /**
   * One inference.
   * @param inputs row-major, in the order of `inputs`
   * @returns new arrays in the order of `outputs`
   * @throws DunlinError input-invalid for another number or length of inputs
   */
  run(inputs: readonly Int8Array[]): Int8Array[];
}

/**
 * What TFLite Micro's reference kernels compute of an int8 model, byte for byte: the oracle for the
 * microcontroller's engine. Stock TFLite differs from it by a step here and there, and after a
 * softmax by many. Everything but the values is worked out here, once.
 * @param what names the model in errors
 * @throws DunlinError model-unsupported for an operator or type it does not know; as `verifyModel`
 */
export function referenceExecutor(model: TfliteModel, what: string): ReferenceExecutor {
  verifyModel(model, what);
  const graph = new Graph(model, what);
  const storage = tensorStorage(graph);
  const inputs = describe(graph, graph.subgraph.inputs);
  const outputs = describe(graph, graph.subgraph.outputs);
  const steps = graph.subgraph.operators.map((operator): Step => {
    const node = new Node(graph, operator, storage);
    const kernel = kernelOf(node.name) ?? node.unsupported('this operator');
    return kernel(node);
  });
  return {
    inputs,
    outputs,
    run(values) {
      requireInputs(what, inputs, values);
      for (const [position, { index }] of inputs.entries()) storage(index).set(values[position]!);
      for (const step of steps) step();
      return outputs.map(({ index }) => storage(index).slice());
    },
  };
}

/** Memory for each tensor, made when it is first asked for; constants stay where they are. */
function tensorStorage(graph: Graph): (index: number) => Int8Array {
  const arrays = new Map<number, Int8Array>();
  return (index) => {
    const known = arrays.get(index);
    if (known !== undefined) return known;
    const tensor = graph.tensor(index);
    const { buffer, byteOffset, byteLength } = graph.data(tensor);
    const values = graph.isConstant(tensor)
      ? new Int8Array(buffer, byteOffset, byteLength)
      : new Int8Array(elementCount(tensor.shape));
    arrays.set(index, values);
    return values;
  };
}

function describe(graph: Graph, indices: readonly number[]): ReferenceTensor[] {
  return indices.map((index) => {
    const { type, shape } = graph.tensor(index);
    if (type !== 'int8') {
      graph.fail(
        'model-unsupported',
        `input or output tensor ${index} is ${type}; the reference executor takes int8`,
      );
    }
    return { index, shape, length: elementCount(shape) };
  });
}
