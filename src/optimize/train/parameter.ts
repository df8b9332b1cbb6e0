import { channelLookup, fullScale, roundWeight } from '../quantize/weights.ts';
import type { Region } from './memory.ts';

export interface ParameterShape {
  /** Of the float model. */
  readonly tensor: number;
  readonly name: string;
  /** The operator that multiplies with it, for messages. */
  readonly label: string;
  readonly shape: readonly number[];
  readonly channelAxis: number;
  /** A scale for each output channel, once it is int8; else one for all. */
  readonly perChannel: boolean;
  readonly role: 'weights' | 'bias';
}

/** Wider layers learn in the basis that they have: finding another takes the cube of it. */
const MOST_BASIS = 320;

/**
 * Another basis for the rows of a matrix of weights, in which their inputs are independent of one another: Adam goes
 * straight there, where it would zigzag (one side of SOAP: N. Vyas et al. 2024, "SOAP: Improving and Stabilizing
 * Shampoo using Adam").
 */
export interface Rotation {
  readonly depth: number;
  /** Sums of products of what the weights are multiplied with, [depth, depth]. */
  readonly moments: Region;
  /** Its eigenvectors as columns, and as rows. */
  readonly basis: Region;
  readonly back: Region;
  /** The weights' gradient in that basis, and then the step. */
  readonly turned: Region;
}

/** Weights or biases that training changes. */
export class Parameter implements ParameterShape {
  readonly tensor: number;
  readonly name: string;
  readonly label: string;
  readonly shape: readonly number[];
  readonly channelAxis: number;
  readonly perChannel: boolean;
  readonly role: 'weights' | 'bias';
  /** What is learned, in float. */
  readonly learned: Region;
  /** What operations multiply with: pruned, and rounded once that is simulated. */
  readonly values: Region;
  readonly gradient: Region;
  /** Adam's moments. */
  readonly mean: Region;
  readonly square: Region;
  /** 0 where a weight is pruned. */
  readonly mask: Uint8Array;
  #rotation: Rotation | undefined;
  /** Steps to each side of zero, once int8 is simulated. */
  #steps: number | undefined;

  constructor(shape: ParameterShape, reserve: (floats: number) => Region) {
    this.tensor = shape.tensor;
    this.name = shape.name;
    this.label = shape.label;
    this.shape = shape.shape;
    this.channelAxis = shape.channelAxis;
    this.perChannel = shape.perChannel;
    this.role = shape.role;
    const size = shape.shape.reduce((product, length) => product * length, 1);
    this.learned = reserve(size);
    this.values = reserve(size);
    this.gradient = reserve(size);
    this.mean = reserve(size);
    this.square = reserve(size);
    this.mask = new Uint8Array(size).fill(1);
  }

  /** Undefined where it learns as it is. */
  get rotation(): Rotation | undefined {
    return this.#rotation;
  }

  /** The weights are rows of a matrix, [out, depth]: if they are not too wide, they learn in a basis of their own. */
  takeRotation(depth: number, reserve: (floats: number) => Region): void {
    if (depth > MOST_BASIS || this.#rotation !== undefined) return;
    this.#rotation = {
      depth,
      moments: reserve(depth * depth),
      basis: reserve(depth * depth),
      back: reserve(depth * depth),
      turned: reserve(this.values.length),
    };
  }

  /** Brings `values` up to date with what was learned and with what is pruned. */
  refresh(): void {
    const [from, to] = [this.learned.floats, this.values.floats];
    for (let index = 0; index < to.length; index++) to[index] = from[index]! * this.mask[index]!;
    if (this.#steps !== undefined) roundInPlace(to, this, this.#steps);
  }

  /** From now on weights are what so many steps to each side of zero can say. Biases have 32 bits, and stay. */
  roundTo(steps: number): void {
    if (this.role === 'weights') this.#steps = steps;
  }
}

/** Symmetric steps whose ends are the largest weight: what `quantizeWeights` finds again without an error. */
function roundInPlace(values: Float32Array, parameter: ParameterShape, steps: number): void {
  const channelOf = channelLookup(parameter);
  const groupOf = parameter.perChannel ? channelOf : () => 0;
  const largest = new Float64Array(
    parameter.perChannel ? parameter.shape[parameter.channelAxis]! : 1,
  );
  for (let index = 0; index < values.length; index++) {
    const group = groupOf(index);
    largest[group] = Math.max(largest[group]!, Math.abs(values[index]!));
  }
  const scales = largest.map((most) => fullScale(most, steps));
  for (let index = 0; index < values.length; index++) {
    const scale = scales[groupOf(index)]!;
    values[index] = scale === 0 ? 0 : scale * roundWeight(values[index]!, scale, steps);
  }
}
