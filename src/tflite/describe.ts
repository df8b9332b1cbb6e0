import { Graph, printable } from './graph.ts';
import type { TfliteModel, TfliteOperator, TfliteTensor } from './model.ts';
import { EDGETPU_CUSTOM_CODE, operatorSpec } from './operator-table.ts';
import { elementCount, type TensorType } from './tensor-type.ts';

export interface TensorDescription {
  readonly name: string;
  readonly type: TensorType;
  readonly shape: readonly number[];
  /** Absent for a tensor that is not quantized. */
  readonly scale?: number;
  readonly zeroPoint?: number;
}

export interface OperatorDescription {
  /** The builtin's name, or the custom operator's own. */
  readonly name: string;
  readonly version: number;
  readonly count: number;
  /** Multiply-accumulates of one inference, over all `count` of them. */
  readonly macs: number;
}

export interface ModelDescription {
  readonly description: string;
  readonly inputs: readonly TensorDescription[];
  readonly outputs: readonly TensorDescription[];
  readonly operators: readonly OperatorDescription[];
  /** Elements of all constants that take part in arithmetic: weights, biases, tables. */
  readonly parameterCount: number;
  /** Multiply-accumulates of one inference. */
  readonly macs: number;
  /** Share of weights (biases left out) whose real value is zero, 0 to 1. */
  readonly sparsity: number;
  /** Every activation and weight is int8, inputs and outputs included; biases are int32. */
  readonly fullyInt8: boolean;
  /** Compiled for the Edge TPU: it cannot run without one. */
  readonly edgetpu: boolean;
  readonly sizeBytes: number;
}

/**
 * Facts about a model, of one inference of its first graph.
 * @param bytes the file, for its size
 * @throws DunlinError model-malformed when an index in the model points nowhere
 */
export function describeModel(model: TfliteModel, bytes: Uint8Array): ModelDescription {
  const graph = new Graph(model, printable(model.description) || 'model');
  const operators = countOperators(graph);
  const { parameterCount, sparsity } = countParameters(graph);
  return {
    description: printable(model.description),
    inputs: graph.subgraph.inputs.map((index) => describeTensor(graph.tensor(index))),
    outputs: graph.subgraph.outputs.map((index) => describeTensor(graph.tensor(index))),
    operators,
    parameterCount,
    macs: operators.reduce((sum, { macs }) => sum + macs, 0),
    sparsity,
    fullyInt8: isFullyInt8(graph),
    edgetpu: operators.some(({ name }) => name === EDGETPU_CUSTOM_CODE),
    sizeBytes: bytes.byteLength,
  };
}

function describeTensor(tensor: TfliteTensor): TensorDescription {
  const scale = tensor.quantization?.scale[0];
  const zeroPoint = tensor.quantization?.zeroPoint[0];
  return {
    name: printable(tensor.name),
    type: tensor.type,
    shape: tensor.shape,
    ...(scale === undefined || zeroPoint === undefined ? {} : { scale, zeroPoint }),
  };
}

function countOperators(graph: Graph): OperatorDescription[] {
  const found = new Map<string, { name: string; version: number; count: number; macs: number }>();
  for (const operator of graph.subgraph.operators) {
    const code = graph.code(operator);
    const name = code.builtin === 'CUSTOM' ? printable(code.customCode ?? 'CUSTOM') : code.builtin;
    const key = `${name} ${code.version}`;
    const entry = found.get(key) ?? { name, version: code.version, count: 0, macs: 0 };
    entry.count++;
    entry.macs += operatorMacs(graph, operator);
    found.set(key, entry);
  }
  return [...found.values()].sort((a, b) => a.name.localeCompare(b.name) || a.version - b.version);
}

/** Multiply-accumulates of one operator; 0 for those that multiply no matrices. */
function operatorMacs(graph: Graph, operator: TfliteOperator): number {
  const name = graph.code(operator).builtin;
  if (name === 'BATCH_MATMUL') return matmulMacs(graph, operator);
  const position = operatorSpec(name)?.weights;
  if (position === undefined) return 0;
  const weights = graph.tensor(operator.inputs[position] ?? -1).shape;
  const output = elementCount(graph.tensor(operator.outputs[0] ?? -1).shape);
  const dimension = (index: number): number => weights[index] ?? 1;
  switch (name) {
    case 'CONV_2D':
      return output * dimension(1) * dimension(2) * dimension(3);
    case 'DEPTHWISE_CONV_2D':
      return output * dimension(1) * dimension(2);
    case 'TRANSPOSE_CONV':
      return (
        elementCount(graph.tensor(operator.inputs[2] ?? -1).shape) *
        dimension(0) *
        dimension(1) *
        dimension(2)
      );
    case 'SVDF': {
      const batch = graph.tensor(operator.inputs[0] ?? -1).shape[0] ?? 1;
      const memory = graph.tensor(operator.inputs[2] ?? -1).shape[1] ?? 1;
      return batch * dimension(0) * (dimension(1) + memory);
    }
    default:
      return output * dimension(1);
  }
}

/** Every result is the sum over a row of the left matrix, or over a column if it is transposed. */
function matmulMacs(graph: Graph, { inputs, outputs, options }: TfliteOperator): number {
  const left = graph.tensor(inputs[0] ?? -1).shape;
  const depth = left.at(options['adjX'] === true ? -2 : -1) ?? 1;
  return elementCount(graph.tensor(outputs[0] ?? -1).shape) * depth;
}

function countParameters(graph: Graph): { parameterCount: number; sparsity: number } {
  const arithmetic = new Set<number>();
  const weights = new Set<number>();
  const dequantized = new Map<number, number>();
  for (const operator of graph.subgraph.operators) {
    const { builtin } = graph.code(operator);
    if (builtin === 'DEQUANTIZE') dequantized.set(operator.outputs[0]!, operator.inputs[0]!);
    const spec = operatorSpec(builtin);
    for (const [position, input] of operator.inputs.entries()) {
      // float16 weights stand behind a DEQUANTIZE.
      const index = position === spec?.weights ? (dequantized.get(input) ?? input) : input;
      if (index < 0 || !graph.isConstant(graph.tensor(index))) continue;
      if (spec?.control?.includes(position)) continue;
      arithmetic.add(index);
      if (position === spec?.weights) weights.add(index);
    }
  }
  let parameterCount = 0;
  for (const index of arithmetic) parameterCount += elementCount(graph.tensor(index).shape);
  let zeros = 0;
  let total = 0;
  for (const index of weights) {
    const tensor = graph.tensor(index);
    const values = graph.values(tensor);
    const zero = tensor.quantization?.zeroPoint[0] ?? 0;
    total += values.length;
    zeros += values.reduce((sum, value) => sum + (value === zero ? 1 : 0), 0);
  }
  return { parameterCount, sparsity: total === 0 ? 0 : zeros / total };
}

function isFullyInt8(graph: Graph): boolean {
  const { inputs, outputs, operators } = graph.subgraph;
  const ends = [...inputs, ...outputs].map((index) => graph.tensor(index));
  if (operators.length === 0 || ends.some(({ type }) => type !== 'int8')) return false;
  return operators.every((operator) => {
    if (graph.code(operator).builtin === 'CUSTOM') return false;
    return [...operator.inputs, ...operator.outputs]
      .filter((index) => index >= 0)
      .map((index) => graph.tensor(index))
      .every(({ type, buffer }) => {
        const integer = type === 'int32' || type === 'int64';
        return type === 'int8' || (integer && (graph.model.buffers[buffer]?.byteLength ?? 0) > 0);
      });
  });
}
