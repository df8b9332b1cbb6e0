import {
  ConstantsBuilder,
  constantPlace,
  isConstantPlace,
  PLAN_NARROW_SUMS,
  PLAN_SHARED_MULTIPLIER,
  type PlanContents,
  type PlanIo,
  type PlanKind,
  type PlanLayout,
  type PlanStep,
  packDense,
  packPairs,
  packRuns,
  type WindowStep,
} from '../../src/plan/index.ts';
import { scratchBytes } from '../../src/plan/scratch.ts';
import { lcg } from './lcg.ts';
import { elements } from './one-operator.ts';

/** Numbers that depend on the seed alone. */
export class Random {
  readonly #next: () => number;

  constructor(seed: number) {
    this.#next = lcg(seed);
  }

  /** From `min` to `max`, both included. */
  int(min: number, max: number): number {
    return min + Math.floor((this.#next() / 2 ** 32) * (max - min + 1));
  }

  pick<T>(values: readonly T[]): T {
    return values[this.int(0, values.length - 1)]!;
  }

  int8s(length: number): Int8Array {
    return Int8Array.from({ length }, () => this.int(-128, 127));
  }
}

/** Memory for steps: places that do not overlap, and constants. */
export class PlanMemoryBuilder {
  readonly constants = new ConstantsBuilder();
  #arenaBytes = 0;

  /** A place in the arena. */
  arena(sizeBytes: number, alignment = 1): number {
    const at = Math.ceil(this.#arenaBytes / alignment) * alignment;
    this.#arenaBytes = at + sizeBytes;
    return at;
  }

  plan(steps: readonly PlanStep[], inputs: PlanIo[], outputs: PlanIo[]): PlanContents {
    return {
      target: 'CORTEX_M4',
      arenaBytes: this.#arenaBytes,
      inputs,
      outputs,
      steps,
      constants: this.constants.bytes(),
    };
  }
}

type Make = (random: Random, memory: PlanMemoryBuilder, kind: PlanKind) => PlanStep;

const multiplier = (random: Random): number => random.int(2 ** 30, 2 ** 31 - 1);

type Limits = { readonly min: number; readonly max: number };

const limits = (random: Random): Limits => {
  const min = random.int(-128, 0);
  return { min, max: random.int(min, 127) };
};

type Constants = Pick<
  WindowStep,
  'flags' | 'weights' | 'weightsBytes' | 'bias' | 'multipliers' | 'shifts' | 'layout'
>;

const WITHOUT_CONSTANTS: Constants = {
  flags: 0,
  weights: 0,
  weightsBytes: 0,
  bias: 0,
  multipliers: 0,
  shifts: 0,
  layout: 'DENSE',
};

/** Random weights of so many rows, packed in a layout that takes them. */
function constantsOf(
  random: Random,
  { constants }: PlanMemoryBuilder,
  outC: number,
  taps: number,
  layouts: readonly PlanLayout[],
): Constants {
  const zeros = random.int(0, 9);
  const rows = random.int8s(outC * taps).map((value) => (random.int(0, 9) < zeros ? 0 : value));
  const flags = random.int(0, PLAN_SHARED_MULTIPLIER | PLAN_NARROW_SUMS);
  const count = (flags & PLAN_SHARED_MULTIPLIER) !== 0 ? 1 : outC;
  const isNarrow = (flags & PLAN_NARROW_SUMS) !== 0;
  const wanted = random.pick(layouts);
  const pairs = wanted === 'PAIRS' ? packPairs(rows, outC, taps) : undefined;
  const layout = wanted === 'PAIRS' && pairs === undefined ? 'DENSE' : wanted;
  const packed = layout === 'RUNS' ? packRuns(rows, outC, taps)! : packDense(rows, outC, taps);
  const weights = pairs ?? packed;
  const [least, most] = isNarrow
    ? [-22, -1]
    : random.pick([[-12, -5] as const, [-31, 30] as const]);
  return {
    flags,
    weights: constants.append(weights),
    weightsBytes: weights.length,
    bias: constants.append(
      Int32Array.from({ length: outC }, () => random.int(-(2 ** 16), 2 ** 16)),
    ),
    multipliers: constants.append(Int32Array.from({ length: count }, () => multiplier(random))),
    shifts: constants.append(Int8Array.from({ length: count }, () => random.int(least, most))),
    layout,
  };
}

/** One dimension of a window; of a pool with something of the image in every position. */
function slide(random: Random, isPool: boolean) {
  const kernel = random.int(1, 3);
  const stride = random.int(1, 3);
  const dilation = isPool ? 1 : random.int(1, 2);
  const image = random.int(1, 7);
  const pad = random.int(0, (kernel - 1) * dilation);
  const most = Math.floor((image - 1 + pad) / stride) + 1;
  return { kernel, stride, dilation, image, pad, output: random.int(1, isPool ? most : 5) };
}

const windowStep: Make = (random, memory, name) => {
  const kind = name as WindowStep['kind'];
  const isPool = kind === 'AVERAGE_POOL_2D' || kind === 'MAX_POOL_2D';
  const isDepthwise = kind === 'DEPTHWISE_CONV_2D';
  const isLinear = kind === 'FULLY_CONNECTED';
  const one = { kernel: 1, stride: 1, dilation: 1, image: 1, pad: 0, output: 1 };
  const [y, x] = isLinear ? [one, one] : [slide(random, isPool), slide(random, isPool)];
  const inC = isLinear ? random.int(1, 40) : random.int(1, 5);
  const outC = isPool ? inC : isDepthwise ? inC * random.int(1, 2) : random.int(1, 7);
  const taps = y.kernel * x.kernel * (isDepthwise ? 1 : inC);
  const batches = random.int(1, 2);
  const layouts: readonly PlanLayout[] = isDepthwise ? ['DENSE'] : ['DENSE', 'PAIRS', 'RUNS'];
  const unplaced: WindowStep = {
    kind,
    source: random.int(0, 0xffff),
    ...(isPool ? WITHOUT_CONSTANTS : constantsOf(random, memory, outC, taps, layouts)),
    // PAIRS of a fully connected layer read words.
    input: operand(random, memory, batches * y.image * x.image * inC + 3),
    output: memory.arena(batches * y.output * x.output * outC),
    scratch: 0,
    batches,
    inH: y.image,
    inW: x.image,
    inC,
    outH: y.output,
    outW: x.output,
    outC,
    bandRows: isDepthwise ? random.int(1, y.output) : 0,
    kernelH: y.kernel,
    kernelW: x.kernel,
    strideH: y.stride,
    strideW: x.stride,
    dilationH: y.dilation,
    dilationW: x.dilation,
    padTop: y.pad,
    padLeft: x.pad,
    inputZero: random.int(-128, 127),
    outputZero: random.int(-128, 127),
    ...limits(random),
  };
  return { ...unplaced, scratch: memory.arena(scratchBytes(unplaced), 4) };
};

/** Steps of a row-major block with some room between its rows; 0 where it repeats. */
function stepsOf(random: Random, shape: readonly number[], mayRepeat: boolean): number[] {
  let distance = 1;
  return shape
    .map((_, index) => index)
    .reverse()
    .map((axis) => {
      const step = mayRepeat && random.int(0, 3) === 0 ? 0 : distance;
      distance = distance * shape[axis]! + random.int(0, 2);
      return step;
    })
    .reverse();
}

const extent = (shape: readonly number[], steps: readonly number[]): number =>
  shape.reduce((sum, size, axis) => sum + (size - 1) * steps[axis]!, 1);

/** Room for an operand in the arena or among the constants. */
function operand(random: Random, memory: PlanMemoryBuilder, sizeBytes: number): number {
  return random.int(0, 2) === 0
    ? constantPlace(memory.constants.append(random.int8s(sizeBytes), 1))
    : memory.arena(sizeBytes);
}

const shapeOf = (random: Random): number[] => Array.from({ length: 4 }, () => random.int(1, 4));

const binaryStep: Make = (random, memory, kind) => {
  const shape = shapeOf(random);
  const [aSteps, bSteps] = [stepsOf(random, shape, true), stepsOf(random, shape, true)];
  const isProduct = kind === 'MUL';
  return {
    kind: kind as 'ADD' | 'SUB' | 'MUL',
    flags: 0,
    source: 3,
    a: operand(random, memory, extent(shape, aSteps)),
    b: operand(random, memory, extent(shape, bSteps)),
    output: memory.arena(elements(shape)),
    shape,
    aSteps,
    bSteps,
    aMultiplier: isProduct ? 0 : multiplier(random),
    bMultiplier: isProduct ? 0 : multiplier(random),
    outputMultiplier: multiplier(random),
    aShift: isProduct ? 0 : random.int(-3, 1),
    bShift: isProduct ? 0 : random.int(-3, 1),
    outputShift: isProduct ? random.int(-9, 1) : random.int(-21, -17),
    aZero: random.int(-128, 127),
    bZero: random.int(-128, 127),
    outputZero: random.int(-128, 127),
    ...limits(random),
  };
};

const MAKERS: Readonly<Record<PlanKind, Make>> = {
  CONV_2D: windowStep,
  DEPTHWISE_CONV_2D: windowStep,
  FULLY_CONNECTED: windowStep,
  AVERAGE_POOL_2D: windowStep,
  MAX_POOL_2D: windowStep,
  ADD: binaryStep,
  SUB: binaryStep,
  MUL: binaryStep,
  LOOKUP: (random, memory) => {
    const sizeBytes = random.int(1, 50);
    const input = operand(random, memory, sizeBytes);
    const isInPlace = random.int(0, 1) === 0 && !isConstantPlace(input);
    const output = isInPlace ? input : memory.arena(sizeBytes);
    const table = memory.constants.append(random.int8s(256), 1);
    return { kind: 'LOOKUP', flags: 0, source: 1, input, output, sizeBytes, table };
  },
  SOFTMAX: (random, memory) => {
    const [rows, depth] = [random.int(1, 3), random.int(1, 12)];
    const input = operand(random, memory, rows * depth);
    const output = memory.arena(rows * depth);
    // As of an input scale of 1/16, more or less: 2^26 of it, and its radius.
    const shift = random.int(21, 24);
    const least = -Math.floor((31 * 2 ** 26) / 2 ** shift);
    const common = { kind: 'SOFTMAX', flags: 0, source: 0xffff } as const;
    return { ...common, input, output, rows, depth, multiplier: multiplier(random), shift, least };
  },
  MEAN: (random, memory) => {
    const [outer, reduced, inner] = [random.int(1, 3), random.int(1, 9), random.int(1, 4)];
    return {
      kind: 'MEAN',
      flags: 0,
      source: 0,
      input: operand(random, memory, outer * reduced * inner),
      output: memory.arena(outer * inner),
      outer,
      reduced,
      inner,
      multiplier: random.int(0, 2 ** 31 - 1),
      shift: random.int(-5, 1),
      inputZero: random.int(-128, 127),
      outputZero: random.int(-128, 127),
    };
  },
  COPY: (random, memory) => {
    const shape = shapeOf(random);
    const inputSteps = stepsOf(random, shape, true);
    const outputSteps = stepsOf(random, shape, false);
    const input = operand(random, memory, extent(shape, inputSteps));
    const output = memory.arena(extent(shape, outputSteps));
    return { kind: 'COPY', flags: 0, source: 9, input, output, shape, inputSteps, outputSteps };
  },
  FILL: (random, memory) => {
    const sizeBytes = random.int(1, 20);
    const output = memory.arena(sizeBytes);
    return { kind: 'FILL', flags: 0, source: 9, output, sizeBytes, value: random.int(-128, 127) };
  },
};

export const KINDS = Object.keys(MAKERS) as PlanKind[];

/** A step that a plan may have, with places of its own. */
export function randomStep(kind: PlanKind, random: Random, memory: PlanMemoryBuilder): PlanStep {
  return MAKERS[kind](random, memory, kind);
}

/** An input or output of a block of bytes. */
export const ioOf = (place: number, sizeBytes: number): PlanIo => ({
  place,
  sizeBytes,
  scale: 0.5,
  zeroPoint: 0,
  shape: [sizeBytes],
});

/** A plan of a step of each kind, in this order, with an input and an output. */
export function planOfEachKind(seed: number): PlanContents {
  const random = new Random(seed);
  const memory = new PlanMemoryBuilder();
  const steps = KINDS.map((kind) => randomStep(kind, random, memory));
  const io = (shape: number[]): PlanIo => ({
    ...ioOf(memory.arena(elements(shape)), elements(shape)),
    scale: Math.fround(1 / random.int(3, 900)),
    zeroPoint: random.int(-128, 127),
    shape,
  });
  return memory.plan(steps, [io([1, 2, 3, 2])], [io([]), io([2, 3])]);
}
