import { scratchBytes } from '../scratch.ts';
import { int32Values } from './bytes.ts';
import {
  PLAN_ALIGNMENT,
  PLAN_MAX_BYTES,
  PLAN_MAX_SHIFT,
  PLAN_MIN_SHIFT,
  PLAN_NARROW_MAX_SHIFT,
  PLAN_NARROW_MAX_SUM,
  PLAN_NARROW_MIN_SHIFT,
  PLAN_NARROW_SUMS,
  PLAN_SHARED_MULTIPLIER,
} from './constants.ts';
import type { StepCheck } from './step-check.ts';
import { isWeighted, multiplierCount, rowTaps, type WindowStep } from './steps.ts';
import { unpackWeights, weightsProblem } from './weights.ts';

type WindowCheck = StepCheck<WindowStep>;

/** The largest magnitude of an int8. */
const MAX_MAGNITUDE = 128;

const signed = (bytes: Uint8Array): Int8Array =>
  new Int8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** Sums are at most 2^30 from 0, whatever the inputs. */
function checkNarrowSums(check: WindowCheck, bias: Int32Array, rows: Int8Array): void {
  const taps = rowTaps(check.step);
  for (const [channel, start] of bias.entries()) {
    let [low, high] = [start, start];
    for (const weight of rows.subarray(channel * taps, (channel + 1) * taps)) {
      low += weight > 0 ? -MAX_MAGNITUDE * weight : (MAX_MAGNITUDE - 1) * weight;
      high += weight > 0 ? (MAX_MAGNITUDE - 1) * weight : -MAX_MAGNITUDE * weight;
    }
    if (Math.max(high, -low) > PLAN_NARROW_MAX_SUM) {
      check.fail('flags', `narrow sums, but channel ${channel} may reach ${low} to ${high}`);
    }
  }
}

function checkMultipliers(check: WindowCheck, isNarrow: boolean): void {
  const count = multiplierCount(check.step);
  const [min, max] = isNarrow
    ? [PLAN_NARROW_MIN_SHIFT, PLAN_NARROW_MAX_SHIFT]
    : [PLAN_MIN_SHIFT, PLAN_MAX_SHIFT];
  for (const [index, value] of int32Values(check.constant('multipliers', 4 * count)).entries()) {
    if (value < 0) check.fail('multipliers', `${value} of channel ${index} is negative`);
  }
  for (const [index, value] of signed(check.constant('shifts', count)).entries()) {
    if (value < min || value > max) {
      check.fail('shifts', `${value} of channel ${index} is not from ${min} to ${max}`);
    }
  }
}

/** Weights, bias, multipliers and shifts. */
function checkWeighted(check: WindowCheck): void {
  const { step } = check;
  const isNarrow = (step.flags & PLAN_NARROW_SUMS) !== 0;
  check.range(0, PLAN_SHARED_MULTIPLIER | PLAN_NARROW_SUMS, 'flags');
  const weights = check.constant('weights', step.weightsBytes);
  if (step.kind === 'DEPTHWISE_CONV_2D' && step.layout !== 'DENSE') {
    check.fail('layout', `${step.layout}; a depthwise convolution has DENSE weights`);
  }
  const [channels, taps] = [step.outC, rowTaps(step)];
  if (channels * taps > PLAN_MAX_BYTES) {
    check.fail('weights', `[${channels}][${taps}]; a tensor may have ${PLAN_MAX_BYTES}`);
  }
  const problem = weightsProblem(step.layout, weights, channels, taps);
  if (problem !== undefined) {
    check.fail('weights', `${step.layout} [${channels}][${taps}]: ${problem}`);
  }
  const bias = int32Values(check.constant('bias', 4 * channels));
  checkMultipliers(check, isNarrow);
  if (isNarrow) {
    checkNarrowSums(check, bias, unpackWeights(step.layout, weights, channels, taps));
  }
}

/** A pool has no weights, and no window that lies outside the image. */
function checkPool(check: WindowCheck): void {
  const { step } = check;
  check.is(0, 'weights', 'weightsBytes', 'bias', 'multipliers', 'shifts');
  if (step.layout !== 'DENSE') check.fail('layout', `${step.layout}; a pool has none but DENSE`);
  check.is(1, 'dilationH', 'dilationW');
  check.is(step.inC, 'outC');
  const outside = 'a window that lies outside the image';
  if (step.padTop >= step.kernelH) check.fail('padTop', outside);
  if (step.padLeft >= step.kernelW) check.fail('padLeft', outside);
  if ((step.outH - 1) * step.strideH - step.padTop >= step.inH) check.fail('outH', outside);
  if ((step.outW - 1) * step.strideW - step.padLeft >= step.inW) check.fail('outW', outside);
}

function checkKind(check: WindowCheck): void {
  const { step } = check;
  if (step.kind === 'DEPTHWISE_CONV_2D') {
    check.range(1, step.outH, 'bandRows');
    if (step.outC % step.inC !== 0) {
      check.fail('outC', `${step.outC} is no multiple of in_c, which is ${step.inC}`);
    }
  } else if (step.kind === 'FULLY_CONNECTED') {
    check.is(1, 'inH', 'inW', 'outH', 'outW', 'kernelH', 'kernelW');
    check.is(1, 'strideH', 'strideW', 'dilationH', 'dilationW');
    check.is(0, 'padTop', 'padLeft');
  }
}

/** @throws DunlinError plan-malformed */
export function checkWindow(check: WindowCheck): void {
  const { step } = check;
  check.atLeast(1, 'batches', 'inH', 'inW', 'inC', 'outH', 'outW', 'outC', 'kernelH', 'kernelW');
  check.atLeast(1, 'strideH', 'strideW', 'dilationH', 'dilationW');
  checkKind(check);
  check.arena('input', step.batches * step.inH * step.inW * step.inC);
  check.arena('output', step.batches * step.outH * step.outW * step.outC);
  check.aligned('scratch', PLAN_ALIGNMENT);
  check.arena('scratch', scratchBytes(step));
  check.atLeast(step.min, 'max');
  if (isWeighted(step)) checkWeighted(check);
  else checkPool(check);
}
