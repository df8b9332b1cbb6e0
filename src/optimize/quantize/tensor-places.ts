import { type Graph, operatorSpec } from '../../tflite/index.ts';
import type { FloatModel } from '../float-model.ts';
import type { GraphWriter } from '../graph-writer.ts';
import { shortNames } from '../tensor-names.ts';
import { type Affine, affineOf, perTensor, quantizeValue, sameAffine } from './affine.ts';

/** Scale and zero point for constants and activations that are never anything but zero: it suits every kernel. */
export const ALWAYS_ZERO: Affine = affineOf({ low: 0, high: 1 });

interface Int8Place {
  readonly index: number;
  readonly affine: Affine;
}

/**
 * Where the float model's tensors are found in a graph that is being written: as float, as int8, or both, and then with
 * a conversion between them. Each form is made when it is first asked for.
 */
export class TensorPlaces {
  readonly #graph: Graph;
  readonly #writer: GraphWriter;
  readonly #shortName: (index: number) => string;
  readonly #ends: ReadonlySet<number>;
  readonly #asFloat = new Map<number, number>();
  readonly #asInt8 = new Map<number, Int8Place[]>();

  constructor(float: FloatModel, writer: GraphWriter) {
    this.#graph = float.graph;
    this.#writer = writer;
    this.#shortName = shortNames(float);
    this.#ends = new Set([...float.subgraph.inputs, ...float.subgraph.outputs]);
  }

  /** A tensor as it is in the float model: there already, a constant, or through a DEQUANTIZE. */
  float(index: number): number {
    const there = this.#asFloat.get(index);
    if (there !== undefined) return there;
    const { type, shape, isVariable } = this.#graph.tensor(index);
    const data = this.#graph.data(this.#graph.tensor(index));
    const constant = data.byteLength > 0 ? { data } : {};
    const name = this.#nameOf(index);
    const placed = this.#writer.tensor({ name, type, shape, isVariable, ...constant });
    this.#asFloat.set(index, placed);
    const computed = this.#asInt8.get(index)?.[0];
    if (computed !== undefined) this.#convert('DEQUANTIZE', 'int8', computed.index, placed);
    return placed;
  }

  /** A tensor as int8 with these parameters: there already, a constant, or through a QUANTIZE. */
  int8(index: number, affine: Affine): number {
    const known = this.#asInt8.get(index) ?? [];
    const there = known.find((place) => sameAffine(place.affine, affine));
    if (there !== undefined) return there.index;
    const tensor = this.#graph.tensor(index);
    if (this.#graph.isConstant(tensor)) {
      const values = this.#graph.values(tensor);
      return this.newInt8(
        index,
        affine,
        Uint8Array.from(values, (value) => quantizeValue(value, affine) & 0xff),
      );
    }
    const [source, type] =
      known[0] === undefined
        ? ([this.float(index), 'float32'] as const)
        : ([known[0].index, 'int8'] as const);
    const target = this.newInt8(index, affine);
    this.#convert('QUANTIZE', type, source, target);
    return target;
  }

  /** A new int8 tensor for one of the float model. */
  newInt8(index: number, affine: Affine, data?: Uint8Array): number {
    const { shape } = this.#graph.tensor(index);
    const place = this.#writer.tensor({
      name: this.#nameOf(index),
      type: 'int8',
      shape,
      quantization: perTensor(affine),
      ...(data === undefined ? {} : { data }),
    });
    this.#asInt8.set(index, [...(this.#asInt8.get(index) ?? []), { index: place, affine }]);
    return place;
  }

  #nameOf(index: number): string {
    return this.#ends.has(index) ? this.#graph.tensor(index).name : this.#shortName(index);
  }

  #convert(builtin: string, fromType: 'int8' | 'float32', from: number, to: number): void {
    // QUANTIZE from int8 came with version 2 (TensorFlow's op_version.cc); the table knows of DEQUANTIZE.
    const requantizes = builtin === 'QUANTIZE' && fromType === 'int8';
    const version = requantizes ? 2 : (operatorSpec(builtin)?.minVersion?.[fromType] ?? 1);
    this.#writer.operator({ builtin, version, inputs: [from], outputs: [to], options: {} });
  }
}

/** Parameters of a constant that takes part as an activation. */
export function affineOfConstant(values: readonly number[]): Affine {
  const low = values.reduce((least, value) => Math.min(least, value), 0);
  const high = values.reduce((most, value) => Math.max(most, value), 0);
  return low === high ? ALWAYS_ZERO : affineOf({ low, high });
}
