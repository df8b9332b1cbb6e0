import { WEIGHT_HIGH } from '../quantize/affine.ts';
import { channelLookup, roundWeight } from '../quantize/weights.ts';
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
  rounds = false;

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

  /** Brings `values` up to date with what was learned and with what is pruned. */
  refresh(): void {
    const [from, to] = [this.learned.floats, this.values.floats];
    for (let index = 0; index < to.length; index++) to[index] = from[index]! * this.mask[index]!;
    if (this.rounds && this.role === 'weights') roundInPlace(to, this);
  }
}

/** Symmetric int8 steps whose ends are the largest weight: what `quantizeWeights` finds again without an error. */
function roundInPlace(values: Float32Array, parameter: ParameterShape): void {
  const channelOf = channelLookup(parameter);
  const groupOf = parameter.perChannel ? channelOf : () => 0;
  const largest = new Float64Array(
    parameter.perChannel ? parameter.shape[parameter.channelAxis]! : 1,
  );
  for (let index = 0; index < values.length; index++) {
    const group = groupOf(index);
    largest[group] = Math.max(largest[group]!, Math.abs(values[index]!));
  }
  const scales = largest.map((most) => Math.fround(most / WEIGHT_HIGH));
  for (let index = 0; index < values.length; index++) {
    const scale = scales[groupOf(index)]!;
    values[index] = scale === 0 ? 0 : scale * roundWeight(values[index]!, scale);
  }
}
