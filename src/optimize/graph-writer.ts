import type {
  OperatorCode,
  OptionValue,
  Quantization,
  Signature,
  TensorAlias,
  TensorType,
  TfliteModel,
  TfliteOperator,
  TfliteTensor,
} from '../tflite/index.ts';
import type { FloatModel } from './float-model.ts';

export interface TensorDraft {
  readonly name: string;
  readonly type: TensorType;
  readonly shape: readonly number[];
  readonly quantization?: Quantization;
  readonly isVariable?: boolean;
  /** Little-endian values of a constant. */
  readonly data?: Uint8Array;
}

export interface OperatorDraft {
  readonly builtin: string;
  readonly version: number;
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
  readonly options: Readonly<Record<string, OptionValue>>;
  readonly customCode?: string;
  readonly customOptions?: Uint8Array;
}

/** An operator of the float model as it is, its tensors found through `place`. @returns its place in the new graph */
export function copyOperator(
  writer: GraphWriter,
  { graph }: FloatModel,
  operator: TfliteOperator,
  place: (tensor: number) => number,
): number {
  const { options, customOptions } = operator;
  return writer.operator({
    ...graph.code(operator),
    inputs: operator.inputs.map((index) => (index === -1 ? -1 : place(index))),
    outputs: operator.outputs.map(place),
    options,
    ...(customOptions === undefined ? {} : { customOptions }),
  });
}

/** The float model's signatures for a graph with the same ends in the same order. */
export function copySignatures(
  { model, subgraph }: FloatModel,
  inputs: readonly number[],
  outputs: readonly number[],
): Signature[] | undefined {
  const moved = (from: readonly number[], to: readonly number[]) => (alias: TensorAlias) => ({
    name: alias.name,
    tensor: to[from.indexOf(alias.tensor)] ?? to[0]!,
  });
  return model.signatures?.map((signature) => ({
    ...signature,
    inputs: signature.inputs.map(moved(subgraph.inputs, inputs)),
    outputs: signature.outputs.map(moved(subgraph.outputs, outputs)),
  }));
}

/** Puts a graph together, a tensor and an operator at a time, in the order in which they are to run. */
export class GraphWriter {
  /** By convention of the format, buffer 0 is the empty one, of every tensor that is computed. */
  readonly #buffers: Uint8Array[] = [new Uint8Array(0)];
  readonly #tensors: TfliteTensor[] = [];
  readonly #operators: TfliteOperator[] = [];
  readonly #codes: OperatorCode[] = [];

  /** @returns the tensor's index */
  tensor({ name, type, shape, quantization, isVariable = false, data }: TensorDraft): number {
    const buffer = data === undefined ? 0 : this.#buffers.push(data) - 1;
    const tensor = { name, type, shape: [...shape], buffer, isVariable };
    return (
      this.#tensors.push(quantization === undefined ? tensor : { ...tensor, quantization }) - 1
    );
  }

  /** @returns the operator's place in the order of execution */
  operator(draft: OperatorDraft): number {
    const { builtin, version, customCode, inputs, outputs, options, customOptions } = draft;
    const same = (code: OperatorCode): boolean =>
      code.builtin === builtin && code.version === version && code.customCode === customCode;
    let code = this.#codes.findIndex(same);
    if (code < 0) {
      const custom = customCode === undefined ? {} : { customCode };
      code = this.#codes.push({ builtin, version, ...custom }) - 1;
    }
    const operator = { code, inputs: [...inputs], outputs: [...outputs], options: { ...options } };
    return (
      this.#operators.push(
        customOptions === undefined ? operator : { ...operator, customOptions },
      ) - 1
    );
  }

  /** @param signatures of the source, with the tensors' places in this graph */
  finish(
    description: string,
    inputs: readonly number[],
    outputs: readonly number[],
    signatures?: readonly Signature[],
  ): TfliteModel {
    return {
      version: 3,
      description,
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
      ...(signatures === undefined ? {} : { signatures: [...signatures] }),
    };
  }
}
