import { DunlinError } from '../core/index.ts';
import { FlatReader, type FlatTable } from './flat-reader.ts';
import { printable } from './graph.ts';
import {
  MAX_BUFFERS,
  MAX_DECODED_NUMBERS,
  MAX_METADATA,
  MAX_MODEL_BYTES,
  MAX_OPERATOR_CODES,
  MAX_OPERATOR_TENSORS,
  MAX_OPERATORS,
  MAX_RANK,
  MAX_SIGNATURES,
  MAX_SUBGRAPHS,
  MAX_TENSORS,
} from './limits.ts';
import type {
  OperatorCode,
  OptionValue,
  Quantization,
  Signature,
  TensorAlias,
  TfliteModel,
  TfliteOperator,
  TfliteSubgraph,
  TfliteTensor,
} from './model.ts';
import { operatorName } from './operator-names.ts';
import { type OptionField, operatorSpec } from './operator-table.ts';
import { tensorTypeFromNumber } from './tensor-type.ts';

/** schema.fbs, file_identifier; at byte 4 of the file. */
const FILE_IDENTIFIER = 'TFL3';
/** The schema's only version since 2017. */
const SCHEMA_VERSION = 3;
const HEADER_BYTES = 8;
/** Kernels load whole words from constants; the schema asks for 16, old converters gave less. */
const MIN_BUFFER_ALIGNMENT_BYTES = 4;

/**
 * Reads a `.tflite` file. Every offset is checked; buffers are views of `bytes`.
 * The result is only known to be well-formed: `verifyModel` says whether it can run.
 * @param what names the file in errors
 * @throws DunlinError model-malformed, model-too-large, model-unsupported
 */
export function parseModel(bytes: Uint8Array, what: string): TfliteModel {
  if (bytes.byteLength > MAX_MODEL_BYTES) {
    throw new DunlinError(
      `${what}: ${bytes.byteLength} bytes; models up to ${MAX_MODEL_BYTES} are taken`,
      { code: 'model-too-large' },
    );
  }
  const reader = new FlatReader(bytes, what);
  if (bytes.byteLength < HEADER_BYTES) reader.fail('too short');
  if (Buffer.from(bytes.subarray(4, HEADER_BYTES)).toString('latin1') !== FILE_IDENTIFIER) {
    reader.fail(`no ${FILE_IDENTIFIER} at byte 4; is it a TensorFlow Lite model?`);
  }
  const root = reader.table(reader.indirect(0));
  const version = root.uint32(0);
  if (version !== SCHEMA_VERSION) reader.fail(`schema version ${version}, not ${SCHEMA_VERSION}`);
  const operatorCodes = root.tables(1, MAX_OPERATOR_CODES).map(readOperatorCode);
  const signatures = root.tables(7, MAX_SIGNATURES).map(readSignature);
  return {
    version,
    description: root.string(3) ?? '',
    operatorCodes,
    subgraphs: root.tables(2, MAX_SUBGRAPHS).map((table) => readSubgraph(table, operatorCodes)),
    buffers: root.tables(4, MAX_BUFFERS).map(readBuffer),
    metadata: root.tables(6, MAX_METADATA).map((table) => ({
      name: table.string(0) ?? '',
      buffer: table.uint32(1),
    })),
    ...(signatures.length > 0 ? { signatures } : {}),
  };
}

/** Numbers up to 126 fit the old byte field; the newer one wins when it is larger. */
function readOperatorCode(table: FlatTable): OperatorCode {
  const code = Math.max(table.int8(0), table.int32(3));
  if (code < 0) table.reader.fail(`operator number ${code}`);
  const customCode = table.string(1);
  return {
    builtin: operatorName(code),
    ...(customCode === undefined ? {} : { customCode }),
    version: table.int32(2, 1),
  };
}

function readBuffer(table: FlatTable): Uint8Array {
  const data = table.bytes(0);
  if (table.has(1) || table.has(2)) {
    table.reader.unsupported('a model over 2 GB, with weights outside the flatbuffer,');
  }
  if (data === undefined) return new Uint8Array(0);
  if (data.bytes.byteLength > 0 && data.start % MIN_BUFFER_ALIGNMENT_BYTES !== 0) {
    table.reader.fail(
      `a buffer at ${data.start} is not aligned; write it again with 16-byte alignment`,
    );
  }
  return data.bytes;
}

