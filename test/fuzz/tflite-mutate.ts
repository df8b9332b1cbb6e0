import { DunlinError } from '../../src/core/index.ts';
import type { TfliteModel } from '../../src/tflite/index.ts';
import { OPERATORS, verifyModel } from '../../src/tflite/index.ts';

/** A generator of uint32 (Steele and Vigna's splitmix32), so that a seed replays a run. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  uint32(): number {
    this.#state = (this.#state + 0x9e3779b9) >>> 0;
    let z = this.#state;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return (z ^ (z >>> 15)) >>> 0;
  }

  below(count: number): number {
    return this.uint32() % count;
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }
}

/** Mutations write where the model says readonly: they work on a clone of their own. */
type Writable<T> = T extends Uint8Array
  ? Uint8Array
  : T extends object
    ? { -readonly [K in keyof T]: Writable<T[K]> }
    : T;
export type MutableModel = Writable<TfliteModel>;

const NUMBERS = [-129, -128, -2, -1, 0, 1, 2, 3, 4, 5, 7, 8, 16, 31, 32, 64, 127, 255, 1000];
const LARGE = [32767, 32768, 65536, 2 ** 24, 2 ** 30, 2 ** 31 - 1, -(2 ** 31)];
const FACTORS = [0, -1, 0.5, 2, 1e-6, 1e6, 1e-12, 1e12, 1e-30, 1e30, Infinity, NaN, 1.001, 1 / 256];
const TYPES = [
  'float32',
  'int8',
  'uint8',
  'int32',
  'int16',
  'int64',
  'float16',
  'bool',
  'string',
] as const;

const number = (random: Random): number =>
  random.below(6) === 0 ? random.pick(LARGE) : random.pick(NUMBERS);

type Mutation = (model: MutableModel, random: Random) => void;

function tensorOf(model: MutableModel, random: Random) {
  return random.pick(model.subgraphs[0]!.tensors);
}

function operatorOf(model: MutableModel, random: Random) {
  return random.pick(model.subgraphs[0]!.operators);
}

function edit(list: number[], random: Random, value: number): void {
  const at = random.below(list.length + 1);
  const kind = random.below(5);
  if (kind === 0) list.splice(at, 0, value);
  else if (kind === 1) list.splice(at, 1);
  else if (list.length > 0) list[at % list.length] = value;
}

const MUTATIONS: readonly Mutation[] = [
  (model, random) => edit(tensorOf(model, random).shape, random, number(random)),
  (model, random) => {
    const { shape } = tensorOf(model, random);
    if (shape.length > 0) shape[random.below(shape.length)] = 1 + random.below(12);
  },
  (model, random) => {
    tensorOf(model, random).type = random.pick(TYPES);
  },
  (model, random) => {
    const { quantization } = tensorOf(model, random);
    if (quantization === undefined) return;
    const at = random.below(quantization.scale.length);
    quantization.scale[at] = Math.fround(quantization.scale[at]! * random.pick(FACTORS));
  },
  (model, random) => {
    const { quantization } = tensorOf(model, random);
    if (quantization === undefined) return;
    quantization.zeroPoint[random.below(quantization.zeroPoint.length)] = number(random);
  },
  (model, random) => {
    const tensor = tensorOf(model, random);
    const kind = random.below(3);
    if (kind === 0) delete tensor.quantization;
    else if (kind === 1) tensor.isVariable = !tensor.isVariable;
    else if (tensor.quantization !== undefined) tensor.quantization.axis = number(random);
  },
  (model, random) => {
    tensorOf(model, random).buffer = random.below(model.buffers.length + 1);
  },
  (model, random) => {
    const { options } = operatorOf(model, random);
    const names = Object.keys(options);
    if (names.length === 0) return;
    const name = random.pick(names);
    const value = options[name];
    if (typeof value === 'boolean') options[name] = !value;
    else if (Array.isArray(value)) edit(value, random, number(random));
    else
      options[name] =
        random.below(4) === 0 ? Math.fround(value! * random.pick(FACTORS)) : number(random);
    if (typeof options[name] === 'number' && name !== 'beta' && name !== 'alpha') {
      options[name] = Math.trunc(Number(options[name])) | 0;
    }
  },
  (model, random) => {
    const operator = operatorOf(model, random);
    const list = random.below(3) === 0 ? operator.outputs : operator.inputs;
    edit(list, random, random.below(model.subgraphs[0]!.tensors.length + 2) - 1);
  },
  (model, random) => {
    const { inputs } = operatorOf(model, random);
    if (inputs.length > 1) inputs.reverse();
  },
  (model, random) => {
    const graph = model.subgraphs[0]!;
    const list = random.below(2) === 0 ? graph.outputs : graph.inputs;
    edit(list, random, random.below(graph.tensors.length + 2) - 1);
  },
  (model, random) => {
    const { operators } = model.subgraphs[0]!;
    if (random.below(2) === 0) operators.splice(random.below(operators.length), 1);
    else operators.push(structuredClone(random.pick(operators)));
  },
  (model, random) => {
    const code = random.pick(model.operatorCodes);
    code.builtin = random.pick(OPERATORS).name;
  },
  (model, random) => {
    random.pick(model.operatorCodes).version = random.below(11);
  },
  (model, random) => {
    const buffer = random.pick(model.buffers);
    if (buffer.byteLength === 0) return;
    for (let left = 1 + random.below(4); left > 0; left--) {
      buffer[random.below(buffer.byteLength)] = random.below(256);
    }
  },
  (model, random) => {
    const buffer = random.pick(model.buffers);
    if (buffer.byteLength === 0 || buffer.byteLength % 4 !== 0) return;
    const view = new DataView(buffer.buffer, buffer.byteOffset, buffer.byteLength);
    view.setInt32(4 * random.below(buffer.byteLength / 4), number(random), true);
  },
];

