import { Builder } from 'flatbuffers';
import { DunlinError } from '../core/index.ts';
import type {
  OptionValue,
  Signature,
  TensorAlias,
  TfliteModel,
  TfliteOperator,
  TfliteSubgraph,
  TfliteTensor,
} from './model.ts';
import { operatorNumber } from './operator-names.ts';
import { type OptionField, type OptionsSpec, operatorSpec } from './operator-table.ts';
import { tensorTypeToNumber } from './tensor-type.ts';

const FILE_IDENTIFIER = 'TFL3';
/** schema.fbs, Buffer.data: force_align 16. */
const BUFFER_ALIGNMENT_BYTES = 16;
/** schema.fbs, PLACEHOLDER_FOR_GREATER_OP_CODES: what old readers see of a newer operator. */
const GREATER_OPERATOR_CODE = 127;
/** Room for tables and names beside the weights, so that the builder need not grow. */
const INITIAL_EXTRA_BYTES = 65_536;

/**
 * Writes a model as a `.tflite` file. The same model always gives the same bytes; every buffer
 * starts at a multiple of 16. What `parseModel` reads back is equal to `model`.
 * @throws DunlinError model-unsupported for an operator outside the table: its options are unknown
 */
export function serializeModel(model: TfliteModel): Uint8Array {
  const weightBytes = model.buffers.reduce((sum, buffer) => sum + buffer.byteLength + 16, 0);
  const builder = new SharingBuilder(weightBytes + INITIAL_EXTRA_BYTES);
  const buffers = offsets(
    builder,
    model.buffers.map((buffer) => writeBuffer(builder, buffer)),
  );
  const metadata = offsets(
    builder,
    model.metadata.map(({ name, buffer }) => writeNamed(builder, name, buffer)),
  );
  const signatures =
    model.signatures === undefined
      ? 0
      : offsets(
          builder,
          model.signatures.map((signature) => writeSignature(builder, signature)),
        );
  const description = builder.createSharedString(model.description);
  const subgraphs = offsets(
    builder,
    model.subgraphs.map((subgraph) => writeSubgraph(builder, subgraph, model)),
  );
  const codes = offsets(
    builder,
    model.operatorCodes.map((code) => writeOperatorCode(builder, code)),
  );
  builder.startObject(8);
  builder.addFieldInt32(0, model.version, 0);
  builder.addFieldOffset(1, codes, 0);
  builder.addFieldOffset(2, subgraphs, 0);
  builder.addFieldOffset(3, description, 0);
  builder.addFieldOffset(4, buffers, 0);
  builder.addFieldOffset(6, metadata, 0);
  builder.addFieldOffset(7, signatures, 0);
  builder.finish(builder.endObject(), FILE_IDENTIFIER);
  return builder.asUint8Array();
}

function offsets(builder: SharingBuilder, list: readonly number[]): number {
  builder.startVector(4, list.length, 4);
  for (const offset of list.toReversed()) builder.addOffset(offset);
  return builder.endVector();
}

/** Equal parts once: shapes and options repeat, and the zero points of a layer's channels are all zero. */
class SharingBuilder extends Builder {
  readonly #written = new Map<string, number>();

  /** Writes a part, or names the equal one that is there already. */
  shared(kind: string, list: readonly number[], write: () => number): number {
    const key = `${kind}:${list.join()}`;
    let offset = this.#written.get(key);
    if (offset === undefined) {
      offset = write();
      this.#written.set(key, offset);
    }
    return offset;
  }

  int32s(list: readonly number[]): number {
    return this.shared('int32', list, () => this.ownInt32s(list));
  }

  /** A vector of its own. */
  ownInt32s(list: readonly number[]): number {
    this.startVector(4, list.length, 4);
    for (const value of list.toReversed()) this.addInt32(value);
    return this.endVector();
  }

  float32s(list: readonly number[]): number {
    return this.shared('float32', list, () => {
      this.startVector(4, list.length, 4);
      for (const value of list.toReversed()) this.addFloat32(value);
      return this.endVector();
    });
  }

  int64s(list: readonly number[]): number {
    return this.shared('int64', list, () => {
      this.startVector(8, list.length, 8);
      for (const value of list.toReversed()) this.addInt64(BigInt(value));
      return this.endVector();
    });
  }
}

function alignedBytes(builder: SharingBuilder, bytes: Uint8Array): number {
  builder.prep(BUFFER_ALIGNMENT_BYTES, bytes.byteLength);
  return builder.createByteVector(bytes);
}

function writeBuffer(builder: SharingBuilder, bytes: Uint8Array): number {
  const data = bytes.byteLength > 0 ? alignedBytes(builder, bytes) : 0;
  builder.startObject(1);
  builder.addFieldOffset(0, data, 0);
  return builder.endObject();
}

/** Metadata and TensorMap: a name and an unsigned index. */
function writeNamed(builder: SharingBuilder, name: string, index: number): number {
  const text = builder.createSharedString(name);
  builder.startObject(2);
  builder.addFieldOffset(0, text, 0);
  builder.addFieldInt32(1, index, 0);
  return builder.endObject();
}

function writeSignature(builder: SharingBuilder, signature: Signature): number {
  const aliases = (list: readonly TensorAlias[]): number =>
    offsets(
      builder,
      list.map(({ name, tensor }) => writeNamed(builder, name, tensor)),
    );
  const inputs = aliases(signature.inputs);
  const outputs = aliases(signature.outputs);
  const key = builder.createSharedString(signature.key);
  builder.startObject(5);
  builder.addFieldOffset(0, inputs, 0);
  builder.addFieldOffset(1, outputs, 0);
  builder.addFieldOffset(2, key, 0);
  builder.addFieldInt32(4, signature.subgraph, 0);
  return builder.endObject();
}