function readSignature(table: FlatTable): Signature {
  return {
    key: table.string(2) ?? '',
    subgraph: table.uint32(4),
    inputs: table.tables(0, MAX_OPERATOR_TENSORS).map(readAlias),
    outputs: table.tables(1, MAX_OPERATOR_TENSORS).map(readAlias),
  };
}

function readAlias(table: FlatTable): TensorAlias {
  return { name: table.string(0) ?? '', tensor: table.uint32(1) };
}

function readSubgraph(table: FlatTable, codes: readonly OperatorCode[]): TfliteSubgraph {
  return {
    tensors: table.tables(0, MAX_TENSORS).map(readTensor),
    inputs: table.int32s(1, MAX_OPERATOR_TENSORS),
    outputs: table.int32s(2, MAX_OPERATOR_TENSORS),
    operators: table.tables(3, MAX_OPERATORS).map((operator) => readOperator(operator, codes)),
    name: table.string(4) ?? '',
  };
}

function readTensor(table: FlatTable): TfliteTensor {
  const number = table.int8(1);
  const type = tensorTypeFromNumber(number);
  if (type === undefined) return table.reader.unsupported(`tensor type number ${number}`);
  const name = table.string(3) ?? '';
  if (table.has(6)) table.reader.unsupported(`the sparse encoding of tensor "${printable(name)}"`);
  if (table.has(8)) table.reader.unsupported(`the variant type of tensor "${printable(name)}"`);
  // Read only to check its bounds: native code follows it.
  table.int32s(7, MAX_RANK);
  const quantization = readQuantization(table.table(4), printable(name));
  return {
    name,
    type,
    shape: table.int32s(0, MAX_RANK),
    buffer: table.uint32(2),
    isVariable: table.bool(5),
    ...(quantization === undefined ? {} : { quantization }),
  };
}

function readQuantization(table: FlatTable | undefined, name: string): Quantization | undefined {
  if (table === undefined) return undefined;
  if (table.uint8(4) !== 0) table.reader.unsupported(`custom quantization of tensor "${name}"`);
  const scale = table.float32s(2, MAX_DECODED_NUMBERS);
  const zeroPoint = table.int64s(3, MAX_DECODED_NUMBERS);
  if (scale.length === 0) return undefined;
  if (scale.length !== zeroPoint.length) {
    table.reader.fail(
      `tensor "${name}" has ${scale.length} scales, ${zeroPoint.length} zero points`,
    );
  }
  return { scale, zeroPoint, axis: table.int32(6) };
}

function readOperator(table: FlatTable, codes: readonly OperatorCode[]): TfliteOperator {
  const code = table.uint32(0);
  const operatorCode = codes[code];
  if (operatorCode === undefined) return table.reader.fail(`operator code ${code} does not exist`);
  // Read only to check its bounds: native code follows it.
  table.int32s(8, MAX_OPERATOR_TENSORS);
  if (table.has(9) || table.has(10)) {
    table.reader.unsupported('a model over 2 GB, with options outside the flatbuffer,');
  }
  const custom = table.bytes(5);
  return {
    code,
    inputs: table.int32s(1, MAX_OPERATOR_TENSORS),
    outputs: table.int32s(2, MAX_OPERATOR_TENSORS),
    options: readOptions(table, operatorCode.builtin),
    ...(custom === undefined ? {} : { customOptions: custom.bytes }),
  };
}

function readOptions(table: FlatTable, name: string): Record<string, OptionValue> {
  const type = table.uint8(3);
  const spec = operatorSpec(name)?.options;
  const options = table.table(4);
  if (type === 0 || options === undefined || operatorSpec(name) === undefined) return {};
  if (spec === undefined || spec.type !== type) {
    return table.reader.fail(`${name} carries the options of another operator (number ${type})`);
  }
  return Object.fromEntries(spec.fields.map((field) => [field.name, readOption(options, field)]));
}

function readOption(table: FlatTable, field: OptionField): OptionValue {
  switch (field.kind) {
    case 'int8':
      return table.int8(field.slot, Number(field.default));
    case 'int32':
      return table.int32(field.slot, Number(field.default));
    case 'float32':
      return table.float32(field.slot, Number(field.default));
    case 'bool':
      return table.bool(field.slot, Boolean(field.default));
    case 'int32[]':
      return table.int32s(field.slot, MAX_RANK);
  }
}
