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
  /** Share of each layer's weights that are zero in the end; 0 prunes nothing. */
  readonly sparsity: number;
}

export interface Progress {
  readonly step: number;
  readonly steps: number;
  /** Means over the windows since the last report, measured before each step. */
  readonly loss: number;
  readonly accuracy: number;
}

const REPORT_EVERY_STEPS = 50;
/** Steps while sparsity rises, as a share of all; the rest heals. */
const PRUNING_UNTIL = 0.6;

/** Trains in place on freshly simulated windows, the conditions in turn. */
export function train(
  network: Network,
  plan: TrainingPlan,
  onProgress: (progress: Progress) => void,
): void {
  const optimizers = network.parameters.map((parameter) => new Adam(parameter));
  let [loss, correct, seen] = [0, 0, 0];
  for (let step = 0; step < plan.steps; step++) {
    for (let i = 0; i < plan.batch; i++) {
      const label = i % CONDITIONS.length;
      const random = new Random(plan.seed, step, i);
      loss += network.learn(simulateWindow(random, CONDITIONS[label]!), label);
      correct += argmax(network.activations[network.layers.length]!) === label ? 1 : 0;
      seen += 1;
    }
    const rate = plan.learningRate * 0.5 * (1 + Math.cos((Math.PI * step) / plan.steps));
    const sparsity = sparsityAt(plan, step);
    for (const optimizer of optimizers) optimizer.step(rate, plan.batch, sparsity);
    if ((step + 1) % REPORT_EVERY_STEPS === 0 || step + 1 === plan.steps) {
      onProgress({
        step: step + 1,
        steps: plan.steps,
        loss: loss / seen,
        accuracy: correct / seen,
      });
      [loss, correct, seen] = [0, 0, 0];
    }
  }
}

/** Zhu and Gupta 2017, "To prune, or not to prune", eq. 1: fast at first, slow at the end. */
export function sparsityAt({ sparsity, steps }: TrainingPlan, step: number): number {
  const done = Math.min(1, (step + 1) / (steps * PRUNING_UNTIL));
  return sparsity * (1 - (1 - done) ** 3);
}

export function argmax(values: ArrayLike<number>): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i]! > values[best]!) best = i;
  return best;
}

/** Kingma and Ba 2015, algorithm 1, with the magnitude mask applied after each step. */
class Adam {
  readonly #parameter: Parameter;
  readonly #mean: Float32Array;
  readonly #square: Float32Array;
  readonly #isPruned: Uint8Array;
  #steps = 0;

  constructor(parameter: Parameter) {
    this.#parameter = parameter;
    this.#mean = new Float32Array(parameter.values.length);
    this.#square = new Float32Array(parameter.values.length);
    this.#isPruned = new Uint8Array(parameter.values.length);
  }

  step(rate: number, batch: number, sparsity: number): void {
    this.#steps += 1;
    const { values, gradient, isPrunable } = this.#parameter;
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
    if (isPrunable && sparsity > 0) this.#prune(sparsity);
  }

  /** What is pruned stays pruned; of the rest, the smallest weights go until the share is reached. */
  #prune(sparsity: number): void {
    const { values } = this.#parameter;
    const wanted = Math.ceil(sparsity * values.length);
    let pruned = 0;
    for (let i = 0; i < values.length; i++) {
      if (this.#isPruned[i] === 0) continue;
      values[i] = 0;
      pruned += 1;
    }
    if (pruned >= wanted) return;
    const kept = Uint32Array.from(values.keys()).filter((i) => this.#isPruned[i] === 0);
    kept.sort((a, b) => Math.abs(values[a]!) - Math.abs(values[b]!) || a - b);
    for (const i of kept.subarray(0, wanted - pruned)) {
      this.#isPruned[i] = 1;
      values[i] = 0;
    }
  }
}
