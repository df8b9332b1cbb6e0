import { elementCount } from '../tensor-type.ts';
import type { Rule } from './operator-view.ts';
import {
  isInteger8,
  perTensor,
  requireActivation,
  requireMultiplier,
  requireWeightedQuantization,
} from './quantization.ts';
import { requireBiasShape } from './window.ts';

/** ActivationFunctionType of schema.fbs. */
const RELU = 1;

/** kernels/fully_connected.cc: weights [units, in]; the input is flattened to rows of `in`. */
export const fullyConnected: Rule = (view) => {
  const input = view.input(0);
  const weights = view.input(1);
  view.requireRank(weights, 2);
  view.requireRank(input, 1, 4);
  const [units, depth] = weights.shape as [number, number];
  const size = elementCount(input.shape);
  view.require(size % depth === 0, `${size} input values in rows of ${depth}`);
  if (view.number('weightsFormat') !== 0) view.unsupported('a shuffled weights format');
  requireActivation(view);
  const bias = view.optional(2);
  requireBiasShape(view, bias, units);
  requireWeightedQuantization(view, {
    input,
    weights,
    bias,
    channelAxis: 0,
    channels: units,
    perChannel: false,
  });
  if (!view.flag('keepNumDims')) return [[size / depth, units]];
  view.require(input.shape.at(-1) === depth, `rows of ${input.shape.at(-1)}, weights of ${depth}`);
  return [[...input.shape.slice(0, -1), units]];
};

/**
 * kernels/svdf.cc: input [batch, in], feature weights [filters, in], time weights [filters, memory],
 * bias [units], state [batch, memory x filters].
 */
export const svdf: Rule = (view) => {
  const input = view.input(0);
  const feature = view.input(1);
  const time = view.input(2);
  const state = view.input(4);
  for (const tensor of [input, feature, time, state]) view.requireRank(tensor, 2);
  const [batch, depth] = input.shape as [number, number];
  const [filters, featureDepth] = feature.shape as [number, number];
  const [timeFilters, memory] = time.shape as [number, number];
  const rank = view.bounded('rank', 1, filters);
  view.require(filters % rank === 0, `${filters} filters at rank ${rank}`);
  view.require(featureDepth === depth, `feature weights of ${featureDepth} for ${depth} inputs`);
  view.require(timeFilters === filters, `${timeFilters} time filters for ${filters} filters`);
  view.require(
    state.isVariable && state.shape[0] === batch && state.shape[1] === memory * filters,
    `a state of [${state.shape}], not a variable of [${batch},${memory * filters}]`,
  );
  const units = filters / rank;
  requireBiasShape(view, view.optional(3), units);
  requireActivation(view);
  for (const weights of [feature, time]) {
    if (!view.graph.isConstant(weights)) view.unsupported('weights that are computed');
  }
  if (isInteger8(input)) {
    if (view.number('fusedActivationFunction') !== RELU) view.unsupported('int8 without a RELU');
    const scale = (tensor: typeof input): number => perTensor(view, tensor).scale;
    requireMultiplier(view, (scale(input) * scale(feature)) / scale(state));
    requireMultiplier(view, (scale(state) * scale(time)) / scale(view.output));
  }
  return [[batch, units]];
};

/** Ranks that kernels/batch_matmul.cc takes. */
const MIN_MATMUL_RANK = 2;
const MAX_MATMUL_RANK = 4;

/** kernels/batch_matmul.cc: [..., rows, depth] by [..., depth, columns], either one transposed. */
export const batchMatmul: Rule = (view) => {
  const shapes = [view.input(0), view.input(1)].map((tensor) => {
    view.requireRank(tensor, MIN_MATMUL_RANK, MAX_MATMUL_RANK);
    return tensor.shape;
  }) as [number[], number[]];
  const rank = Math.max(...shapes.map((shape) => shape.length));
  const [left, right] = shapes.map((shape) => [
    ...Array<number>(rank - shape.length).fill(1),
    ...shape,
  ]) as [number[], number[]];
  const batch = left.slice(0, -2).map((size, index) => {
    const other = right[index]!;
    view.require(
      size === other || size === 1 || other === 1,
      `batches of [${left}] and [${right}]`,
    );
    return Math.max(size, other);
  });
  const matrix = (shape: number[], adjoint: boolean): [number, number] =>
    adjoint ? [shape.at(-1)!, shape.at(-2)!] : [shape.at(-2)!, shape.at(-1)!];
  const [rows, depth] = matrix(left, view.flag('adjX'));
  const [otherDepth, columns] = matrix(right, view.flag('adjY'));
  view.require(depth === otherDepth, `rows of ${depth} by columns of ${otherDepth}`);
  if (isInteger8(view.input(0))) {
    const [a, b] = [view.input(0), view.input(1)].map((tensor) => perTensor(view, tensor).scale);
    requireMultiplier(view, (a! * b!) / perTensor(view, view.output).scale);
  }
  return [[...batch, rows, columns]];
};