function writeOperatorCode(
  builder: SharingBuilder,
  code: TfliteModel['operatorCodes'][number],
): number {
  const number = operatorNumber(code.builtin);
  if (number === undefined) {
    throw new DunlinError(`"${code.builtin}" is not the name of an operator`, {
      code: 'model-unsupported',
    });
  }
  // Not the shared kind, which leaves an empty name out.
  const custom = code.customCode === undefined ? 0 : builder.createString(code.customCode);
  builder.startObject(4);
  builder.addFieldInt8(0, Math.min(number, GREATER_OPERATOR_CODE), 0);
  builder.addFieldOffset(1, custom, 0);
  builder.addFieldInt32(2, code.version, 1);
  builder.addFieldInt32(3, number, 0);
  return builder.endObject();
}

function writeSubgraph(
  builder: SharingBuilder,
  subgraph: TfliteSubgraph,
  model: TfliteModel,
): number {
  const tensors = offsets(
    builder,
    subgraph.tensors.map((tensor) => writeTensor(builder, tensor)),
  );
  const operators = offsets(
    builder,
    subgraph.operators.map((operator) => writeOperator(builder, operator, model)),
  );
  // Not shared: tools exchange a graph's ends in place, to look at what is between them.
  const inputs = builder.ownInt32s(subgraph.inputs);
  const outputs = builder.ownInt32s(subgraph.outputs);
  const name = builder.createSharedString(subgraph.name);
  builder.startObject(5);
  builder.addFieldOffset(0, tensors, 0);
  builder.addFieldOffset(1, inputs, 0);
  builder.addFieldOffset(2, outputs, 0);
  builder.addFieldOffset(3, operators, 0);
  builder.addFieldOffset(4, name, 0);
  return builder.endObject();
}

function writeTensor(builder: SharingBuilder, tensor: TfliteTensor): number {
  const shape = builder.int32s(tensor.shape);
  const name = builder.createSharedString(tensor.name);
  const quantization = writeQuantization(builder, tensor);
  builder.startObject(6);
  builder.addFieldOffset(0, shape, 0);
  builder.addFieldInt8(1, tensorTypeToNumber(tensor.type), 0);
  builder.addFieldInt32(2, tensor.buffer, 0);
  builder.addFieldOffset(3, name, 0);
  builder.addFieldOffset(4, quantization, 0);
  builder.addFieldInt8(5, tensor.isVariable ? 1 : 0, 0);
  return builder.endObject();
}

function writeQuantization(builder: SharingBuilder, { quantization }: TfliteTensor): number {
  if (quantization === undefined) return 0;
  const scales = builder.float32s(quantization.scale);
  const zeroPoints = builder.int64s(quantization.zeroPoint);
  const parts = [scales, zeroPoints, quantization.axis];
  return builder.shared('quantization', parts, () => {
    builder.startObject(7);
    builder.addFieldOffset(2, scales, 0);
    builder.addFieldOffset(3, zeroPoints, 0);
    builder.addFieldInt32(6, quantization.axis, 0);
    return builder.endObject();
  });
}

function writeOperator(
  builder: SharingBuilder,
  operator: TfliteOperator,
  model: TfliteModel,
): number {
  const name = model.operatorCodes[operator.code]?.builtin ?? '';
  const spec = operatorSpec(name);
  if (spec === undefined && name !== 'CUSTOM') {
    throw new DunlinError(`operator ${name} is not one that Dunlin can write`, {
      code: 'model-unsupported',
    });
  }
  const present = Object.keys(operator.options).length > 0 || spec?.options?.fields.length === 0;
  const options =
    present && spec?.options !== undefined
      ? writeOptions(builder, spec.options, operator.options)
      : 0;
  const inputs = builder.int32s(operator.inputs);
  const outputs = builder.int32s(operator.outputs);
  const custom =
    operator.customOptions === undefined ? 0 : alignedBytes(builder, operator.customOptions);
  builder.startObject(9);
  builder.addFieldInt32(0, operator.code, 0);
  builder.addFieldOffset(1, inputs, 0);
  builder.addFieldOffset(2, outputs, 0);
  if (options !== 0) builder.addFieldInt8(3, spec?.options?.type ?? 0, 0);
  builder.addFieldOffset(4, options, 0);
  builder.addFieldOffset(5, custom, 0);
  return builder.endObject();
}

function writeOptions(
  builder: SharingBuilder,
  { type, fields }: OptionsSpec,
  options: Readonly<Record<string, OptionValue>>,
): number {
  const vectors = fields.map((field) => {
    const value = options[field.name];
    return Array.isArray(value) ? builder.int32s(value) : 0;
  });
  const values = fields.map(({ name, default: absent }, index) =>
    vectors[index] === 0 ? Number(options[name] ?? absent) : vectors[index]!,
  );
  return builder.shared(`options ${type}`, values, () => {
    writeOptionFields(builder, fields, options, vectors);
    return builder.endObject();
  });
}

function writeOptionFields(
  builder: SharingBuilder,
  fields: readonly OptionField[],
  options: Readonly<Record<string, OptionValue>>,
  vectors: readonly number[],
): void {
  builder.startObject(fields.reduce((count, field) => Math.max(count, field.slot + 1), 0));
  for (const [index, field] of fields.entries()) {
    const value = Number(options[field.name] ?? field.default);
    const absent = Number(field.default);
    if (field.kind === 'int8' || field.kind === 'bool') {
      builder.addFieldInt8(field.slot, value, absent);
    } else if (field.kind === 'int32') builder.addFieldInt32(field.slot, value, absent);
    else if (field.kind === 'float32') builder.addFieldFloat32(field.slot, value, absent);
    else builder.addFieldOffset(field.slot, vectors[index]!, 0);
  }
}
