import type { TfliteModel } from '../../src/tflite/index.ts';
import { countOf, RandomGraph } from './random-graph.ts';
import { SHRINK, STEPS } from './random-steps.ts';

const MAX_ELEMENTS = 2_000;

function finalStep(graph: RandomGraph): string {
  const wire = graph.latest();
  const builtin = graph.random.pick(['SOFTMAX', 'LOG_SOFTMAX', 'ARG_MAX']);
  if (builtin === 'SOFTMAX') {
    graph.operator(builtin, [wire], [wire.index], wire.shape, { beta: 1 });
  } else if (builtin === 'LOG_SOFTMAX') {
    // Its int8 results end at -16.
    const bounded = graph.operator('TANH', [wire], [wire.index], wire.shape);
    graph.operator(builtin, [bounded], [bounded.index], wire.shape);
  } else {
    graph.argMax(wire);
  }
  return builtin;
}

export interface RandomModel {
  readonly model: TfliteModel;
  readonly steps: readonly string[];
}

/**
 * A valid float model of some `steps` operators, and the same one for the same numbers. The first step is the one
 * that the seed names where that fits, so that a run of consecutive seeds has them all.
 */
export function randomModel(seed: number, steps: number): RandomModel {
  const graph = new RandomGraph(seed);
  const { random } = graph;
  const inputs = [graph.input([1, random.whole(4, 8), random.whole(4, 8), random.whole(1, 4)])];
  if (random.chance(0.2)) inputs.push(graph.input([1, random.whole(4, 12)]));
  const names: string[] = [];
  const wanted = STEPS[Math.abs(seed) % STEPS.length]!;
  for (let step = 0; step < steps; step++) {
    const wire = graph.latest();
    const possible = STEPS.filter(
      ({ takes }) => takes(wire) && countOf(wire.shape) <= MAX_ELEMENTS,
    );
    const [first] = step === 0 ? possible.filter(({ name }) => name === wanted.name) : [];
    const chosen = first ?? random.pick(possible.length > 0 ? possible : [SHRINK]);
    chosen.make(graph, wire);
    names.push(chosen.name);
  }
  if (random.chance(0.4)) names.push(finalStep(graph));
  // Every input has to be of use.
  for (const input of inputs) {
    if (graph.isOpen(input)) graph.operator('RELU', [input], [input.index], input.shape);
  }
  return { model: graph.finish(inputs, 3), steps: names };
}
