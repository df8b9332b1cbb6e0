/** A trained network as a float TensorFlow Lite model. Shapes are NHWC with time as the height. */
import type { TfliteModel, TfliteOperator, TfliteTensor } from '../../src/tflite/index.ts';
import { Conv, Depthwise, type Layer, type Shape } from './layers.ts';
import type { Network } from './network.ts';

/** tflite's schema: enums Padding and ActivationFunctionType. */
const VALID_PADDING = 1;
const NO_ACTIVATION = 0;
const RELU = 1;

type OperatorName = 'CONV_2D' | 'DEPTHWISE_CONV_2D' | 'MEAN' | 'FULLY_CONNECTED' | 'SOFTMAX';

export function toFloatModel(network: Network, version: string): TfliteModel {
  const graph = new Graph();
  const input = graph.addActivation('vibration_g', nhwc(network.layers[0]!.input));
  let current = input;
  network.layers.forEach((layer, i) => {
    current = addLayer(graph, layer, i, current);
  });
  const classes = network.layers.at(-1)!.output.channels;
  const output = graph.addActivation('condition', [1, classes]);
  graph.addOperator('SOFTMAX', [current], output, { beta: 1 });
  return graph.toModel(`dunlin motor ${version} float`, input, output);
}

/** Tensors, buffers and operators in the order in which they are added: the file is deterministic. */
class Graph {
  /** By convention of the format, buffer 0 is the empty one, of every tensor without constant data. */
  readonly #buffers: Uint8Array[] = [new Uint8Array(0)];
  readonly #tensors: TfliteTensor[] = [];
  readonly #operators: TfliteOperator[] = [];
  readonly #names: OperatorName[] = [];

  addActivation(name: string, shape: number[]): number {
    return this.#addTensor({ name, shape, type: 'float32', buffer: 0 });
  }

  addConstant(name: string, shape: number[], values: Float32Array | Int32Array): number {
    const { buffer, byteOffset, byteLength } = values;
    this.#buffers.push(new Uint8Array(buffer, byteOffset, byteLength));
    const type = values instanceof Float32Array ? 'float32' : 'int32';
    return this.#addTensor({ name, shape, type, buffer: this.#buffers.length - 1 });
  }

  #addTensor(tensor: Omit<TfliteTensor, 'isVariable'>): number {
    this.#tensors.push({ ...tensor, isVariable: false });
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

  toModel(description: string, input: number, output: number): TfliteModel {
    return {
      version: 3,
      description,
      operatorCodes: this.#names.map((builtin) => ({ builtin, version: 1 })),
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

function nhwc({ length, channels }: Shape): number[] {
  return [1, length, 1, channels];
}

/** @returns the tensor that holds the layer's output */
function addLayer(graph: Graph, layer: Layer, index: number, input: number): number {
  const name = `${layer.kind}_${index}`;
  const outputShape = layer.kind === 'dense' ? [1, layer.output.channels] : nhwc(layer.output);
  if (layer instanceof Conv || layer instanceof Depthwise) {
    const { weights, bias } = layer;
    const constants = [
      graph.addConstant(`${name}/weights`, weightsShape(layer), weights.values),
      graph.addConstant(`${name}/bias`, [layer.output.channels], bias.values),
    ];
    const output = graph.addActivation(name, outputShape);
    const options = convolutionOptions(layer);
    graph.addOperator(operatorOf(layer.kind), [input, ...constants], output, options);
    return output;
  }
  const axes = graph.addConstant(`${name}/axes`, [2], Int32Array.of(1, 2));
  const output = graph.addActivation(name, outputShape);
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
