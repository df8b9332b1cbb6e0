import type { FloatModel } from '../float-model.ts';
import { argmax } from '../measure/agreement.ts';
import type { Samples } from '../measure/sample-runs.ts';
import type { Target } from './loss.ts';
import { Network } from './network.ts';
import { pause } from './pause.ts';

/** Outputs that are always the same still have a variance to divide by. */
const LEAST_VARIANCE = 1e-12;
/** A class that the teacher hardly ever names still counts so many times at the most. */
const MOST_CLASS_WEIGHT = 4;

/**
 * What student and teacher are compared by: their float outputs, or the logits where a softmax follows.
 * @throws what `Network` throws, the signal's reason
 */
export async function targetsOf(
  teacher: FloatModel,
  student: FloatModel,
  samples: Samples,
  signal: AbortSignal,
): Promise<Target[]> {
  const network = new Network(teacher, 1);
  const ends = teacher.subgraph.outputs.map((_, place) => endOf(teacher, student, place));
  const widths = ends.map(({ tensor }) => teacher.graph.tensor(tensor).shape.at(-1) ?? 1);
  const seen = widths.map((width) => new Seen(width));
  for (let index = 0; index < samples.count; index++) {
    await pause(signal);
    for (const [place, input] of teacher.subgraph.inputs.entries()) {
      network.tensor(input).computed.floats.set(samples.at(index)[place]!);
    }
    network.forward();
    for (const [place, { tensor }] of ends.entries()) {
      seen[place]!.add(network.tensor(tensor).values.floats);
    }
  }
  return ends.map(({ tensor, isLogits, student: learner }, place) => ({
    teacher: tensor,
    student: learner,
    isLogits,
    width: widths[place]!,
    variance: seen[place]!.variance,
    ...(isLogits ? { classWeights: seen[place]!.classWeights } : {}),
  }));
}

/** What the teacher answers. */
class Seen {
  readonly #classCounts: Float64Array;
  #count = 0;
  #sum = 0;
  #squares = 0;

  constructor(width: number) {
    this.#classCounts = new Float64Array(width);
  }

  add(values: Float32Array): void {
    const width = this.#classCounts.length;
    for (let row = 0; row < values.length; row += width) {
      this.#classCounts[argmax(values.subarray(row, row + width))]! += 1;
    }
    for (const value of values) {
      this.#count += 1;
      this.#sum += value;
      this.#squares += value * value;
    }
  }

  get variance(): number {
    const mean = this.#sum / this.#count;
    return Math.max(LEAST_VARIANCE, this.#squares / this.#count - mean * mean);
  }

  /** Inverse to how often a class is named; 1 for one that is named as often as if all were. */
  get classWeights(): number[] {
    const width = this.#classCounts.length;
    const even = this.#count / width / width;
    return Array.from(this.#classCounts, (count) =>
      Math.min(MOST_CLASS_WEIGHT, even / Math.max(1, count)),
    );
  }
}

interface End {
  readonly tensor: number;
  readonly student: number;
  readonly isLogits: boolean;
}

function endOf(teacher: FloatModel, student: FloatModel, place: number): End {
  return {
    tensor: resultOf(teacher, place),
    student: resultOf(student, place),
    isLogits: logitsOf(teacher, place) !== undefined,
  };
}

/** The tensor that says what a model found: an output, or what the softmax before it reads. */
export function resultOf(float: FloatModel, place: number): number {
  return logitsOf(float, place) ?? float.subgraph.outputs[place]!;
}

/** What an output's softmax reads; undefined where there is none. */
export function logitsOf({ graph, subgraph }: FloatModel, place: number): number | undefined {
  const output = subgraph.outputs[place]!;
  const last = subgraph.operators.find(({ outputs }) => outputs.includes(output));
  return last !== undefined && graph.code(last).builtin === 'SOFTMAX' ? last.inputs[0]! : undefined;
}
