import { type Graph, printable } from './graph.ts';
import { MAX_ACTIVATION_BYTES, MAX_OPERATORS, MAX_TENSOR_BYTES, MAX_TENSORS } from './limits.ts';
import type { Quantization, TfliteOperator, TfliteTensor } from './model.ts';
import { elementCount, integerRange, type TensorType } from './tensor-type.ts';

/** Types that some operator of the table takes. */
const TYPES: readonly TensorType[] = [
  'float32',
  'float16',
  'int8',
  'uint8',
  'int16',
  'int32',
  'int64',
  'bool',
];
/** Scales between these keep every product and quotient of three of them a normal float64. */
const MIN_SCALE = 2 ** -126;
const MAX_SCALE = 2 ** 64;

/** Types, shapes, sizes, constants and quantization parameters of each tensor by itself. */
export function verifyTensors(graph: Graph): void {
  const { tensors, operators } = graph.subgraph;
  if (tensors.length > MAX_TENSORS || operators.length > MAX_OPERATORS) {
    graph.fail(
      'model-too-large',
      `${tensors.length} tensors and ${operators.length} operators; ` +
        `${MAX_TENSORS} and ${MAX_OPERATORS} are taken`,
    );
  }
  for (const [index, tensor] of tensors.entries()) {
    const name = `tensor ${index} "${printable(tensor.name)}"`;
    if (!TYPES.includes(tensor.type)) {
      graph.fail('model-unsupported', `${name} of type ${tensor.type} is not supported`);
    }
    verifySize(graph, tensor, name);
    if (tensor.quantization !== undefined) {
      verifyQuantization(graph, tensor, tensor.quantization, name);
    }
  }
}

function verifySize(graph: Graph, tensor: TfliteTensor, name: string): void {
  if (!tensor.shape.every((size) => Number.isInteger(size) && size > 0)) {
    graph.fail(
      'model-malformed',
      `${name} has shape [${tensor.shape}]; every dimension must be fixed and at least 1`,
    );
  }
  const lengthBytes = graph.lengthBytes(tensor);
  if (lengthBytes > MAX_TENSOR_BYTES) {
    graph.fail(
      'model-too-large',
      `${name} of shape [${tensor.shape}] takes ${lengthBytes} bytes; ${MAX_TENSOR_BYTES} are taken`,
    );
  }
  const found = graph.data(tensor).byteLength;
  if (found > 0 && tensor.isVariable) {
    graph.fail('model-malformed', `${name} is a variable and a constant`);
  }
  if (found > 0 && found !== lengthBytes) {
    graph.fail(
      'model-malformed',
      `${name} of shape [${tensor.shape}] needs ${lengthBytes} bytes and has ${found}`,
      { buffer: tensor.buffer, lengthBytes },
    );
  }
}

function verifyQuantization(
  graph: Graph,
  tensor: TfliteTensor,
  { scale, zeroPoint, axis }: Quantization,
  name: string,
): void {
  if (scale.length === 0 || scale.length !== zeroPoint.length) {
    graph.fail(
      'model-malformed',
      `${name}: ${scale.length} scales, ${zeroPoint.length} zero points`,
    );
  }
  const bad = scale.find((value) => !(value >= MIN_SCALE && value <= MAX_SCALE));
  if (bad !== undefined) {
    graph.fail('model-malformed', `${name}: a scale of ${bad}; scales are positive and finite`);
  }
  const [min, max] = integerRange(tensor.type) ?? [0, 0];
  const outside = zeroPoint.find(
    (value) => !(Number.isInteger(value) && value >= min && value <= max),
  );
  if (outside !== undefined) {
    graph.fail('model-malformed', `${name}: zero point ${outside} is no ${tensor.type}`);
  }
  const { shape } = tensor;
  const outOfRank = axis < 0 || (shape.length > 0 && axis >= shape.length);
  if (outOfRank || (scale.length > 1 && shape[axis] !== scale.length)) {
    graph.fail(
      'model-malformed',
      `${name}: ${scale.length} scales along dimension ${axis} of [${shape}]`,
    );
  }
}

/** Bytes of what is computed, and of the largest scratch a kernel lays out beside it. */
export function verifyMemory(graph: Graph): void {
  const { tensors, operators } = graph.subgraph;
  let total = 0;
  for (const tensor of tensors) {
    if (!graph.isConstant(tensor)) total += graph.lengthBytes(tensor);
  }
  for (const operator of operators) total += keptBytes(graph, operator);
  const scratch = operators.reduce((max, _, index) => Math.max(max, scratchBytes(graph, index)), 0);
  if (total + scratch > MAX_ACTIVATION_BYTES) {
    graph.fail(
      'model-too-large',
      `its activations take ${total + scratch} bytes; ${MAX_ACTIVATION_BYTES} are taken`,
    );
  }
}

/** Laid out while an operator runs: windows side by side in kernels/conv.cc and transpose_conv.cc. */
function scratchBytes(graph: Graph, index: number): number {
  const operator = graph.subgraph.operators[index]!;
  const name = graph.code(operator).builtin;
  const shape = (position: number): number[] => graph.tensor(operator.inputs[position] ?? -1).shape;
  if (name === 'CONV_2D') {
    const output = graph.tensor(operator.outputs[0]!).shape;
    const window = elementCount(shape(1).slice(1));
    return (elementCount(output) / (output[3] ?? 1)) * window * 4;
  }
  if (name === 'TRANSPOSE_CONV') {
    const window = elementCount(shape(1).slice(0, 3));
    return (elementCount(shape(2)) / (shape(2)[3] ?? 1)) * window * 4;
  }
  // kernels/add_n.cc: a sum for each thread, which has at least two inputs.
  if (name === 'ADD_N') return (operator.inputs.length / 2) * elementCount(shape(0)) * 4;
  return 0;
}

/** kernels/batch_matmul.cc turns its operands over, and keeps those that are constants. */
function keptBytes(graph: Graph, operator: TfliteOperator): number {
  if (graph.code(operator).builtin !== 'BATCH_MATMUL') return 0;
  return operator.inputs.reduce((sum, index) => sum + graph.lengthBytes(graph.tensor(index)), 0);
}
