/**
 * What a training run does when: a pure function of the step, so that a run that goes on from a checkpoint does what it
 * would have done.
 */
export interface TrainingPlan {
  /** Share of the prunable weights that are zero in the end; 0 prunes nothing. */
  readonly sparsity: number;
  /** Whether int8 is simulated at all. */
  readonly quantized: boolean;
  readonly steps: number;
  readonly learningRate: number;
}

/** Samples of a step, in shards whose gradients are added up in order: the sum does not depend on who computed them. */
export const SHARDS = 4;
export const SHARD_SAMPLES = 8;
export const BATCH_SAMPLES = SHARDS * SHARD_SAMPLES;

/** Share of the steps while sparsity rises. */
const PRUNING_UNTIL = 0.5;
/** Share of the steps while it may still change which weights are pruned: those that were may come back. */
const CHOSEN_UNTIL = 0.75;
/** Share of the steps after which int8 is simulated, where weights had to be pruned first. */
const QUANTIZED_FROM = 0.75;
/** Share of the steps after which they are small. */
const SETTLED_FROM = 0.75;
const WARM_UP_STEPS = 50;

/** Zhu and Gupta 2017, "To prune, or not to prune", eq. 1: fast at first, slow at the end. */
export function sparsityAt({ sparsity, steps }: TrainingPlan, step: number): number {
  const done = Math.min(1, (step + 1) / Math.max(1, steps * PRUNING_UNTIL));
  return sparsity * (1 - (1 - done) ** 3);
}

/** First step after which the same weights stay pruned. */
export function prunedFrom({ sparsity, steps }: TrainingPlan): number {
  return sparsity === 0 ? 0 : Math.ceil(steps * CHOSEN_UNTIL);
}

/** First step with int8 simulated; `steps` where it never is. */
export function quantizedFrom({ sparsity, quantized, steps }: TrainingPlan): number {
  if (!quantized) return steps;
  return sparsity === 0 ? 0 : Math.floor(steps * QUANTIZED_FROM);
}

/** First step of the slow end: before it, the loss on other samples goes up and down, and no plateau is the last. */
export function settledFrom(plan: TrainingPlan): number {
  return Math.max(prunedFrom(plan), Math.ceil(plan.steps * SETTLED_FROM));
}

/** Half a cosine down to zero (Loshchilov and Hutter 2017) after a short rise. */
export function learningRateAt({ steps, learningRate }: TrainingPlan, step: number): number {
  const rise = Math.min(1, (step + 1) / WARM_UP_STEPS);
  return learningRate * rise * 0.5 * (1 + Math.cos((Math.PI * step) / steps));
}
