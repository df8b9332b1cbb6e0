import { MAX_RANK } from '../limits.ts';
import { tensorTypeToNumber } from '../tensor-type.ts';
import type { OperatorView, Rule } from './operator-view.ts';
import {
  isInteger8,
  perTensor,
  requireActivation,
  requireFixedQuantization,
  requireIdenticalQuantization,
  requireMultiplier,
  requireRescale,
} from './quantization.ts';

/** Broadcasting kernels unroll four dimensions. */
const MAX_BROADCAST_RANK = 4;
/** kernels/add.cc: 8-bit inputs are shifted left by this before they are added. */
const ADD_LEFT_SHIFT = 20;
/** QuantizeMultiplierSmallerThanOneExp aborts at 1; rounding to 31 bits reaches it a little before. */
const BELOW_ONE = 1 - 2 ** -20;

/** CastOptions: the default, which converters leave. */
const UNSAID = 0;

function broadcast(view: OperatorView): number[] {
  const a = view.input(0).shape;
  const b = view.input(1).shape;
  if (a.length === b.length && a.every((size, index) => size === b[index])) return [...a];
  const rank = Math.max(a.length, b.length);
  if (rank > MAX_BROADCAST_RANK) view.unsupported(`broadcasting over ${rank} dimensions`);
  return Array.from({ length: rank }, (_, index) => {
    const left = a[index - rank + a.length] ?? 1;
    const right = b[index - rank + b.length] ?? 1;
    view.require(
      left === right || left === 1 || right === 1,
      `shapes [${a}] and [${b}] do not go together`,
    );
    return Math.max(left, right);
  });
}

/** kernels/add.cc and sub.cc; the output multiplier must be below one or they abort. */
export const addOrSubtract: Rule = (view) => {
  requireActivation(view);
  if (isInteger8(view.input(0))) {
    const scales = [view.input(0), view.input(1)].map((tensor) => perTensor(view, tensor).scale);
    const twiceMax = 2 * Math.max(...scales);
    const output = twiceMax / (2 ** ADD_LEFT_SHIFT * perTensor(view, view.output).scale);
    view.require(output < BELOW_ONE, 'an output scale far too small for its inputs');
    for (const scale of scales) requireMultiplier(view, scale / twiceMax);
    requireMultiplier(view, output);
  }
  return [broadcast(view)];
};

/** kernels/mul.cc. */
export const multiply: Rule = (view) => {
  requireActivation(view);
  if (isInteger8(view.input(0))) {
    const [a, b] = [view.input(0), view.input(1)].map((tensor) => perTensor(view, tensor).scale);
    requireMultiplier(view, (a! * b!) / perTensor(view, view.output).scale);
  }
  return [broadcast(view)];
};

/** kernels/activations.cc, RELU and RELU6. */
export const rescaled: Rule = (view) => {
  requireRescale(view);
  return [view.input(0).shape];
};

/** kernels/activations.cc, HardSwishPrepare: 1/128 of the input scale over the output scale is at most 1. */
export const hardSwish: Rule = (view) => {
  requireRescale(view);
  if (isInteger8(view.input(0))) {
    const ratio = perTensor(view, view.input(0)).scale / perTensor(view, view.output).scale;
    view.require(ratio / 128 < BELOW_ONE, 'an output scale far too small for its input');
  }
  return [view.input(0).shape];
};

export const leakyRelu: Rule = (view) => {
  const alpha = view.number('alpha');
  view.require(Number.isFinite(alpha), `alpha is ${alpha}`);
  if (isInteger8(view.input(0))) {
    requireRescale(view);
    const ratio = perTensor(view, view.input(0)).scale / perTensor(view, view.output).scale;
    if (alpha !== 0) requireMultiplier(view, Math.abs(alpha) * ratio);
  }
  return [view.input(0).shape];
};

/** kernels/activations.cc, LogisticPrepare: the output covers 0 to 1 in 256 steps. */
export const logistic: Rule = (view) => {
  requireFixedQuantization(view, 1 / 256, { int8: -128, uint8: 0 });
  return [view.input(0).shape];
};

/** kernels/activations.cc, TanhPrepare: the output covers -1 to 1 in 256 steps. */
export const tanh: Rule = (view) => {
  requireFixedQuantization(view, 1 / 128, { int8: 0, uint8: 128 });
  return [view.input(0).shape];
};

