/** A trained network as a TensorFlow Lite model, float or int8. Shapes are NHWC with time as the height. */
import type {
  Quantization,
  TfliteModel,
  TfliteOperator,
  TfliteTensor,
} from '../../src/tflite/index.ts';
import { Conv, Depthwise, type Layer, type Shape } from './layers.ts';
import type { Network } from './network.ts';
import { type Affine, affineOf, observeRanges, quantizeWeights } from './quantize.ts';

/** tflite's schema: enums Padding and ActivationFunctionType. */
const VALID_PADDING = 1;
const NO_ACTIVATION = 0;
const RELU = 1;

/** The runtime demands this of an int8 softmax: 256 steps from 0 to 1. */
export const SOFTMAX_OUTPUT: Affine = { scale: 1 / 256, zeroPoint: -128 };

type OperatorName = 'CONV_2D' | 'DEPTHWISE_CONV_2D' | 'MEAN' | 'FULLY_CONNECTED' | 'SOFTMAX';

/** First versions of the operators that know int8 per channel, or int8 at all. */
const INT8_VERSIONS: Record<OperatorName, number> = {
  CONV_2D: 3,
  DEPTHWISE_CONV_2D: 3,
  MEAN: 2,
  FULLY_CONNECTED: 4,
  SOFTMAX: 2,
};

interface Constant {
  readonly type: TfliteTensor['type'];
  readonly data: Uint8Array;
  readonly quantization?: Quantization;
}

/** What differs between a float and an int8 file. */
interface Codec {
  readonly description: string;
  readonly type: TfliteTensor['type'];
  version(name: OperatorName): number;
  /** Of activation `index` of the network; the one past the logits is the softmax's output. */
  activation(index: number): Quantization | undefined;
  constants(layer: Conv | Depthwise, inputIndex: number): { weights: Constant; bias: Constant };
}

export function toFloatModel(network: Network, version: string): TfliteModel {
  return buildModel(network, {
    description: `dunlin motor ${version} float`,
    type: 'float32',
    version: () => 1,
    activation: () => undefined,
    constants: (layer) => ({
      weights: { type: 'float32', data: bytesOf(layer.weights.values) },
      bias: { type: 'float32', data: bytesOf(layer.bias.values) },
    }),
  });
}

export interface Int8Model {
  readonly model: TfliteModel;
  /** How to fill the input. */
  readonly input: Affine;
}

/** @param calibration windows, [count, 256, 3] in g, whose least and greatest activations set the ranges */
export function toInt8Model(
  network: Network,
  calibration: Float32Array,
  version: string,
): Int8Model {
  const ranges = observeRanges(network, calibration).map(affineOf);
  const affines = [...ranges, SOFTMAX_OUTPUT];
  const model = buildModel(network, {
    description: `dunlin motor ${version} int8`,
    type: 'int8',
    version: (name) => INT8_VERSIONS[name],
    activation: (index) => perTensor(affines[index]!),
    constants: (layer, inputIndex) => int8Constants(layer, affines[inputIndex]!.scale),
  });
  return { model, input: affines[0]! };
}

function perTensor({ scale, zeroPoint }: Affine): Quantization {
  return { scale: [scale], zeroPoint: [zeroPoint], axis: 0 };
}

function int8Constants(
  layer: Conv | Depthwise,
  inputScale: number,
): { weights: Constant; bias: Constant } {
  const { channels } = layer.output;
  const rowLength = layer.weights.values.length / channels;
  const isDepthwise = layer.kind === 'depthwise';
  const quantized = quantizeWeights({
    values: layer.weights.values,
    bias: layer.bias.values,
    inputScale,
    channelOf: (index) => (isDepthwise ? index % channels : Math.floor(index / rowLength)),
    isPerChannel: layer.kind !== 'dense',
  });
  const symmetric = (scale: readonly number[], axis: number): Quantization => ({
    scale: [...scale],
    zeroPoint: scale.map(() => 0),
    axis,
  });
  return {
    weights: {
      type: 'int8',
      data: bytesOf(quantized.values),
      quantization: symmetric(quantized.scales, isDepthwise ? 3 : 0),
    },
    bias: {
      type: 'int32',
      data: bytesOf(quantized.bias),
      quantization: symmetric(quantized.biasScales, 0),
    },
  };
}

