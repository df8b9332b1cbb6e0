import { DunlinError, type ErrorCode } from '../core/index.ts';
import type {
  OperatorCode,
  TfliteModel,
  TfliteOperator,
  TfliteSubgraph,
  TfliteTensor,
} from './model.ts';
import { elementBytes, elementCount, integerRange } from './tensor-type.ts';

const MAX_SHOWN_NAME = 64;

/** A name out of a file, safe to print: one line, no control characters, not endless. */
export function printable(name: string): string {
  const clean = name.replace(/[\p{C}\p{Z}]+/gu, ' ').trim();
  return clean.length > MAX_SHOWN_NAME ? `${clean.slice(0, MAX_SHOWN_NAME)}…` : clean;
}

/** The first subgraph of a model with what checks and descriptions ask of it. */
export class Graph {
  readonly model: TfliteModel;
  readonly what: string;
  readonly subgraph: TfliteSubgraph;

  /** @param what names the model in errors */
  constructor(model: TfliteModel, what: string) {
    this.model = model;
    this.what = what;
    const [main] = model.subgraphs;
    this.subgraph = main ?? this.fail('model-malformed', 'it has no graph');
  }

  fail(code: ErrorCode, detail: string, context: Readonly<Record<string, unknown>> = {}): never {
    throw new DunlinError(`${this.what}: ${detail}`, { code, context });
  }

  /** @throws DunlinError model-malformed for an index out of range */
  tensor(index: number): TfliteTensor {
    return (
      this.subgraph.tensors[index] ?? this.fail('model-malformed', `tensor ${index} does not exist`)
    );
  }

  code(operator: TfliteOperator): OperatorCode {
    return (
      this.model.operatorCodes[operator.code] ??
      this.fail('model-malformed', `operator code ${operator.code} does not exist`)
    );
  }

  /** Bytes of a constant; empty for a tensor that is computed. */
  data(tensor: TfliteTensor): Uint8Array {
    return (
      this.model.buffers[tensor.buffer] ??
      this.fail('model-malformed', `buffer ${tensor.buffer} does not exist`)
    );
  }

  isConstant(tensor: TfliteTensor): boolean {
    return this.data(tensor).byteLength > 0;
  }

  /** Bytes a tensor takes in memory. */
  lengthBytes(tensor: TfliteTensor): number {
    return elementCount(tensor.shape) * elementBytes(tensor.type);
  }

  /** The values of a float32 constant. */
  floats(tensor: TfliteTensor): Float32Array {
    const bytes = this.data(tensor);
    const { BYTES_PER_ELEMENT } = Float32Array;
    const aligned = bytes.byteOffset % BYTES_PER_ELEMENT === 0 ? bytes : new Uint8Array(bytes);
    const length = Math.floor(aligned.byteLength / BYTES_PER_ELEMENT);
    return new Float32Array(aligned.buffer, aligned.byteOffset, length);
  }

  /** The values of a constant of a type of at most 32 bits, or of int64 (as numbers). */
  values(tensor: TfliteTensor): number[] {
    const bytes = this.data(tensor);
    const size = elementBytes(tensor.type);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const count = size === 0 ? 0 : Math.floor(bytes.byteLength / size);
    return Array.from({ length: count }, (_, index) => readElement(view, index * size, tensor));
  }

  /** How an operator is called in messages: its name and its place. */
  label(operator: TfliteOperator): string {
    const { builtin, customCode } = this.code(operator);
    const name = builtin === 'CUSTOM' ? `CUSTOM "${printable(customCode ?? '')}"` : builtin;
    return `operator ${this.subgraph.operators.indexOf(operator)} (${name})`;
  }
}

function readElement(view: DataView, at: number, { type }: TfliteTensor): number {
  switch (type) {
    case 'float32':
      return view.getFloat32(at, true);
    case 'int64':
      return Number(view.getBigInt64(at, true));
    case 'int32':
      return view.getInt32(at, true);
    case 'int16':
      return view.getInt16(at, true);
    case 'float16':
    case 'uint16':
      return view.getUint16(at, true);
    case 'int8':
      return view.getInt8(at);
    default:
      return view.getUint8(at);
  }
}

/** Whether values of this type stand for real numbers through a scale and a zero point. */
export function isQuantizedType(tensor: TfliteTensor): boolean {
  return integerRange(tensor.type) !== undefined && tensor.type !== 'int64';
}
