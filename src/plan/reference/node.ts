import type { ErrorCode } from '../../core/index.ts';
import type { Graph, TfliteOperator, TfliteTensor } from '../../tflite/index.ts';

/** Scale and zero point of a tensor that has one of each. The scale is a float32. */
export interface Affine {
  readonly scale: number;
  readonly zeroPoint: number;
}

/** An int8 tensor with the memory that holds its values, for a constant as for a result. */
export interface NodeTensor extends Affine {
  readonly shape: readonly number[];
  readonly values: Int8Array;
}

/** Where an executor keeps the values of tensors, by index. */
export type Storage = (index: number) => Int8Array;

/** One operator of a verified model as its kernel prepares from it. */
export class Node {
  readonly #graph: Graph;
  readonly #operator: TfliteOperator;
  readonly #storage: Storage;

  constructor(graph: Graph, operator: TfliteOperator, storage: Storage) {
    this.#graph = graph;
    this.#operator = operator;
    this.#storage = storage;
  }

  get name(): string {
    return this.#graph.code(this.#operator).builtin;
  }

  /** The operator's place in the graph. */
  get position(): number {
    return this.#graph.subgraph.operators.indexOf(this.#operator);
  }

  /** Which tensor of the graph an input is; -1 for one that is left out. */
  inputIndex(position: number): number {
    return this.#operator.inputs[position] ?? -1;
  }

  get outputIndex(): number {
    return this.#operator.outputs[0] ?? -1;
  }

  get inputCount(): number {
    return this.#operator.inputs.length;
  }

  fail(code: ErrorCode, detail: string): never {
    return this.#graph.fail(code, `${this.#graph.label(this.#operator)}: ${detail}`);
  }

  unsupported(detail: string): never {
    return this.fail('model-unsupported', `${detail} is not supported`);
  }

  /** @throws DunlinError model-unsupported for a tensor that is no int8 with one scale */
  input(position: number): NodeTensor {
    return this.#tensor(this.inputIndex(position));
  }

  output(): NodeTensor {
    return this.#tensor(this.outputIndex);
  }

  /** Constant int8 weights, with a scale for all or one for each channel. */
  weights(position: number): {
    readonly shape: readonly number[];
    readonly scales: readonly number[];
    readonly values: Int8Array;
  } {
    const index = this.inputIndex(position);
    const tensor = this.#graph.tensor(index);
    const { scale: scales } =
      tensor.quantization ?? this.fail('model-malformed', 'weights without a scale');
    return { shape: tensor.shape, scales, values: this.#storage(index) };
  }

  /** The int32 bias of so many channels; zeros where it is left out. */
  bias(position: number, channels: number): Int32Array {
    const index = this.inputIndex(position);
    if (index === -1) return new Int32Array(channels);
    return Int32Array.from(this.#graph.values(this.#graph.tensor(index)));
  }

  /** Values of an input that steers: a shape, axes, paddings. */
  control(position: number): readonly number[] {
    return this.#graph.values(this.#graph.tensor(this.inputIndex(position)));
  }

  number(option: string): number {
    const value = this.#operator.options[option];
    return typeof value === 'number' ? value : this.#missing(option);
  }

  flag(option: string): boolean {
    const value = this.#operator.options[option];
    return typeof value === 'boolean' ? value : this.#missing(option);
  }

  #missing(option: string): never {
    return this.fail('model-malformed', `option ${option} is missing`);
  }

  #tensor(index: number): NodeTensor {
    const tensor = this.#graph.tensor(index);
    const { scale, zeroPoint } = this.#affine(tensor);
    return { shape: tensor.shape, scale, zeroPoint, values: this.#storage(index) };
  }

  #affine({ type, quantization }: TfliteTensor): Affine {
    if (type !== 'int8') this.unsupported(`a tensor of ${type}`);
    const [scale, ...more] = quantization?.scale ?? [];
    const zeroPoint = quantization?.zeroPoint[0];
    if (scale === undefined || zeroPoint === undefined || more.length > 0) {
      return this.fail('model-malformed', 'an int8 tensor without one scale and zero point');
    }
    return { scale, zeroPoint };
  }
}

/** Computes an operator's output from what its inputs hold now. */
export type Step = () => void;

/** Works out multipliers and ranges once. @throws DunlinError model-unsupported */
export type Kernel = (node: Node) => Step;