/** kernels/activations.cc, SoftmaxPrepare. */
export const softmax: Rule = (view) => {
  const beta = view.number('beta');
  view.requireRank(view.input(0), 1, 4);
  view.require(Number.isFinite(beta) && beta > 0, `beta is ${beta}, not above 0`);
  requireFixedQuantization(view, 1 / 256, { int8: -128, uint8: 0 });
  if (isInteger8(view.input(0))) {
    requireMultiplier(view, beta * perTensor(view, view.input(0)).scale);
  }
  return [view.input(0).shape];
};

/** kernels/quantize.cc and dequantize.cc. */
export const convert: Rule = (view) => {
  for (const tensor of [view.input(0), view.output]) {
    if (isInteger8(tensor)) perTensor(view, tensor);
  }
  requireRescale(view);
  return [view.input(0).shape];
};

/** Operators that look at one value at a time, in float. */
export const unary: Rule = (view) => [view.input(0).shape];

/** As {@link unary}; XNNPACK does not round a scalar. */
export const round: Rule = (view) => {
  view.requireRank(view.input(0), 1, MAX_RANK);
  return [view.input(0).shape];
};

/** Broadcasting kernels that unroll their dimensions even where both shapes are equal. */
function unrolled(view: OperatorView): number[] {
  for (const tensor of [view.input(0), view.input(1)]) {
    view.requireRank(tensor, 0, MAX_BROADCAST_RANK);
  }
  return broadcast(view);
}

/** kernels/pow.cc and squared_difference.cc, in float. */
export const binary: Rule = (view) => [unrolled(view)];

/** kernels/div.cc, in float: what is divided by zero is infinite. */
export const divide: Rule = (view) => {
  requireActivation(view);
  return [unrolled(view)];
};

/** kernels/maximum_minimum.cc compares what is stored. */
export const extreme: Rule = (view) => {
  requireIdenticalQuantization(view, view.input(0), view.input(1), view.output);
  return [unrolled(view)];
};

/** kernels/activations.cc, PreluPrepare: slopes for each value, or for some of its dimensions. */
export const prelu: Rule = (view) => {
  const { shape } = view.input(0);
  const slopes = view.input(1);
  if (!view.graph.isConstant(slopes)) view.unsupported('slopes that are computed');
  const result = unrolled(view);
  view.require(
    result.length === shape.length && result.every((size, index) => size === shape[index]),
    `slopes of shape [${slopes.shape}] for [${shape}]`,
  );
  if (isInteger8(view.input(0))) {
    requireRescale(view);
    const [input, slope] = [view.input(0), slopes].map((tensor) => perTensor(view, tensor).scale);
    requireMultiplier(view, (input! * slope!) / perTensor(view, view.output).scale);
  }
  return [result];
};

/** kernels/add_n.cc: no broadcasting. */
export const addAll: Rule = (view) => [view.alike()[0]!.shape];

/** kernels/l2norm.cc: the output covers -1 to 1 in 256 steps. */
export const l2Normalization: Rule = (view) => {
  view.requireRank(view.input(0), 1, 4);
  if (view.number('fusedActivationFunction') !== 0) view.unsupported('a fused activation');
  requireFixedQuantization(view, 1 / 128, { int8: 0, uint8: 128 });
  return [view.input(0).shape];
};

/** kernels/activations.cc, LogSoftmaxPrepare: the output covers -16 to 0 in 256 steps. */
export const logSoftmax: Rule = (view) => {
  view.requireRank(view.input(0), 1, 4);
  requireFixedQuantization(view, 16 / 256, { int8: 127, uint8: 255 });
  if (isInteger8(view.input(0))) requireMultiplier(view, perTensor(view, view.input(0)).scale);
  return [view.input(0).shape];
};

/** kernels/cast.cc goes by the tensors; the options, where they are, must not say otherwise. */
export const cast: Rule = (view) => {
  const said = [
    ['inDataType', view.input(0)],
    ['outDataType', view.output],
  ] as const;
  for (const [name, { type }] of said) {
    const number = view.operator.options[name] ?? UNSAID;
    view.require(
      number === UNSAID || number === tensorTypeToNumber(type),
      `${name} ${number} for a tensor of ${type}`,
    );
  }
  return [view.input(0).shape];
};
