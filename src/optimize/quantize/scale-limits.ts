import type { FloatModel } from '../float-model.ts';
import type { Affine } from './affine.ts';
import type { OperatorPlan } from './int8-plan.ts';
import { affineOfConstant } from './tensor-places.ts';

/** Fixed-point multipliers of TFLite reach 2^30; the verifier stops at 2^16, and so does this, a little before. */
const MOST_MULTIPLIER = 2 ** 15;
/** kernels/add.cc shifts 8-bit inputs left by 20 and needs a multiplier below one after that. */
const ADD_HEADROOM = 2 ** 19.9;
/** kernels/activations.cc, HardSwishPrepare: 1/128 of the input's scale over the output's is at most 1. */
const HARD_SWISH_HEADROOM = 120;

/**
 * Widens outputs whose scale is too small for the inputs that they come from: x - x is next to nothing, and kernels
 * cannot hold the factor between the two. Nothing is lost: such an output is below the inputs' own rounding.
 */
export function raiseScales(
  { subgraph, graph }: FloatModel,
  plans: readonly OperatorPlan[],
  affines: Map<number, Affine>,
  members: (tensor: number) => readonly number[],
): void {
  const affineOfInput = (index: number): Affine =>
    affines.get(index) ?? affineOfConstant(graph.values(graph.tensor(index)));
  for (const [place, plan] of plans.entries()) {
    if (plan.kind !== 'int8' || plan.scheme.output !== 'free') continue;
    const { inputs, outputs } = subgraph.operators[place]!;
    const { builtin } = graph.code(subgraph.operators[place]!);
    const scales = plan.activations.map((position) => affineOfInput(inputs[position]!).scale);
    const least = leastOutputScale(builtin, scales);
    for (const output of outputs) {
      const { scale, zeroPoint } = affines.get(output)!;
      if (scale >= least) continue;
      for (const member of members(output)) {
        affines.set(member, { scale: Math.fround(least), zeroPoint });
      }
    }
  }
}

function leastOutputScale(builtin: string, inputs: readonly number[]): number {
  switch (builtin) {
    case 'ADD':
    case 'SUB':
      return (2 * Math.max(...inputs)) / ADD_HEADROOM;
    case 'MUL':
    case 'BATCH_MATMUL':
      return inputs.reduce((product, scale) => product * scale, 1) / MOST_MULTIPLIER;
    case 'HARD_SWISH':
      return inputs[0]! / HARD_SWISH_HEADROOM;
    case 'MEAN':
    case 'RELU':
    case 'RELU6':
    case 'ABS':
    case 'LEAKY_RELU':
      return inputs[0]! / MOST_MULTIPLIER;
    case 'PRELU':
      return (inputs[0]! * Math.max(1, inputs[1]!)) / MOST_MULTIPLIER;
    default:
      return 0;
  }
}
