import { openFloatModel } from '../../src/optimize/index.ts';
import { Network } from '../../src/optimize/train/network.ts';
import { ShardTeam } from '../../src/optimize/train/team.ts';
import { serializeModel } from '../../src/tflite/index.ts';
import { ADAM, BATCH, lossOf, type Problem, toModel } from './problem.ts';
import type { Gradients, Side } from './side.ts';

const opened = (problem: Problem) => openFloatModel(serializeModel(toModel(problem)), problem.name);

function descend({ parameters, memory }: Network, step: number): void {
  const { rate, beta1, beta2, epsilon } = ADAM;
  const corrected = (rate * Math.sqrt(1 - beta2 ** step)) / (1 - beta1 ** step);
  for (const parameter of parameters) {
    const { learned, gradient, mean, square } = parameter;
    const places = [learned.address, gradient.address, mean.address, square.address] as const;
    memory.kernels.adam(learned.length, ...places, corrected, beta1, beta2, epsilon, 1);
    parameter.refresh();
  }
}

/** The engine's network by itself, the whole batch at once. */
export class NetworkSide implements Side {
  readonly #problem: Problem;
  readonly #network: Network;
  #step = 0;

  constructor(problem: Problem) {
    this.#problem = problem;
    this.#network = new Network(opened(problem), BATCH);
    const input = this.#network.float.subgraph.inputs[0]!;
    this.#network.tensor(input).computed.floats.set(problem.samples);
  }

  gradients(): Gradients {
    const loss = this.#learn();
    const gradients = this.#network.parameters.map(({ gradient }) => {
      const values = Float32Array.from(gradient.floats);
      gradient.floats.fill(0);
      return values;
    });
    return { loss, gradients };
  }

  step(): number {
    const loss = this.#learn();
    descend(this.#network, ++this.#step);
    return loss;
  }

  #learn(): number {
    this.#network.forward();
    this.#network.clearGradients();
    const output = this.#network.tensor(this.#network.float.subgraph.outputs[0]!);
    const loss = lossOf(this.#problem, output.values.floats, output.gradient.floats);
    this.#network.backward();
    return loss;
  }
}

/**
 * The engine as the optimizer uses it: shards on threads, a teacher (the same network, other weights) that answers as
 * well, and samples that are varied. Only the number of threads may make a difference.
 */
export class TeamSide implements Side {
  readonly #team: ShardTeam;
  #step = 0;

  constructor(problem: Problem, teacher: Problem, threads: number) {
    const student = opened(problem);
    const output = student.subgraph.outputs[0]!;
    const width = problem.layers.at(-1)!.output[2];
    const isLogits = problem.labels !== undefined;
    const size = problem.samples.length / BATCH;
    const samples = {
      count: BATCH,
      at: (index: number) => [problem.samples.subarray(index * size, (index + 1) * size)],
    };
    this.#team = new ShardTeam(
      {
        ...{ teacher: opened(teacher), student, samples, labels: problem.labels, seed: 1 },
        targets: [{ teacher: output, student: output, isLogits, width, variance: 1 }],
      },
      threads,
    );
  }

  gradients(): never {
    throw new Error('a team answers with losses alone');
  }

  async step(): Promise<number> {
    const loss = await this.#team.learn(this.#step);
    descend(this.#team.runner.student, ++this.#step);
    return loss;
  }
}
