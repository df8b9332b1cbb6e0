import { Random } from '../../src/core/index.ts';
import type { Parameter } from './layers.ts';
import type { Network } from './network.ts';
import { CONDITIONS, simulateWindow } from './simulate.ts';

export interface TrainingPlan {
  /** Seed of the training windows; no window is seen twice. */
  readonly seed: number;
  readonly steps: number;
  readonly batch: number;
  /** Highest step size; it falls to zero along half a cosine. */
  readonly learningRate: number;
}

export interface Progress {
  readonly step: number;
  readonly steps: number;
  /** Of late. */
  readonly loss: number;
}

const REPORT_EVERY_STEPS = 50;

/** Trains in place on freshly simulated windows, the conditions in turn. */
export function train(
  network: Network,
  plan: TrainingPlan,
  onProgress: (progress: Progress) => void,
): void {
  const optimizers = network.parameters.map((parameter) => new Adam(parameter));
  let [loss, seen] = [0, 0];
  for (let step = 0; step < plan.steps; step++) {
    for (let i = 0; i < plan.batch; i++) {
      const label = i % CONDITIONS.length;
      const random = new Random(plan.seed, step, i);
      loss += network.learn(simulateWindow(random, CONDITIONS[label]!), label);
      seen += 1;
    }
    const rate = plan.learningRate * 0.5 * (1 + Math.cos((Math.PI * step) / plan.steps));
    for (const optimizer of optimizers) optimizer.step(rate, plan.batch);
    if ((step + 1) % REPORT_EVERY_STEPS === 0 || step + 1 === plan.steps) {
      onProgress({ step: step + 1, steps: plan.steps, loss: loss / seen });
      [loss, seen] = [0, 0];
    }
  }
}

/** Kingma and Ba 2015, algorithm 1. */
class Adam {
  readonly #parameter: Parameter;
  readonly #mean: Float32Array;
  readonly #square: Float32Array;
  #steps = 0;

  constructor(parameter: Parameter) {
    this.#parameter = parameter;
    this.#mean = new Float32Array(parameter.values.length);
    this.#square = new Float32Array(parameter.values.length);
  }

  step(rate: number, batch: number): void {
    this.#steps += 1;
    const { values, gradient } = this.#parameter;
    const meanScale = 1 / (1 - 0.9 ** this.#steps);
    const squareScale = 1 / (1 - 0.999 ** this.#steps);
    for (let i = 0; i < values.length; i++) {
      const g = gradient[i]! / batch;
      const mean = 0.9 * this.#mean[i]! + 0.1 * g;
      const square = 0.999 * this.#square[i]! + 0.001 * g * g;
      this.#mean[i] = mean;
      this.#square[i] = square;
      values[i]! -= (rate * mean * meanScale) / (Math.sqrt(square * squareScale) + 1e-8);
    }
    gradient.fill(0);
  }
}
