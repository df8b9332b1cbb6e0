import { operatorSpec, printable, type TfliteModel } from '../../tflite/index.ts';
import type { FloatModel } from '../float-model.ts';
import { copyOperator, copySignatures, GraphWriter } from '../graph-writer.ts';
import { shortNames } from '../tensor-names.ts';
import { fromFloat16Bits, MAX_FLOAT16, toFloat16Bits } from './float16.ts';

/** Below this a DEQUANTIZE of its own costs more than the constant saves. */
const LEAST_ELEMENTS = 64;

/**
 * Constants as float16, each with a DEQUANTIZE that gives it back as float32 when the model is loaded or run; the
 * arithmetic stays float32. A constant that does not fit, or is too small to gain, stays as it is.
 */
export function writeFloat16Model(float: FloatModel): TfliteModel {
  const { graph, subgraph, model } = float;
  const writer = new GraphWriter();
  const shortName = shortNames(float);
  const ends = new Set([...subgraph.inputs, ...subgraph.outputs]);
  const placed = new Map<number, number>();
  const place = (index: number): number => {
    const there = placed.get(index);
    if (there !== undefined) return there;
    const { type, shape, isVariable, name: whole } = graph.tensor(index);
    const name = ends.has(index) ? whole : shortName(index);
    const data = graph.data(graph.tensor(index));
    const halves = data.byteLength > 0 && type === 'float32' ? asFloat16(data) : undefined;
    if (halves === undefined) {
      const constant = data.byteLength > 0 ? { data } : {};
      placed.set(index, writer.tensor({ name, type, shape, isVariable, ...constant }));
    } else {
      const half = writer.tensor({ name: '', type: 'float16', shape, data: halves });
      const whole32 = writer.tensor({ name: '', type, shape });
      const version = operatorSpec('DEQUANTIZE')?.minVersion?.float16 ?? 1;
      const draft = { builtin: 'DEQUANTIZE', version, options: {} };
      writer.operator({ ...draft, inputs: [half], outputs: [whole32] });
      placed.set(index, whole32);
    }
    return placed.get(index)!;
  };
  const inputs = subgraph.inputs.map(place);
  for (const operator of subgraph.operators) copyOperator(writer, float, operator, place);
  const outputs = subgraph.outputs.map(place);
  const description = `${printable(model.description)} (float16, dunlin)`.trim();
  return writer.finish(description, inputs, outputs, copySignatures(float, inputs, outputs));
}

/** Undefined where float16 would lose what a value is, or gain nothing. */
function asFloat16(data: Uint8Array): Uint8Array | undefined {
  const values = new Float32Array(new Uint8Array(data).buffer);
  if (values.length < LEAST_ELEMENTS) return undefined;
  const halves = new Uint16Array(values.length);
  for (const [index, value] of values.entries()) {
    if (Math.abs(value) > MAX_FLOAT16) return undefined;
    halves[index] = toFloat16Bits(value);
    if (value !== 0 && fromFloat16Bits(halves[index]!) === 0 && values.length === 1)
      return undefined;
  }
  return new Uint8Array(halves.buffer);
}
