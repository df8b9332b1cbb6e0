import { type TfliteModel, tensorTypeToNumber } from '../../src/tflite/index.ts';
import { ModelBuilder } from '../tflite/model-builder.ts';
import type { Options } from '../tflite/sample-plan.ts';
import { RandomValues } from './random-values.ts';

/** A tensor that steps may go on from. */
export interface Wire {
  readonly index: number;
  readonly shape: readonly number[];
}

/** As converters write float operators: what int8 needs is for the quantizer to know. */
const FIRST_VERSION = 1;

export const countOf = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

/** The step's name, what it needs of a wire, and what it makes of it. */
export interface Step {
  readonly name: string;
  readonly takes: (wire: Wire) => boolean;
  readonly make: (graph: RandomGraph, wire: Wire) => readonly Wire[];
}

/** Puts random operators in a row and side by side; shapes are always such as the runtime computes. */
export class RandomGraph {
  readonly random: RandomValues;
  readonly #builder = new ModelBuilder();
  /** Everything that nothing reads yet is an output in the end. */
  readonly #open = new Map<number, Wire>();
  readonly #all: Wire[] = [];
  readonly #indices: number[] = [];

  constructor(seed: number) {
    this.random = new RandomValues(seed);
  }

  input(shape: readonly number[]): Wire {
    return this.#keep({ index: this.#builder.tensor(shape), shape });
  }

  constant(shape: readonly number[], deviation: number): number {
    return this.#builder.tensor(shape, { data: this.random.normals(countOf(shape), deviation) });
  }

  constantOf(shape: readonly number[], data: readonly number[]): number {
    return this.#builder.tensor(shape, { data });
  }

  control(shape: readonly number[], values: readonly number[]): number {
    return this.#builder.control(shape, values);
  }

  /** An operator with one output. `sources` are the wires among its inputs. */
  operator(
    builtin: string,
    sources: readonly Wire[],
    inputs: readonly number[],
    shape: readonly number[],
    options: Options = {},
  ): Wire {
    return this.operators(builtin, sources, inputs, [shape], options)[0]!;
  }

  operators(
    builtin: string,
    sources: readonly Wire[],
    inputs: readonly number[],
    shapes: readonly (readonly number[])[],
    options: Options = {},
  ): Wire[] {
    const outputs = shapes.map((shape) => ({ index: this.#builder.tensor(shape), shape }));
    this.#builder.operator(
      builtin,
      inputs,
      outputs.map(({ index }) => index),
      options,
      FIRST_VERSION,
    );
    for (const { index } of sources) this.#open.delete(index);
    return outputs.map((wire) => this.#keep(wire));
  }

  /** Where the largest value of each row lies: an output, and not one to go on from. */
  argMax(wire: Wire): void {
    const index = this.#builder.tensor(wire.shape.slice(0, -1), { type: 'int32' });
    const inputs = [wire.index, this.control([], [wire.shape.length - 1])];
    const outputType = tensorTypeToNumber('int32');
    this.#builder.operator('ARG_MAX', inputs, [index], { outputType }, FIRST_VERSION);
    this.#indices.push(index);
  }

  /** Another tensor of that shape: one that is there, at best. */
  partner(wire: Wire): Wire {
    const { shape, index } = wire;
    const alike = this.#all.filter(
      (other) => other.index !== index && other.shape.join() === shape.join(),
    );
    return alike.length > 0 ? this.random.pick(alike) : wire;
  }

  isOpen({ index }: Wire): boolean {
    return this.#open.has(index);
  }

  latest(): Wire {
    const wires = [...this.#open.values()];
    return this.random.chance(0.7) ? wires.at(-1)! : this.random.pick(wires);
  }

  finish(inputs: readonly Wire[], mostOutputs: number): TfliteModel {
    let wires = [...this.#open.values()].filter(({ index }) =>
      inputs.every((input) => input.index !== index),
    );
    // Loose ends of one shape are added up, others are flattened and put in a row.
    while (wires.length > mostOutputs) {
      const flat = wires.slice(-3).map((wire) => {
        const shape = [1, countOf(wire.shape)];
        return this.operator('RESHAPE', [wire], [wire.index, this.control([2], shape)], shape);
      });
      const width = flat.reduce((sum, { shape }) => sum + shape[1]!, 0);
      const joined = flat.map(({ index }) => index);
      this.operator('CONCATENATION', flat, joined, [1, width], { axis: 1 });
      wires = [...this.#open.values()].filter(({ index }) =>
        inputs.every((input) => input.index !== index),
      );
    }
    return this.#builder.build(
      inputs.map(({ index }) => index),
      [...wires.map(({ index }) => index), ...this.#indices],
    );
  }

  #keep(wire: Wire): Wire {
    this.#open.set(wire.index, wire);
    this.#all.push(wire);
    return wire;
  }
}
