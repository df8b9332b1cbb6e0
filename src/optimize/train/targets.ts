import type { FloatModel } from '../float-model.ts';
import type { Samples } from '../measure/sample-runs.ts';
import type { Target } from './loss.ts';
import { Network } from './network.ts';
import { pause } from './pause.ts';

/** Outputs that are always the same still have a variance to divide by. */
const LEAST_VARIANCE = 1e-12;

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
  const sums = ends.map(() => ({ count: 0, sum: 0, squares: 0 }));
  for (let index = 0; index < samples.count; index++) {
    await pause(signal);
    for (const [place, input] of teacher.subgraph.inputs.entries()) {
      network.tensor(input).computed.floats.set(samples.at(index)[place]!);
    }
    network.forward();
    for (const [place, { tensor }] of ends.entries()) {
      for (const value of network.tensor(tensor).values.floats) {
        sums[place]!.count += 1;
        sums[place]!.sum += value;
        sums[place]!.squares += value * value;
      }
    }
  }
  return ends.map(({ tensor, isLogits, student: learner }, place) => {
    const { count, sum, squares } = sums[place]!;
    return {
      teacher: tensor,
      student: learner,
      isLogits,
      width: teacher.graph.tensor(tensor).shape.at(-1) ?? 1,
      variance: Math.max(LEAST_VARIANCE, squares / count - (sum / count) ** 2),
    };
  });
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
