import { int8Scheme } from '../../../../src/optimize/quantize/int8-schemes.ts';
import { Graph, type TfliteModel } from '../../../../src/tflite/index.ts';
import type { RandomValues } from '../../random-values.ts';

/** A layer's constants, open to changes. Weights are [out, …, in], or [1, h, w, out] where it is depthwise. */
export interface OpenLayer {
  readonly operator: number;
  readonly builtin: string;
  readonly weights: Values;
  readonly bias: Values | undefined;
  readonly shape: readonly number[];
  readonly outputs: number;
  readonly outputOf: (index: number) => number;
  /** What a weight of zero is stored as. */
  readonly zero: number;
}

type Values = Float32Array | Int8Array | Uint8Array | Int32Array;

const VIEWS = {
  float32: Float32Array,
  int8: Int8Array,
  uint8: Uint8Array,
  int32: Int32Array,
} as const;

/** The same model with what `change` makes of the constants of its layers. */
export function editLayers(model: TfliteModel, change: (layer: OpenLayer) => void): TfliteModel {
  const graph = new Graph(model, 'model');
  const buffers = [...model.buffers];
  const tensors = [...graph.subgraph.tensors];
  const open = (index: number): Values | undefined => {
    const tensor = tensors[index]!;
    const View = VIEWS[tensor.type as keyof typeof VIEWS];
    const stored = buffers[tensor.buffer]!;
    if (stored.byteLength === 0 || View === undefined) return undefined;
    // Of its own, since files keep equal constants once.
    const bytes = new Uint8Array(stored);
    tensors[index] = { ...tensor, buffer: buffers.push(bytes) - 1 };
    return new View(bytes.buffer);
  };
  for (const [operator, { code, inputs }] of graph.subgraph.operators.entries()) {
    const { builtin } = model.operatorCodes[code]!;
    const scheme = int8Scheme(builtin)?.weights;
    if (scheme === undefined) continue;
    const { shape, quantization } = tensors[inputs[scheme.position]!]!;
    const weights = open(inputs[scheme.position]!);
    const biasIndex = inputs[scheme.biasPosition] ?? -1;
    const bias = biasIndex === -1 ? undefined : open(biasIndex);
    if (weights === undefined) continue;
    const outputs = shape[scheme.channelAxis]!;
    const inner = weights.length / outputs;
    const outputOf =
      scheme.channelAxis === 0
        ? (index: number) => Math.floor(index / inner)
        : (index: number) => index % outputs;
    const zero = weights instanceof Float32Array ? 0 : (quantization?.zeroPoint[0] ?? 0);
    change({ operator, builtin, weights, bias, shape, outputs, outputOf, zero });
  }
  return { ...model, buffers, subgraphs: [{ ...graph.subgraph, tensors }] };
}

/** Rows and columns of zeros at random; biases of such rows become 0, negative, or stay. */
export function silence(model: TfliteModel, random: RandomValues, share: number): TfliteModel {
  return editLayers(model, ({ weights, bias, shape, outputs, outputOf, zero, builtin }) => {
    const rows = Array.from({ length: outputs }, () => random.chance(share));
    const depth = shape.at(-1)!;
    const depthwise = builtin === 'DEPTHWISE_CONV_2D';
    const columns = Array.from({ length: depth }, () => !depthwise && random.chance(share));
    for (let index = 0; index < weights.length; index++) {
      if (rows[outputOf(index)] || columns[index % depth]) weights[index] = zero;
    }
    for (const [row, silent] of rows.entries()) {
      if (!silent || bias === undefined) continue;
      const kind = random.pick(['zero', 'zero', 'negative', 'as it is']);
      if (kind === 'zero') bias[row] = 0;
      if (kind === 'negative') bias[row] = -Math.abs(bias[row]!);
    }
  });
}

/** The model with weights of zero where layers read some channels: as if these were zero. */
export function zeroReads(
  model: TfliteModel,
  reads: readonly { readonly operator: number; readonly channel: number }[],
): TfliteModel {
  const graph = new Graph(model, 'model');
  return editLayers(model, ({ operator, weights, shape, zero, builtin }) => {
    const own = reads.filter((read) => read.operator === operator);
    if (own.length === 0) return;
    const { inputs } = graph.subgraph.operators[operator]!;
    const input = inputs[builtin === 'TRANSPOSE_CONV' ? 2 : 0]!;
    const depth = graph.tensor(input).shape.at(-1)!;
    const channels = new Set(own.map(({ channel }) => channel));
    for (let index = 0; index < weights.length; index++) {
      if (channels.has((index % shape.at(-1)!) % depth)) weights[index] = zero;
    }
  });
}
