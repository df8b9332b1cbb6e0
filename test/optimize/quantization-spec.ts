import {
  Graph,
  type Quantization,
  type TfliteModel,
  type TfliteOperator,
  type TfliteTensor,
} from '../../src/tflite/index.ts';

/**
 * What the TensorFlow Lite 8-bit quantization specification (ai.google.dev/edge/litert/models/quantization_spec) asks
 * of an int8 model, written down a second time and without the optimizer's own tables.
 */

interface Fixed {
  readonly scale: number;
  readonly zeroPoint: number;
}

/** "Output: scale / zero_point fixed at". */
const FIXED_OUTPUT: Readonly<Record<string, Fixed>> = {
  SOFTMAX: { scale: 1 / 256, zeroPoint: -128 },
  LOGISTIC: { scale: 1 / 256, zeroPoint: -128 },
  TANH: { scale: 1 / 128, zeroPoint: 0 },
  L2_NORMALIZATION: { scale: 1 / 128, zeroPoint: 0 },
  LOG_SOFTMAX: { scale: 16 / 256, zeroPoint: 127 },
};

/** "restriction: Input and outputs must all have same scale/zero_point", and kernels that compare or move bytes. */
const SAME_SCALE = new Set(
  (
    'AVERAGE_POOL_2D MAX_POOL_2D CONCATENATION GATHER MAXIMUM MINIMUM MIRROR_PAD PACK PAD PADV2 ' +
    'REDUCE_MAX REDUCE_MIN RESHAPE RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR REVERSE_V2 SLICE ' +
    'SPACE_TO_BATCH_ND BATCH_TO_SPACE_ND SPACE_TO_DEPTH DEPTH_TO_SPACE SPLIT SPLIT_V SQUEEZE ' +
    'EXPAND_DIMS STRIDED_SLICE TILE TRANSPOSE UNPACK'
  ).split(' '),
);

/** Positions of weights and bias, and the dimension of per-axis scales; none where one scale is for all. */
const WEIGHTED: Readonly<
  Record<
    string,
    {
      readonly weights: number;
      readonly bias: number;
      readonly axis?: number;
      readonly input: number;
    }
  >
> = {
  CONV_2D: { input: 0, weights: 1, bias: 2, axis: 0 },
  DEPTHWISE_CONV_2D: { input: 0, weights: 1, bias: 2, axis: 3 },
  TRANSPOSE_CONV: { input: 2, weights: 1, bias: 3, axis: 0 },
  FULLY_CONNECTED: { input: 0, weights: 1, bias: 2 },
};

/** tensorflow/lite/tools/versioning/op_version.cc: first version with int8 operands, where that is not 1. */
const INT8_VERSIONS: Readonly<Record<string, number>> = {
  ...{ CONV_2D: 3, DEPTHWISE_CONV_2D: 3, FULLY_CONNECTED: 4, TRANSPOSE_CONV: 3, TILE: 3 },
  ...{ ADD: 2, SUB: 2, MUL: 2, AVERAGE_POOL_2D: 2, MAX_POOL_2D: 2, SOFTMAX: 2, LOGISTIC: 2 },
  ...{ TANH: 2, MEAN: 2, CONCATENATION: 2, PAD: 2, PADV2: 2, STRIDED_SLICE: 2, SPLIT: 2 },
  ...{ SPLIT_V: 2, RESIZE_BILINEAR: 2, RESIZE_NEAREST_NEIGHBOR: 2, LEAKY_RELU: 2, RELU: 2 },
  ...{ RELU6: 2, TRANSPOSE: 2, PACK: 2, UNPACK: 2, MAXIMUM: 2, MINIMUM: 2, REDUCE_MAX: 2 },
  ...{ REDUCE_MIN: 2, LOG_SOFTMAX: 2, L2_NORMALIZATION: 2, SLICE: 2, GATHER: 2, ABS: 2 },
  ...{ SPACE_TO_DEPTH: 2, SPACE_TO_BATCH_ND: 2, BATCH_TO_SPACE_ND: 2, DEPTH_TO_SPACE: 2 },
  ...{ BATCH_MATMUL: 2, GELU: 2, MIRROR_PAD: 2, REVERSE_V2: 3, DEQUANTIZE: 2 },
};

/** The same file: with int8 weights, a scale for each channel, and float activations. */
const HYBRID_VERSIONS: Readonly<Record<string, number>> = {
  CONV_2D: 5,
  DEPTHWISE_CONV_2D: 6,
  FULLY_CONNECTED: 9,
};

/** @returns what is against the specification, operator by operator; nothing is what one wants */
export function specificationProblems(model: TfliteModel): string[] {
  const graph = new Graph(model, 'int8');
  return graph.subgraph.operators.flatMap((operator) => {
    const problems = new OperatorCheck(graph, operator).problems();
    return problems.map((problem) => `${graph.label(operator)}: ${problem}`);
  });
}

