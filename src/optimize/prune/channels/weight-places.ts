import { elementCount, type Graph } from '../../../tflite/index.ts';
import type { ChannelFlow, Layer } from './channel-flow.ts';
import { channelsOf } from './disjoint-channels.ts';

export type LayerFlow = Extract<ChannelFlow, { kind: 'mixed' | 'depthwise' }>;

/** Which channels each weight of a layer is between, by the weight's index. */
export interface WeightPlaces {
  readonly outputOf: (index: number) => number;
  readonly inputOf: (index: number) => number;
}

export function weightPlaces(graph: Graph, flow: LayerFlow): WeightPlaces {
  const { shape } = graph.tensor(flow.layer.weights);
  if (flow.kind === 'depthwise') {
    const channels = channelsOf({ shape });
    return {
      outputOf: (index) => index % channels,
      inputOf: (index) => flow.tie.inputOf(index % channels),
    };
  }
  const taps = elementCount(shape.slice(1));
  const depth = channelsOf(graph.tensor(flow.layer.input));
  return {
    outputOf: (index) => Math.floor(index / taps),
    // Rows are whole numbers of input channels: FULLY_CONNECTED has several after an image was laid flat.
    inputOf: (index) => (index % taps) % depth,
  };
}

/** Float activations over integer weights: kernels quantize an input with the range of all of it there and then. */
export function isHybrid(graph: Graph, { input, weights }: Layer): boolean {
  return graph.tensor(input).type === 'float32' && graph.tensor(weights).type !== 'float32';
}
