import type { TensorType } from './tensor-type.ts';

/** real value = scale[c] * (quantized - zeroPoint[c]), c along dimension `axis`; one entry: per tensor. */
export interface Quantization {
  readonly scale: number[];
  readonly zeroPoint: number[];
  readonly axis: number;
}

export interface TfliteTensor {
  readonly name: string;
  readonly type: TensorType;
  readonly shape: number[];
  /** Index into `TfliteModel.buffers`; an empty buffer means that the value is computed. */
  readonly buffer: number;
  readonly isVariable: boolean;
  readonly quantization?: Quantization;
}

export type OptionValue = number | boolean | number[];

export interface TfliteOperator {
  /** Index into `TfliteModel.operatorCodes`. */
  readonly code: number;
  /** Tensor indices; -1 is an optional input left out. */
  readonly inputs: number[];
  readonly outputs: number[];
  /** By the names in the operator table, defaults filled in; empty for operators outside the table. */
  readonly options: Record<string, OptionValue>;
  readonly customOptions?: Uint8Array;
}

export interface TfliteSubgraph {
  readonly name: string;
  readonly tensors: TfliteTensor[];
  readonly inputs: number[];
  readonly outputs: number[];
  readonly operators: TfliteOperator[];
}

export interface OperatorCode {
  /** The schema's name (`CONV_2D`, `CUSTOM`), or `BUILTIN_<number>` past the names known here. */
  readonly builtin: string;
  readonly customCode?: string;
  readonly version: number;
}

export interface TensorAlias {
  readonly name: string;
  readonly tensor: number;
}

/** A named entry point, as TensorFlow's SavedModel calls it. */
export interface Signature {
  readonly key: string;
  readonly subgraph: number;
  readonly inputs: TensorAlias[];
  readonly outputs: TensorAlias[];
}

/** A `.tflite` file as plain data. Shapes are row-major; images are NHWC. */
export interface TfliteModel {
  /** Of the schema; 3 is the only one in use. */
  readonly version: number;
  readonly description: string;
  readonly operatorCodes: OperatorCode[];
  readonly subgraphs: TfliteSubgraph[];
  /** Buffer 0 is the empty one. Little-endian values. */
  readonly buffers: Uint8Array[];
  readonly metadata: { readonly name: string; readonly buffer: number }[];
  readonly signatures?: Signature[];
}
