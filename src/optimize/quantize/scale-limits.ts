import type { Calibration } from '../calibrate/calibrate.ts';
import type { FloatModel } from '../float-model.ts';
import { type Affine, WEIGHT_HIGH } from './affine.ts';
import type { OperatorPlan } from './int8-plan.ts';
import { affineOfConstant } from './tensor-places.ts';
import { channelLookup, MOST_BIAS } from './weights.ts';

/**
 * Kernels shift what they have left by the multiplier's exponent before they saturate, and 32 bits must hold that:
 * eight bits of a value, sixteen of a product, twenty-odd of a mean's sum. Sums of products fill 32 bits alone.
 */
const MOST_MULTIPLIER = { value: 2 ** 15, product: 2 ** 13, mean: 2 ** 8, sum: 1 };
/** Each goes at least one operator further back; a graph that needs more is left to the verifier. */
const MAX_ROUNDS = 8;
/** kernels/add.cc shifts 8-bit inputs left by 20 and needs a multiplier below one after that. */
const ADD_HEADROOM = 2 ** 19.9;
/** kernels/activations.cc, HardSwishPrepare: 1/128 of the input's scale over the output's is at most 1. */
const HARD_SWISH_HEADROOM = 120;

/**
 * Widens outputs whose scale is too small for the inputs that they come from: x - x is next to nothing, and kernels
 * cannot hold the factor between the two. Nothing is lost: such an output is below the inputs' own rounding.
 */
export function raiseScales(
  float: FloatModel,
  plans: readonly OperatorPlan[],
  affines: Map<number, Affine>,
  calibration: Calibration,
  members: (tensor: number) => readonly number[],
): void {
  // A raised scale may be that of an earlier operator's input, too.
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const raised = plans.map((plan, place) => {
      const least =
        plan.kind === 'int8' ? leastScaleOf(float, place, plan, affines, calibration) : 0;
      const low = float.subgraph.operators[place]!.outputs.filter(
        (output) => (affines.get(output)?.scale ?? least) < least,
      );
      for (const member of low.flatMap(members)) {
        affines.set(member, { ...affines.get(member)!, scale: Math.fround(least) });
      }
      return low.length > 0;
    });
    if (!raised.includes(true)) return;
  }
}

/** 0 where any scale will do, or the kernel has its own. */
function leastScaleOf(
  { subgraph, graph }: FloatModel,
  place: number,
  { scheme, activations }: OperatorPlan & { readonly kind: 'int8' },
  affines: ReadonlyMap<number, Affine>,
  calibration: Calibration,
): number {
  if (scheme.output !== 'free') return 0;
  const operator = subgraph.operators[place]!;
  const valuesOf = (index: number): number[] => graph.values(graph.tensor(index));
  const scales = activations.map((position) => {
    const index = operator.inputs[position]!;
    return (affines.get(index) ?? affineOfConstant(valuesOf(index))).scale;
  });
  if (scheme.weights === undefined) return leastOutputScale(graph.code(operator).builtin, scales);
  const bias = operator.inputs[scheme.weights.biasPosition] ?? -1;
  const weights = graph.tensor(operator.inputs[scheme.weights.position]!);
  const channelOf = channelLookup({
    shape: weights.shape,
    channelAxis: scheme.weights.channelAxis,
  });
  // Folding leaves huge weights on channels that are never anything but zero: products with them are none.
  const inputs = calibration.get(operator.inputs[activations[0]!]!)!.channelSquares;
  const multiplier = Number(operator.options['depthMultiplier'] ?? 0);
  const inputOf = (index: number): number =>
    multiplier > 0 ? Math.floor(channelOf(index) / multiplier) : index % weights.shape.at(-1)!;
  const wakes = (index: number): boolean => (inputs[inputOf(index)] ?? 1) > 0;
  const [values, biases] = [graph.values(weights), bias === -1 ? [] : valuesOf(bias)];
  const awake = values.filter((_, index) => wakes(index));
  return Math.max(
    leastWeightedScale(scales[0]!, awake, biases),
    // The others only have to be something that a kernel can hold.
    leastWeightedScale(scales[0]!, values, []) / MOST_MULTIPLIER.value,
  );
}

/** The scale of sums is the input's times the weights', which is more where a bias needs the room. */
function leastWeightedScale(
  input: number,
  weights: readonly number[],
  bias: readonly number[],
): number {
  const largest = (values: readonly number[]): number =>
    values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const sums = Math.max((input * largest(weights)) / WEIGHT_HIGH, largest(bias) / MOST_BIAS);
  return sums / MOST_MULTIPLIER.sum;
}

function leastOutputScale(builtin: string, inputs: readonly number[]): number {
  switch (builtin) {
    case 'ADD':
    case 'SUB':
      return (2 * Math.max(...inputs)) / ADD_HEADROOM;
    case 'MUL':
      return (inputs[0]! * inputs[1]!) / MOST_MULTIPLIER.product;
    case 'BATCH_MATMUL':
      return (inputs[0]! * inputs[1]!) / MOST_MULTIPLIER.sum;
    case 'HARD_SWISH':
      return inputs[0]! / HARD_SWISH_HEADROOM;
    case 'MEAN':
      return inputs[0]! / MOST_MULTIPLIER.mean;
    case 'RELU':
    case 'RELU6':
    case 'ABS':
    case 'LEAKY_RELU':
      return inputs[0]! / MOST_MULTIPLIER.value;
    case 'PRELU':
      return (inputs[0]! * Math.max(1, inputs[1]!)) / MOST_MULTIPLIER.product;
    default:
      return 0;
  }
}
