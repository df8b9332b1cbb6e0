/** What steps compute, written down a second time: whole numbers, one output after the other. */
import {
  type BinaryStep,
  isConstantPlace,
  type MeanStep,
  PLAN_SHARED_MULTIPLIER,
  type PlanContents,
  type PlanStep,
  placeOffset,
  unpackWeights,
  type WindowStep,
} from '../../../src/plan/index.ts';
import { exactClamp, exactMultiply, wrap32 } from '../exact.ts';
import { elements } from '../one-operator.ts';

/** The arena before the step and the plan's constants. */
export interface Before {
  readonly arena: Int8Array;
  readonly constants: Uint8Array;
}

const int8 = (bytes: Uint8Array): Int8Array => new Int8Array(bytes.buffer, bytes.byteOffset);

const multiplied = (sum: bigint, value: number, shift: number): bigint =>
  exactMultiply(wrap32(sum), { value: BigInt(value), shift });

/** Values from a place on, in the arena or among the constants. */
export function valuesAt({ arena, constants }: Before, place: number): Int8Array {
  const values = isConstantPlace(place) ? int8(constants) : arena;
  return values.subarray(placeOffset(place));
}

/** Values inside the image under a window, `outside` where there is none. */
function windowAt(
  step: WindowStep,
  before: Before,
  [batch, outY, outX]: readonly [number, number, number],
  channel: number,
  outside: number | undefined,
): number[] {
  const { inH, inW, inC } = step;
  const image = valuesAt(before, step.input);
  const values: number[] = [];
  for (let ky = 0; ky < step.kernelH; ky++) {
    for (let kx = 0; kx < step.kernelW; kx++) {
      const y = outY * step.strideH - step.padTop + ky * step.dilationH;
      const x = outX * step.strideW - step.padLeft + kx * step.dilationW;
      const isInside = y >= 0 && y < inH && x >= 0 && x < inW;
      const value = isInside ? image[((batch * inH + y) * inW + x) * inC + channel]! : outside;
      if (value !== undefined) values.push(value);
    }
  }
  return values;
}

type Weigh = (values: (channel: number) => number[], outChannel: number) => number;

/** Sums, multipliers and limits of a layer with weights. */
function weigher(step: WindowStep, { constants }: Before): Weigh {
  const { kind, outC, inC, kernelH, kernelW, flags } = step;
  const isDepthwise = kind === 'DEPTHWISE_CONV_2D';
  const [area, depth] = [kernelH * kernelW, isDepthwise ? 1 : inC];
  const packed = constants.subarray(step.weights, step.weights + step.weightsBytes);
  const rows = unpackWeights(step.layout, packed, outC, area * depth);
  const view = new DataView(constants.buffer, constants.byteOffset);
  return (values, channel) => {
    let sum = BigInt(view.getInt32(step.bias + 4 * channel, true));
    for (let d = 0; d < depth; d++) {
      const seen = values(isDepthwise ? Math.floor(channel / (outC / inC)) : d);
      for (const [tap, value] of seen.entries()) {
        sum += BigInt(rows[channel * area * depth + tap * depth + d]! * value);
      }
    }
    const index = (flags & PLAN_SHARED_MULTIPLIER) !== 0 ? 0 : channel;
    const factor = view.getInt32(step.multipliers + 4 * index, true);
    const scaled = multiplied(sum, factor, view.getInt8(step.shifts + index));
    return exactClamp(scaled + BigInt(step.outputZero), [step.min, step.max]);
  };
}

function pooled(step: WindowStep, values: readonly number[]): number {
  const sum = values.reduce((total, value) => total + value, 0);
  const average = Math.sign(sum) * Math.floor(Math.abs(sum) / values.length + 0.5);
  const value = step.kind === 'MAX_POOL_2D' ? Math.max(...values) : average;
  return Math.min(Math.max(value, step.min), step.max);
}

function exactWindow(step: WindowStep, before: Before): number[] {
  const isPool = step.kind === 'AVERAGE_POOL_2D' || step.kind === 'MAX_POOL_2D';
  const weigh = isPool ? undefined : weigher(step, before);
  const output: number[] = [];
  for (let batch = 0; batch < step.batches; batch++) {
    for (let y = 0; y < step.outH; y++) {
      for (let x = 0; x < step.outW; x++) {
        const values = (channel: number): number[] =>
          windowAt(step, before, [batch, y, x], channel, isPool ? undefined : step.inputZero);
        for (let channel = 0; channel < step.outC; channel++) {
          output.push(weigh?.(values, channel) ?? pooled(step, values(channel)));
        }
      }
    }
  }
  return output;
}

