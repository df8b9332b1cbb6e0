import { DunlinError } from '../../core/index.ts';
import { elementCount, firstAlias, printable } from '../../tflite/index.ts';
import type { Calibration } from '../calibrate/calibrate.ts';
import type { FloatModel } from '../float-model.ts';
import { int8Scheme } from '../quantize/int8-schemes.ts';

/**
 * Smaller layers are not pruned, nor are depthwise ones and biases: they shape the signal, and weigh next to nothing.
 */
export const LEAST_PRUNABLE_WEIGHTS = 512;
/** Of every layer, so much stays at the least: a layer without weights passes nothing on. */
const LEAST_KEPT_SHARE = 0.02;
/** 0.29 of 100 weights are 29, though in binary it is a little less. */
const COUNT_DUST = 1e-6;

/** Whether every layer loses the same share, or those lose most that matter least. */
export const PRUNE_SCOPES = ['layer', 'global'] as const;
export type PruneScope = (typeof PRUNE_SCOPES)[number];

/** Weights of one layer that may become zero. */
export interface PrunableWeights {
  /** Index of the tensor in the float model. */
  readonly tensor: number;
  /** The operator's label, and the layer's name for people. */
  readonly label: string;
  readonly layer: string;
  /**
   * What a weight's magnitude is multiplied with: how large its input is, so that what counts is what the weight does
   * to the layer's results (M. Sun et al. 2024, "A Simple and Effective Pruning Approach for Large Language Models");
   * as a share of these results, so that layers compare. By the weight's index modulo its length.
   */
  readonly importance: Float64Array;
}

/** @throws `model-unsupported` for a model with nothing to prune */
export function prunableWeights(float: FloatModel, calibration: Calibration): PrunableWeights[] {
  const found = layersToPrune(float, calibration, LEAST_PRUNABLE_WEIGHTS);
  if (found.length > 0) return found;
  throw new DunlinError(
    `${float.what}: nothing to prune: no convolution or fully connected layer has ${LEAST_PRUNABLE_WEIGHTS} constant ` +
      'weights; leave --prune out',
    { code: 'model-unsupported' },
  );
}

/** Layers with so many constant weights, in order of execution; depthwise ones are left out. */
export function layersToPrune(
  { graph, subgraph }: FloatModel,
  calibration: Calibration,
  leastWeights: number,
): PrunableWeights[] {
  const found = new Map<number, PrunableWeights>();
  for (const operator of subgraph.operators) {
    const { builtin } = graph.code(operator);
    const scheme = int8Scheme(builtin);
    if (scheme?.weights === undefined || builtin === 'DEPTHWISE_CONV_2D') continue;
    const tensor = operator.inputs[scheme.weights.position]!;
    const weights = graph.tensor(tensor);
    if (!graph.isConstant(weights) || elementCount(weights.shape) < leastWeights) continue;
    const [activation] = scheme.activations as readonly number[];
    const inputs = calibration.get(operator.inputs[activation!]!)?.channelSquares;
    const outputs = calibration.get(operator.outputs[0]!)?.channelSquares;
    if (found.has(tensor) || inputs === undefined || outputs === undefined) continue;
    const depth = weights.shape.at(-1)!;
    const power = outputs.reduce((sum, square) => sum + square, 0) / outputs.length || 1;
    const importance =
      inputs.length === depth
        ? inputs.map((square) => Math.sqrt(square / power))
        : Float64Array.of(1 / Math.sqrt(power));
    const layer = printable(firstAlias(graph.tensor(operator.outputs[0]!).name));
    found.set(tensor, { tensor, label: graph.label(operator), layer, importance });
  }
  return [...found.values()];
}

/** One layer's weights as they are now. */
export interface WeightValues {
  readonly values: Float32Array;
  readonly importance: Float64Array;
}

/**
 * The weights that matter least: a mask for each layer, 0 where a weight is pruned. Exactly the share of all weights
 * (`global`) or of each layer's, rounded down, as long as every layer keeps its least; equals go by their index.
 */
export function chooseMasks(
  layers: readonly WeightValues[],
  share: number,
  scope: PruneScope,
): Uint8Array[] {
  if (scope === 'layer') return layers.flatMap((layer) => maskTogether([layer], share));
  return maskTogether(layers, share);
}

function maskTogether(layers: readonly WeightValues[], share: number): Uint8Array[] {
  const total = layers.reduce((sum, { values }) => sum + values.length, 0);
  const scores = new Float64Array(total);
  let [at, kept] = [0, 0];
  for (const layer of layers) {
    const own = scores.subarray(at, at + layer.values.length);
    own.set(scoresOf(layer));
    kept += keepLargest(own);
    at += own.length;
  }
  const count = Math.min(Math.floor(total * share + COUNT_DUST), total - kept);
  const sorted = scores.toSorted();
  const limit = count === 0 ? Number.NEGATIVE_INFINITY : sorted[count - 1]!;
  let ties = count - sorted.findIndex((score) => score >= limit);
  at = 0;
  return layers.map(({ values }) =>
    new Uint8Array(values.length).map(() => {
      const score = scores[at++]!;
      if (score < limit) return 0;
      return score === limit && count > 0 && ties-- > 0 ? 0 : 1;
    }),
  );
}

/** Scores of what a layer keeps in any case become endless; of equals the last. @returns how many */
function keepLargest(scores: Float64Array): number {
  const kept = Math.max(1, Math.ceil(scores.length * LEAST_KEPT_SHARE - COUNT_DUST));
  const least = scores.toSorted()[scores.length - kept]!;
  let ties = kept - scores.reduce((larger, score) => larger + (score > least ? 1 : 0), 0);
  for (let index = scores.length - 1; index >= 0; index--) {
    const score = scores[index]!;
    if (score > least || (score === least && ties-- > 0)) scores[index] = Number.POSITIVE_INFINITY;
  }
  return kept;
}

function scoresOf({ values, importance }: WeightValues): Float64Array {
  const depth = importance.length;
  return Float64Array.from(values, (value, index) => Math.abs(value) * importance[index % depth]!);
}

/** What is left of weights, with nothing but zeros of one sign where they are pruned: others pack worse. */
export function maskedWeights(values: Float32Array, mask: Uint8Array): Float32Array {
  return values.map((value, index) => (mask[index] === 0 ? 0 : value));
}
