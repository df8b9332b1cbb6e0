import { INT8_MIN } from '../reference/fixed-point.ts';
import { scratchBytes } from '../scratch.ts';
import { int32Values, roundUp } from './bytes.ts';
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
  PLAN_UNBROKEN_MAX_SUM,
  PLAN_UNBROKEN_SUMS,
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
  for (const [index, value] of signed(check.constant('shifts', count, 1)).entries()) {
    if (value < min || value > max) {
      check.fail('shifts', `${value} of channel ${index} is not from ${min} to ${max}`);
    }
  }
}

function checkUnbrokenSums(check: WindowCheck, rows: Int8Array, taps: number): void {
  for (let channel = 1; channel < check.step.outC; channel += 2) {
    let most = 0;
    for (let tap = 0; tap < taps; tap++) most += Math.abs(rows[channel * taps + tap]!) * -INT8_MIN;
    if (most >= PLAN_UNBROKEN_MAX_SUM) {
      check.fail('flags', `UNBROKEN_SUMS, but the products of channel ${channel} reach ${most}`);
    }
  }
}

/** Weights, bias, multipliers and shifts. */
function checkWeighted(check: WindowCheck): void {
  const { step } = check;
  const isNarrow = (step.flags & PLAN_NARROW_SUMS) !== 0;
  check.range(0, PLAN_SHARED_MULTIPLIER | PLAN_NARROW_SUMS | PLAN_UNBROKEN_SUMS, 'flags');
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
  const isUnbroken = (step.flags & PLAN_UNBROKEN_SUMS) !== 0;
  if (isUnbroken && step.layout !== 'PAIRS') check.fail('flags', 'UNBROKEN_SUMS without PAIRS');
  if (!isNarrow && !isUnbroken) return;
  const rows = unpackWeights(step.layout, weights, channels, taps);
  if (isNarrow) checkNarrowSums(check, bias, rows);
  if (isUnbroken) checkUnbrokenSums(check, rows, taps);
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
    return;
  }
  check.is(0, 'bandRows');
  if (step.kind === 'FULLY_CONNECTED') {
    check.is(1, 'inH', 'inW', 'outH', 'outW', 'kernelH', 'kernelW');
    check.is(1, 'strideH', 'strideW', 'dilationH', 'dilationW');
    check.is(0, 'padTop', 'padLeft');
  }
}

/** What a step reads of its input: PAIRS of a fully connected layer take it in words of 4 bytes. */
function inputBytes(step: WindowStep): number {
  const { kind, layout, batches, inH, inW, inC } = step;
  const past = kind === 'FULLY_CONNECTED' && layout === 'PAIRS' ? roundUp(inC, 4) - inC : 0;
  return batches * inH * inW * inC + past;
}

/** @throws DunlinError plan-malformed */
export function checkWindow(check: WindowCheck): void {
  const { step } = check;
  check.atLeast(1, 'batches', 'inH', 'inW', 'inC', 'outH', 'outW', 'outC', 'kernelH', 'kernelW');
  check.atLeast(1, 'strideH', 'strideW', 'dilationH', 'dilationW');
  checkKind(check);
  check.readable('input', inputBytes(step));
  check.arena('output', step.batches * step.outH * step.outW * step.outC);
  check.aligned('scratch', PLAN_ALIGNMENT);
  check.arena('scratch', scratchBytes(step));
  check.atLeast(step.min, 'max');
  if (isWeighted(step)) checkWeighted(check);
  else checkPool(check);
}
