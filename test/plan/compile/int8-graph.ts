import type { OptionValue, TfliteModel } from '../../../src/tflite/index.ts';
import { ModelBuilder } from '../../tflite/model-builder.ts';
import { elements } from '../one-operator.ts';
import { Random } from '../random-plan.ts';

/** An int8 tensor that operators may go on from. */
export interface Wire {
  readonly index: number;
  readonly shape: readonly number[];
  readonly scale: number;
  readonly zeroPoint: number;
}

export type Affine = Pick<Wire, 'scale' | 'zeroPoint'>;
export type Options = Readonly<Record<string, OptionValue>>;

/** Rows of weights with their bias: what a test says itself, the rest is random. */
export interface Weights {
  /** Of rows' values, laid out as the operator has them. */
  readonly shape: readonly number[];
  /** Which dimension the output channels lie along. */
  readonly axis: number;
  readonly values: Int8Array;
  readonly bias: readonly number[];
  readonly scales: readonly number[];
}

/** Puts an int8 model together an operator at a time; what nothing reads in the end is put out. */
export class Int8Graph {
  readonly random: Random;
  readonly #builder = new ModelBuilder();
  readonly #inputs: Wire[] = [];
  readonly #open = new Map<number, Wire>();
  readonly #all: Wire[] = [];

  constructor(seed: number) {
    this.random = new Random(seed);
  }

  /** Everything that was made until now, inputs too. */
  get wires(): readonly Wire[] {
    return this.#all;
  }

  affine(): Affine {
    const zeroPoint = this.random.pick([-128, 127, 0, this.random.int(-128, 127)]);
    return { scale: Math.fround(this.random.int(20, 900) / 10_000), zeroPoint };
  }

  input(shape: readonly number[], affine: Affine = this.affine()): Wire {
    const wire = this.#tensor(shape, affine);
    this.#inputs.push(wire);
    this.#all.push(wire);
    return wire;
  }

  constant(shape: readonly number[], affine: Affine, values: Int8Array): Wire {
    const { scale, zeroPoint } = affine;
    const plan = { type: 'int8', scale: [scale], zeroPoint, data: [...values] } as const;
    return { ...affine, index: this.#builder.tensor(shape, plan), shape };
  }

  control(...values: number[]): number {
    return this.#builder.control([values.length], values);
  }

  matrix(shape: readonly number[], values: readonly number[]): number {
    return this.#builder.control(shape, values);
  }

  /** @param inputs wires, and indices of tensors that steer */
  operator(
    name: string,
    inputs: readonly (Wire | number)[],
    shape: readonly number[],
    affine: Affine,
    options: Options = {},
  ): Wire {
    const output = this.#tensor(shape, affine);
    const indices = inputs.map((input) => (typeof input === 'number' ? input : input.index));
    this.#builder.operator(name, indices, [output.index], options);
    for (const index of indices) this.#open.delete(index);
    this.#open.set(output.index, output);
    this.#all.push(output);
    return output;
  }

  weighted(
    name: string,
    input: Wire,
    weights: Weights,
    shape: readonly number[],
    affine: Affine,
    options: Options,
  ): Wire {
    const { values, bias, axis } = weights;
    const scale = weights.scales.map(Math.fround);
    const rows = this.#builder.tensor(weights.shape, {
      ...{ type: 'int8', scale, axis, data: [...values] },
    });
    const sums = this.#builder.tensor([bias.length], {
      ...{ type: 'int32', scale: scale.map((one) => one * input.scale), data: bias },
    });
    return this.operator(name, [input, rows, sums], shape, affine, options);
  }

  /** @param more wires that are read, and put out all the same */
  model(more: readonly Wire[] = []): TfliteModel {
    const outputs = new Set([...this.#open.keys(), ...more.map(({ index }) => index)]);
    return this.#builder.build(
      this.#inputs.map(({ index }) => index),
      [...outputs],
    );
  }

  #tensor(shape: readonly number[], { scale, zeroPoint }: Affine): Wire {
    const index = this.#builder.tensor(shape, { type: 'int8', scale: [scale], zeroPoint });
    return { index, shape, scale: Math.fround(scale), zeroPoint };
  }
}

/** Random weights: a part of them zero, whole rows and whole input channels too. */
export function randomWeights(
  random: Random,
  shape: readonly number[],
  axis: number,
  inputScale: number,
  perChannel: boolean,
): Weights {
  const channels = shape[axis]!;
  const depth = shape.at(-1)!;
  const chance = (percent: number): boolean => random.int(0, 99) < percent;
  const zeros = random.pick([0, 0, 30, 60, 80, 95]);
  const isDead = Array.from({ length: channels }, () => chance(15));
  const isUnread = Array.from({ length: depth }, () => axis === 0 && chance(15));
  const inner = elements(shape.slice(axis + 1));
  const values = Int8Array.from({ length: elements(shape) }, (_, at) => {
    const channel = Math.floor(at / inner) % channels;
    if (isDead[channel] || isUnread[at % depth] || chance(zeros)) return 0;
    return chance(10) ? random.pick([-127, 127]) : random.int(-127, 127);
  });
  // A bias so low, or so high, that an activation leaves nothing else.
  const bias = Array.from({ length: channels }, () =>
    chance(12) ? random.pick([-1, 1]) * 2 ** 28 : random.int(-3000, 3000),
  );
  const first = random.int(10, 90) / 10_000;
  const scales = Array.from({ length: perChannel ? channels : 1 }, () =>
    Math.fround(perChannel ? first * (random.int(5, 20) / 10) : first),
  );
  const isBounded = scales.every((scale) => 2 ** 28 * scale * inputScale < 2 ** 31);
  return { shape, axis, values, scales, bias: isBounded ? bias : bias.map(() => 0) };
}