/** Values of a block, the last dimension first. */
function block(
  before: Before,
  place: number,
  shape: readonly number[],
  steps: readonly number[],
): number[] {
  const values = valuesAt(before, place);
  return Array.from({ length: elements(shape) }, (_, index) => {
    let [rest, at] = [index, 0];
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      at += (rest % shape[axis]!) * steps[axis]!;
      rest = Math.floor(rest / shape[axis]!);
    }
    return values[at]!;
  });
}

function exactBinary(step: BinaryStep, before: Before): number[] {
  const [a, b] = [
    block(before, step.a, step.shape, step.aSteps),
    block(before, step.b, step.shape, step.bSteps),
  ];
  return a.map((value, index) => {
    const [left, right] = [BigInt(value - step.aZero), BigInt(b[index]! - step.bZero)];
    const shiftedA = multiplied(left * 2n ** 20n, step.aMultiplier, step.aShift);
    const shiftedB = multiplied(right * 2n ** 20n, step.bMultiplier, step.bShift);
    const sum = step.kind === 'ADD' ? shiftedA + shiftedB : shiftedA - shiftedB;
    const raw = step.kind === 'MUL' ? left * right : sum;
    const scaled = multiplied(raw, step.outputMultiplier, step.outputShift);
    return exactClamp(scaled + BigInt(step.outputZero), [step.min, step.max]);
  });
}

function exactMean(step: MeanStep, before: Before): number[] {
  const { outer, reduced, inner } = step;
  return Array.from({ length: outer * inner }, (_, index) => {
    const values = valuesAt(before, step.input);
    const first = Math.floor(index / inner) * reduced * inner + (index % inner);
    let sum = 0;
    for (let at = 0; at < reduced; at++) sum += values[first + at * inner]! - step.inputZero;
    const scaled = multiplied(BigInt(sum), step.multiplier, step.shift);
    return exactClamp(scaled + BigInt(step.outputZero), [-128, 127]);
  });
}

/** Within a step of the real softmax: the scale is that of multiplier and shift. */
export function realSoftmax(
  values: readonly number[],
  multiplier: number,
  shift: number,
): number[] {
  // A difference of 5 integer bits is one step times multiplier / 2^31 * 2^shift / 2^26.
  const scale = (multiplier / 2 ** 31) * 2 ** (shift - 26);
  const exps = values.map((value) => Math.exp((value - Math.max(...values)) * scale));
  const sum = exps.reduce((total, value) => total + value, 0);
  return exps.map((value) => Math.min((256 * value) / sum - 128, 127));
}

/** What a step writes, row-major; undefined of a softmax. */
export function exactStep(step: PlanStep, before: Before): number[] | undefined {
  switch (step.kind) {
    case 'ADD':
    case 'SUB':
    case 'MUL':
      return exactBinary(step, before);
    case 'LOOKUP': {
      const table = int8(before.constants);
      const values = valuesAt(before, step.input).subarray(0, step.sizeBytes);
      return Array.from(values, (value) => table[step.table + value + 128]!);
    }
    case 'MEAN':
      return exactMean(step, before);
    case 'COPY':
      return block(before, step.input, step.shape, step.inputSteps);
    case 'FILL':
      return Array.from({ length: step.sizeBytes }, () => step.value);
    case 'SOFTMAX':
      return undefined;
    default:
      return exactWindow(step, before);
  }
}

/** Where a step's output lies in the arena, in the order of what it writes. */
export function outputPlaces(step: PlanStep, written: number): number[] {
  const places = Int32Array.from({ length: written }, (_, index) => step.output + index);
  if (step.kind !== 'COPY') return [...places];
  return Array.from(places, (_, index) => {
    let [rest, at] = [index, step.output];
    for (let axis = 3; axis >= 0; axis--) {
      at += (rest % step.shape[axis]!) * step.outputSteps[axis]!;
      rest = Math.floor(rest / step.shape[axis]!);
    }
    return at;
  });
}

/** A plan whose one input and one output are its whole arena. */
export const exposed = (plan: PlanContents): PlanContents => {
  const all = { place: 0, sizeBytes: plan.arenaBytes, scale: 1, zeroPoint: 0 };
  const io = [{ ...all, shape: [plan.arenaBytes] }];
  return { ...plan, inputs: io, outputs: io };
};
