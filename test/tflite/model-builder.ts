import {
  type OperatorCode,
  type OptionValue,
  operatorSpec,
  type TensorType,
  type TfliteModel,
  type TfliteOperator,
  type TfliteTensor,
} from '../../src/tflite/index.ts';

export interface TensorPlan {
  readonly type?: TensorType;
  readonly scale?: readonly number[];
  readonly zeroPoint?: number;
  readonly axis?: number;
  readonly data?: Uint8Array | readonly number[];
  readonly isVariable?: boolean;
}

/** Little-endian bytes of numbers of a type. */
export function encode(type: TensorType, values: readonly number[]): Uint8Array {
  switch (type) {
    case 'float32':
      return new Uint8Array(Float32Array.from(values).buffer);
    case 'int32':
      return new Uint8Array(Int32Array.from(values).buffer);
    case 'int16':
    case 'float16':
      return new Uint8Array(Int16Array.from(values).buffer);
    default:
      return Uint8Array.from(values, (value) => value & 0xff);
  }
}

/** Puts a graph together a tensor and an operator at a time, each operator at its newest version. */
export class ModelBuilder {
  readonly #tensors: TfliteTensor[] = [];
  readonly #operators: TfliteOperator[] = [];
  readonly #codes: OperatorCode[] = [];
  readonly #buffers: Uint8Array[] = [new Uint8Array(0)];

  /** @returns the tensor's index */
  tensor(shape: readonly number[], plan: TensorPlan = {}): number {
    const type = plan.type ?? 'float32';
    let buffer = 0;
    if (plan.data !== undefined) {
      const data = plan.data instanceof Uint8Array ? plan.data : encode(type, plan.data);
      buffer = this.#buffers.push(new Uint8Array(data)) - 1;
    }
    const quantization =
      plan.scale === undefined
        ? {}
        : {
            quantization: {
              scale: plan.scale.map(Math.fround),
              zeroPoint: plan.scale.map(() => plan.zeroPoint ?? 0),
              axis: plan.axis ?? 0,
            },
          };
    const isVariable = plan.isVariable ?? false;
    const name = `t${this.#tensors.length}`;
    return (
      this.#tensors.push({ name, type, shape: [...shape], buffer, isVariable, ...quantization }) - 1
    );
  }

  /** An int32 constant: a shape, an axis, paddings. */
  control(shape: readonly number[], values: readonly number[]): number {
    return this.tensor(shape, { type: 'int32', data: values });
  }

  operator(
    builtin: string,
    inputs: readonly number[],
    outputs: readonly number[],
    options: Readonly<Record<string, OptionValue>> = {},
    version = operatorSpec(builtin)?.maxVersion ?? 1,
  ): this {
    let code = this.#codes.findIndex((c) => c.builtin === builtin && c.version === version);
    if (code < 0) code = this.#codes.push({ builtin, version }) - 1;
    const fields = operatorSpec(builtin)?.options?.fields ?? [];
    const defaults = Object.fromEntries(
      fields.map(({ name, kind, default: value }) => [name, kind === 'int32[]' ? [] : value]),
    );
    this.#operators.push({
      code,
      inputs: [...inputs],
      outputs: [...outputs],
      options: { ...defaults, ...options },
    });
    return this;
  }

  build(inputs: readonly number[], outputs: readonly number[]): TfliteModel {
    return {
      version: 3,
      description: 'made by a test',
      operatorCodes: this.#codes,
      subgraphs: [
        {
          name: 'main',
          tensors: this.#tensors,
          inputs: [...inputs],
          outputs: [...outputs],
          operators: this.#operators,
        },
      ],
      buffers: this.#buffers,
      metadata: [],
    };
  }
}
