import { describeModel, elementCount } from '../../../tflite/index.ts';
import type { ChannelClass, ChannelPartition } from './channel-classes.ts';
import { channelsOf } from './disjoint-channels.ts';
import type { LayerFlow } from './weight-places.ts';

/** How many output and input channels of a layer a class holds; the layer by its operator's place. */
export interface Share {
  readonly operator: number;
  readonly outputs: number;
  readonly inputs: number;
}

/** MACs of a layer: `unit` for each pair of an output and an input channel; where it is depthwise, for each output. */
interface LayerCount {
  readonly unit: number;
  readonly isDepthwise: boolean;
  outputs: number;
  inputs: number;
}

/** Multiply-accumulates of one inference, as `describeModel` counts them, while channels go. */
export class MacCount {
  total: number;
  readonly #layers = new Map<number, LayerCount>();
  /** Depthwise layers by the tensor that they make. */
  readonly #depthwise = new Map<number, number>();

  constructor(partition: ChannelPartition) {
    this.total = describeModel(partition.graph.model, new Uint8Array(0)).macs;
    for (const [operator, flow] of partition.flows.entries()) {
      if (flow.kind !== 'mixed' && flow.kind !== 'depthwise') continue;
      this.#layers.set(operator, layerCount(partition, operator, flow));
      if (flow.kind === 'depthwise') this.#depthwise.set(flow.layer.output, operator);
    }
  }

  /** The layers whose MACs go with a class. */
  sharesOf({ members, producers, consumers }: ChannelClass): readonly Share[] {
    const shares = new Map<number, { operator: number; outputs: number; inputs: number }>();
    const share = (operator: number) => {
      const found = shares.get(operator) ?? { operator, outputs: 0, inputs: 0 };
      shares.set(operator, found);
      return found;
    };
    for (const { operator } of producers) share(operator).outputs += 1;
    for (const { operator } of consumers) share(operator).inputs += 1;
    for (const { tensor } of members) {
      const operator = this.#depthwise.get(tensor);
      if (operator !== undefined) share(operator).outputs += 1;
    }
    return [...shares.values()].sort((a, b) => a.operator - b.operator);
  }

  /** MACs that go with so many classes that have these shares, of what is left. */
  saving(shares: readonly Share[], classes: number): number {
    return shares.reduce((sum, { operator, outputs, inputs }) => {
      const layer = this.#layers.get(operator)!;
      const less = { outputs: classes * outputs, inputs: classes * inputs };
      return sum + macsOf(layer) - macsOf(layer, less);
    }, 0);
  }

  remove(shares: readonly Share[], classes: number): void {
    this.total -= this.saving(shares, classes);
    for (const { operator, outputs, inputs } of shares) {
      const layer = this.#layers.get(operator)!;
      layer.outputs -= classes * outputs;
      layer.inputs -= classes * inputs;
    }
  }
}

function macsOf(layer: LayerCount, less = { outputs: 0, inputs: 0 }): number {
  const outputs = layer.unit * (layer.outputs - less.outputs);
  return layer.isDepthwise ? outputs : outputs * (layer.inputs - less.inputs);
}

function layerCount(
  { graph }: ChannelPartition,
  operator: number,
  { kind, layer }: LayerFlow,
): LayerCount {
  const [input, output, weights] = [layer.input, layer.output, layer.weights].map(
    (index) => graph.tensor(index).shape,
  ) as [number[], number[], number[]];
  const outputs = channelsOf({ shape: output });
  const inputs = channelsOf({ shape: input });
  const isDepthwise = kind === 'depthwise';
  const taps = elementCount(weights) / (isDepthwise ? outputs : outputs * inputs);
  // A transposed convolution spreads each place of its input, the others gather for each place of the output.
  const { builtin } = graph.code(graph.subgraph.operators[operator]!);
  const places =
    builtin === 'TRANSPOSE_CONV' ? elementCount(input) / inputs : elementCount(output) / outputs;
  return { unit: taps * places, isDepthwise, outputs, inputs };
}
