import fc from 'fast-check';
import {
  compileModel,
  decodePlan,
  type Plan,
  planOracle,
  referenceExecutor,
} from '../../../src/plan/index.ts';
import type { TfliteModel } from '../../../src/tflite/index.ts';
import { seed } from '../arbitraries.ts';
import { lcgInputs } from '../lcg.ts';
import { Int8Graph, type Wire } from './int8-graph.ts';
import { RANDOM_STEPS } from './random-steps.ts';

export interface RandomModel {
  readonly seed: number;
  /** Operators after one another from each input, more or less. */
  readonly steps: number;
  readonly inputs: number;
}

export const randomModel: fc.Arbitrary<RandomModel> = fc.record({
  seed,
  steps: fc.integer({ min: 1, max: 9 }),
  inputs: fc.integer({ min: 1, max: 2 }),
});

const WIDE_PERCENT = 15;
const BRANCH_PERCENT = 25;

/** Goes on from what was made last, or from anything before it. */
function extend(graph: Int8Graph, from: Wire, steps: number): Wire {
  const { random } = graph;
  let wire = from;
  for (let step = 0; step < steps; step++) {
    const start = random.int(0, 99) < BRANCH_PERCENT ? random.pick(graph.wires) : wire;
    const fitting = RANDOM_STEPS.filter(({ takes }) => takes(start));
    wire = random.pick(fitting).make(graph, start);
  }
  return wire;
}

function inputShape(graph: Int8Graph): number[] {
  const { random } = graph;
  if (random.int(0, 5) === 0) return [random.int(1, 3), random.int(1, 700)];
  const isWide = random.int(0, 99) < WIDE_PERCENT;
  const batches = random.pick([1, 1, 1, 2, 3]);
  // Windows of more than 512 taps come from many channels.
  return isWide
    ? [batches, random.int(1, 4), random.int(1, 4), random.int(60, 180)]
    : [batches, random.int(1, 9), random.int(1, 9), random.int(1, 9)];
}

/** Operators in random order over random values; the same for the same description. */
export function buildModel({ seed: start, steps, inputs }: RandomModel): TfliteModel {
  const graph = new Int8Graph(start);
  const { random } = graph;
  const ends = Array.from({ length: inputs }, () => graph.input(inputShape(graph)));
  const made = ends.map((input) => extend(graph, input, steps));
  const inner = graph.wires.filter(({ index }) => ends.every((end) => end.index !== index));
  return graph.model(random.int(0, 3) === 0 ? [random.pick(inner)] : [made[0]!]);
}

export const PLAN_TARGETS = ['NATIVE', 'CORTEX_M4'] as const;

export interface CompiledCase {
  readonly plans: readonly Plan[];
  /** Sample by sample; of each all inputs, and what the reference makes of them. */
  readonly inputs: readonly (readonly Int8Array[])[];
  readonly expected: readonly (readonly Int8Array[])[];
}

export function compileCase(model: TfliteModel, samples: number, start: number): CompiledCase {
  const executor = referenceExecutor(model, 'm.tflite');
  const inputs = Array.from({ length: samples }, (_, index) => lcgInputs(executor, start + index));
  return {
    inputs,
    expected: inputs.map((own) => executor.run(own)),
    plans: PLAN_TARGETS.map((target) =>
      decodePlan(compileModel(model, target, 'm.tflite').bytes, target),
    ),
  };
}

/** Bytes one after the other, as runners take and give them. */
export const flat = (samples: readonly (readonly Int8Array[])[]): Uint8Array =>
  Uint8Array.from(samples.flat().flatMap((values) => [...values]));

/** What differs between the oracle's outputs and those expected; undefined if nothing does. */
export function oracleProblem({ plans, inputs, expected }: CompiledCase): string | undefined {
  for (const plan of plans) {
    const oracle = planOracle(plan);
    for (const [sample, own] of inputs.entries()) {
      for (const [output, values] of oracle.run(own).entries()) {
        const wanted = expected[sample]![output]!;
        const at = values.findIndex((value, index) => value !== wanted[index]);
        if (at < 0 && values.length === wanted.length) continue;
        return (
          `${plan.target}: sample ${sample}, output ${output} of [${values.length}], value ${at}: ` +
          `${values[at]}, not ${wanted[at]}`
        );
      }
    }
  }
  return undefined;
}