function bytesOf(values: Float32Array | Int8Array | Int32Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

/** Tensors, buffers and operators in the order in which they are added: the file is deterministic. */
class Graph {
  readonly #codec: Codec;
  /** By convention of the format, buffer 0 is the empty one, of every tensor without constant data. */
  readonly #buffers: Uint8Array[] = [new Uint8Array(0)];
  readonly #tensors: TfliteTensor[] = [];
  readonly #operators: TfliteOperator[] = [];
  readonly #names: OperatorName[] = [];

  constructor(codec: Codec) {
    this.#codec = codec;
  }

  addActivation(name: string, shape: number[], index: number): number {
    const quantization = this.#codec.activation(index);
    return this.#addTensor(name, shape, 0, this.#codec.type, quantization);
  }

  addConstant(name: string, shape: number[], { type, data, quantization }: Constant): number {
    this.#buffers.push(data);
    return this.#addTensor(name, shape, this.#buffers.length - 1, type, quantization);
  }

  #addTensor(
    name: string,
    shape: number[],
    buffer: number,
    type: TfliteTensor['type'],
    quantization: Quantization | undefined,
  ): number {
    const tensor = { name, type, shape, buffer, isVariable: false };
    this.#tensors.push(quantization === undefined ? tensor : { ...tensor, quantization });
    return this.#tensors.length - 1;
  }

  addOperator(
    name: OperatorName,
    inputs: number[],
    output: number,
    options: TfliteOperator['options'],
  ): void {
    if (!this.#names.includes(name)) this.#names.push(name);
    const code = this.#names.indexOf(name);
    this.#operators.push({ code, inputs, outputs: [output], options });
  }

  toModel(input: number, output: number): TfliteModel {
    return {
      version: 3,
      description: this.#codec.description,
      operatorCodes: this.#names.map((builtin) => ({
        builtin,
        version: this.#codec.version(builtin),
      })),
      subgraphs: [
        {
          name: 'main',
          tensors: this.#tensors,
          inputs: [input],
          outputs: [output],
          operators: this.#operators,
        },
      ],
      buffers: this.#buffers,
      metadata: [],
    };
  }
}

function buildModel(network: Network, codec: Codec): TfliteModel {
  const graph = new Graph(codec);
  const input = graph.addActivation('vibration_g', nhwc(network.layers[0]!.input), 0);
  let current = input;
  network.layers.forEach((layer, i) => {
    current = addLayer(graph, codec, layer, i, current);
  });
  const classes = network.layers.at(-1)!.output.channels;
  const output = graph.addActivation('condition', [1, classes], network.layers.length + 1);
  graph.addOperator('SOFTMAX', [current], output, { beta: 1 });
  return graph.toModel(input, output);
}

function nhwc({ length, channels }: Shape): number[] {
  return [1, length, 1, channels];
}

/** @returns the tensor that holds the layer's output */
function addLayer(graph: Graph, codec: Codec, layer: Layer, index: number, input: number): number {
  const name = `${layer.kind}_${index}`;
  const isDense = layer.kind === 'dense';
  const outputShape = isDense ? [1, layer.output.channels] : nhwc(layer.output);
  if (layer instanceof Conv || layer instanceof Depthwise) {
    const constants = codec.constants(layer, index);
    const weights = graph.addConstant(`${name}/weights`, weightsShape(layer), constants.weights);
    const bias = graph.addConstant(`${name}/bias`, [layer.output.channels], constants.bias);
    const output = graph.addActivation(name, outputShape, index + 1);
    graph.addOperator(
      operatorOf(layer.kind),
      [input, weights, bias],
      output,
      convolutionOptions(layer),
    );
    return output;
  }
  const axes = graph.addConstant(`${name}/axes`, [2], {
    type: 'int32',
    data: bytesOf(Int32Array.of(1, 2)),
  });
  const output = graph.addActivation(name, outputShape, index + 1);
  graph.addOperator('MEAN', [input, axes], output, { keepDims: true });
  return output;
}

function operatorOf(kind: 'conv' | 'depthwise' | 'dense'): OperatorName {
  if (kind === 'conv') return 'CONV_2D';
  return kind === 'depthwise' ? 'DEPTHWISE_CONV_2D' : 'FULLY_CONNECTED';
}

function weightsShape(layer: Conv | Depthwise): number[] {
  const { kernel } = layer.options;
  const { channels } = layer.output;
  if (layer.kind === 'depthwise') return [1, kernel, 1, channels];
  const row = layer.input.channels;
  return layer.kind === 'dense' ? [channels, row] : [channels, kernel, 1, row];
}

function convolutionOptions(layer: Conv | Depthwise): TfliteOperator['options'] {
  const fusedActivationFunction = layer.options.relu ? RELU : NO_ACTIVATION;
  if (layer.kind === 'dense') return { fusedActivationFunction };
  const convolution = {
    padding: VALID_PADDING,
    strideW: 1,
    strideH: layer.options.stride,
    fusedActivationFunction,
    dilationWFactor: 1,
    dilationHFactor: 1,
  };
  return layer.kind === 'depthwise' ? { ...convolution, depthMultiplier: 1 } : convolution;
}
