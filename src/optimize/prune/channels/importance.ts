import type { TfliteModel } from '../../../tflite/index.ts';
import { type ChannelClass, type ChannelPartition, channelClasses } from './channel-classes.ts';
import { channelsOf } from './disjoint-channels.ts';
import { realConstant } from './real-constant.ts';
import { weightPlaces } from './weight-places.ts';

/** Mean square of a channel of an activation over calibration samples, by the tensor's index in the model. */
export type MeanSquareOf = (tensor: number, channel: number) => number;

/**
 * How much the output of a model is likely to miss a class: the sum over the rows of weights that compute it of the
 * row's L2 norm (H. Li et al., "Pruning Filters for Efficient ConvNets", ICLR 2017, with L1; they see no difference),
 * times the root mean square of the channel where others read it, where calibration measured that (activations as a
 * criterion: P. Molchanov et al., "Pruning Convolutional Neural Networks for Resource Efficient Inference", ICLR 2017,
 * section 2.2). As there, what a layer's rows come to is divided by the layer's own mean, so that layers compare.
 * @param what names the model in errors
 * @param meanSquareOf absent: weights alone decide
 * @returns 0 and up, 1 for the mean row of a layer; of the classes of `channelClasses` of this model
 * @throws what `verifyModel` throws
 */
export function weightImportance(
  model: TfliteModel,
  what: string,
  meanSquareOf?: MeanSquareOf,
): (channels: ChannelClass) => number {
  const partition = channelClasses(model, what);
  const rows = new Map<number, Float64Array>();
  for (const [operator, flow] of partition.flows.entries()) {
    if (flow.kind !== 'mixed') continue;
    const norms = rowNorms(partition, operator);
    const scores = norms.map((norm, row) => {
      const reader = partition.of(flow.layer.output, row);
      return norm * (reader === undefined ? 1 : activity(partition, reader, meanSquareOf));
    });
    rows.set(operator, overMean(scores));
  }
  return ({ producers }) =>
    producers.reduce((sum, { operator, channel }) => sum + rows.get(operator)![channel]!, 0);
}

/** L2 norms of the rows of weights of a layer, as reals. */
function rowNorms({ graph, flows }: ChannelPartition, operator: number): Float64Array {
  const flow = flows[operator]!;
  if (flow.kind !== 'mixed') return new Float64Array(0);
  const { weights, output } = flow.layer;
  const values = realConstant(graph, weights);
  const { outputOf } = weightPlaces(graph, flow);
  const squares = new Float64Array(channelsOf(graph.tensor(output)));
  for (let index = 0; index < values.length; index++) {
    squares[outputOf(index)]! += values.at(index) ** 2;
  }
  return squares.map(Math.sqrt);
}

/** Root mean square where layers read a class, over these; 1 where nothing was measured or nobody reads it. */
function activity(
  { flows }: ChannelPartition,
  { consumers }: ChannelClass,
  meanSquareOf: MeanSquareOf | undefined,
): number {
  if (meanSquareOf === undefined || consumers.length === 0) return 1;
  const sum = consumers.reduce((total, { operator, channel }) => {
    const flow = flows[operator]!;
    return flow.kind === 'mixed'
      ? total + Math.sqrt(meanSquareOf(flow.layer.input, channel))
      : total;
  }, 0);
  return sum / consumers.length;
}

function overMean(scores: Float64Array): Float64Array {
  const mean = scores.reduce((sum, score) => sum + score, 0) / scores.length;
  return mean > 0 ? scores.map((score) => score / mean) : scores;
}