class OperatorCheck {
  readonly #graph: Graph;
  readonly #operator: TfliteOperator;
  readonly #problems: string[] = [];

  constructor(graph: Graph, operator: TfliteOperator) {
    this.#graph = graph;
    this.#operator = operator;
  }

  problems(): string[] {
    const { builtin, version } = this.#graph.code(this.#operator);
    const inputs = this.#tensors(this.#operator.inputs);
    const outputs = this.#tensors(this.#operator.outputs);
    const activations = [...inputs, ...outputs].filter(({ type }) => type === 'int8');
    if (activations.length === 0) return [];
    const hybrid = HYBRID_VERSIONS[builtin] !== undefined && outputs[0]!.type === 'float32';
    const least = (hybrid ? HYBRID_VERSIONS[builtin] : INT8_VERSIONS[builtin]) ?? 1;
    this.#expect(version >= least, `version ${version}, and int8 came with ${least}`);
    for (const output of outputs) {
      if (output.type === 'int8') this.#perTensor(output);
      const fixed = FIXED_OUTPUT[builtin];
      if (fixed === undefined || output.type !== 'int8') continue;
      const { scale, zeroPoint } = output.quantization!;
      this.#expect(scale[0] === fixed.scale, `an output scale of ${scale}`);
      this.#expect(zeroPoint[0] === fixed.zeroPoint, `an output zero point of ${zeroPoint}`);
    }
    if (SAME_SCALE.has(builtin)) this.#sameScale(activations);
    const weighted = WEIGHTED[builtin];
    if (weighted !== undefined) this.#weights(weighted);
    if (weighted !== undefined && !hybrid) this.#bias(weighted);
    return this.#problems;
  }

  #at(position: number): TfliteTensor {
    return this.#graph.tensor(this.#operator.inputs[position]!);
  }

  #weights({ weights, axis }: (typeof WEIGHTED)[string]): void {
    const tensor = this.#at(weights);
    const { scale, zeroPoint, axis: found } = tensor.quantization!;
    this.#expect(tensor.type === 'int8', `weights of ${tensor.type}`);
    this.#expect(
      zeroPoint.every((zero) => zero === 0),
      'weights with a zero point',
    );
    const values = this.#graph.values(tensor);
    this.#expect(
      values.every((value) => value >= -127),
      'a weight of -128',
    );
    const channels = axis === undefined ? 1 : tensor.shape[axis]!;
    this.#expect(scale.length === channels, `${scale.length} weight scales, not ${channels}`);
    if (axis !== undefined) this.#expect(found === axis, `weight scales along dimension ${found}`);
    this.#expect(
      scale.every((value) => value > 0),
      'a weight scale of 0',
    );
  }

  #bias({ input, weights, bias }: (typeof WEIGHTED)[string]): void {
    const { type, quantization } = this.#at(bias);
    this.#expect(type === 'int32', `a bias of ${type}`);
    const inputScale = this.#perTensor(this.#at(input))?.scale[0] ?? Number.NaN;
    for (const [channel, own] of this.#at(weights).quantization!.scale.entries()) {
      const wanted = inputScale * own;
      const biasScale = quantization?.scale[channel] ?? Number.NaN;
      this.#expect(
        Math.abs(biasScale - wanted) <= 1e-6 * wanted,
        `a bias scale of ${biasScale}, not ${wanted}`,
      );
    }
    this.#expect(
      quantization?.zeroPoint.every((zero) => zero === 0) === true,
      'a bias with a zero point',
    );
  }

  #sameScale(tensors: readonly TfliteTensor[]): void {
    const [first, ...others] = tensors.map((tensor) => this.#perTensor(tensor));
    for (const other of others) {
      this.#expect(
        other?.scale[0] === first?.scale[0] && other?.zeroPoint[0] === first?.zeroPoint[0],
        `scales ${first?.scale} and ${other?.scale} where all must be the same`,
      );
    }
  }

  #perTensor({ quantization, name }: TfliteTensor): Quantization | undefined {
    this.#expect(quantization?.scale.length === 1, `"${name}" has not exactly one scale`);
    const zero = quantization?.zeroPoint[0] ?? Number.NaN;
    this.#expect(zero >= -128 && zero <= 127, `"${name}" has a zero point of ${zero}`);
    return quantization;
  }

  #tensors(indices: readonly number[]): TfliteTensor[] {
    return indices.filter((index) => index !== -1).map((index) => this.#graph.tensor(index));
  }

  #expect(holds: boolean, problem: string): void {
    if (!holds) this.#problems.push(problem);
  }
}
