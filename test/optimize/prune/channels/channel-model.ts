import type { TfliteModel } from '../../../../src/tflite/index.ts';
import { countOf, RandomGraph, type Step, type Wire } from '../../random-graph.ts';
import { convolution, dense } from '../../random-layers.ts';
import { STEPS } from '../../random-steps.ts';

const MAX_ELEMENTS = 3_000;
/** Steps that keep channels apart, or mix them by weights. */
const CHANNEL_STEPS: ReadonlySet<string> = new Set(
  `CONV_2D DEPTHWISE_CONV_2D TRANSPOSE_CONV FULLY_CONNECTED AVERAGE_POOL_2D MAX_POOL_2D ADD SUB MUL MAXIMUM MINIMUM
CONCATENATION RESHAPE PAD PADV2 MIRROR_PAD MEAN REDUCE_MAX REDUCE_MIN RELU RELU6 HARD_SWISH LOGISTIC TANH ELU GELU ABS
LEAKY_RELU PRELU RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR SQUEEZE EXPAND_DIMS`.split(/\s+/),
);

/**
 * A random float model of some `steps` operators that begins with a convolution and reads all its loose ends through
 * weights, so that most of its channels may go. The same one for the same numbers.
 */
export function channelModel(seed: number, steps: number): TfliteModel {
  const graph = new RandomGraph(seed);
  const { random } = graph;
  const input = graph.input([1, random.whole(4, 8), random.whole(4, 8), random.whole(1, 4)]);
  const wires: Wire[] = [...convolution(graph, input)];
  for (let step = 0; step < steps; step++) {
    const wire = graph.latest();
    const possible = STEPS.filter(
      ({ name, takes }) =>
        (CHANNEL_STEPS.has(name) || random.chance(0.05)) &&
        takes(wire) &&
        countOf(wire.shape) <= MAX_ELEMENTS,
    );
    if (possible.length === 0) break;
    wires.push(...random.pick<Step>(possible).make(graph, wire));
  }
  const ends = wires.filter((wire) => graph.isOpen(wire) && wire.shape.length > 0);
  for (const wire of ends.slice(0, 6)) dense(graph, wire);
  return graph.finish([input], 3);
}