const MAX_REPAIRS = 12;
const MAX_REPAIRED_BYTES = 4 * 1024 * 1024;

/** One to four changes to a copy of a model, then mended so far that a check further on is reached. */
export function mutate(model: TfliteModel, random: Random): MutableModel {
  const copy = structuredClone(model) as MutableModel;
  for (let left = 1 + random.below(4); left > 0; left--) {
    if (copy.subgraphs[0]!.operators.length === 0) break;
    random.pick(MUTATIONS)(copy, random);
  }
  if (random.below(4) > 0) repair(copy, random);
  return copy;
}

/** Follows what the verifier says it expected: shapes of outputs, lengths of constants. */
function repair(model: MutableModel, random: Random): void {
  for (let tries = 0; tries < MAX_REPAIRS; tries++) {
    try {
      verifyModel(model, 'mutant');
      return;
    } catch (error) {
      if (!(error instanceof DunlinError)) throw error;
      const { tensor, computedShape, buffer, lengthBytes } = error.context as {
        tensor?: number;
        computedShape?: number[];
        buffer?: number;
        lengthBytes?: number;
      };
      if (tensor !== undefined && computedShape !== undefined) {
        model.subgraphs[0]!.tensors[tensor]!.shape = [...computedShape];
      } else if (
        buffer !== undefined &&
        lengthBytes !== undefined &&
        lengthBytes <= MAX_REPAIRED_BYTES
      ) {
        const filled = new Uint8Array(lengthBytes);
        const old = model.buffers[buffer]!;
        for (let at = 0; at < lengthBytes; at++)
          filled[at] = old[at % old.byteLength] ?? random.below(127);
        model.buffers[buffer] = filled;
      } else return;
    }
  }
}

/** Bit flips, copied runs and cut ends of a file. */
export function mutateBytes(bytes: Uint8Array, random: Random): Uint8Array {
  const copy = new Uint8Array(bytes);
  for (let left = 1 + random.below(6); left > 0; left--) {
    const at = random.below(copy.byteLength);
    const kind = random.below(4);
    if (kind === 0) copy[at]! ^= 1 << random.below(8);
    else if (kind === 1) copy[at] = random.pick([0, 1, 0x7f, 0x80, 0xff]);
    else if (kind === 2) copy.copyWithin(at, random.below(copy.byteLength), at + 8);
    else if (at + 4 <= copy.byteLength) {
      new DataView(copy.buffer).setInt32(at, number(random), true);
    }
  }
  return random.below(20) === 0 ? copy.subarray(0, random.below(copy.byteLength)) : copy;
}
