import type { OperatorView, Rule } from './operator-view.ts';
import {
  isInteger8,
  perTensor,
  requireActivation,
  requireFixedQuantization,
  requireMultiplier,
  requireRescale,
} from './quantization.ts';

/** Broadcasting kernels unroll four dimensions. */
const MAX_BROADCAST_RANK = 4;
/** kernels/add.cc: 8-bit inputs are shifted left by this before they are added. */
const ADD_LEFT_SHIFT = 20;
/** QuantizeMultiplierSmallerThanOneExp aborts at 1; rounding to 31 bits reaches it a little before. */
const BELOW_ONE = 1 - 2 ** -20;

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
