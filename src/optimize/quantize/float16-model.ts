import { operatorSpec, printable, type TfliteModel } from '../../tflite/index.ts';
import type { FloatModel } from '../float-model.ts';
import { copyOperator, copySignatures, GraphWriter } from '../graph-writer.ts';
import { shortNames } from '../tensor-names.ts';
import { fromFloat16Bits, toFloat16Bits } from './float16.ts';

/** Below this a DEQUANTIZE of its own costs more than the constant saves. */
const LEAST_ELEMENTS = 64;
/** Of the sum of squares: eleven bits leave 1e-7 at the most, more is lost where values are too large or too small. */
const MOST_ERROR = 1e-6;
/** Positions of inputs that kernels (or the verifier, who keeps from them what crashes) take as constants alone. */
const PINNED: Readonly<Record<string, readonly number[]>> = {
  PRELU: [1],
  PADV2: [2],
  SVDF: [1, 2],
};

/**
 * Constants as float16, each with a DEQUANTIZE that gives it back as float32 when the model is loaded or run; the
 * arithmetic stays float32. A constant that does not fit, or is too small to gain, stays as it is.
 */
export function writeFloat16Model(float: FloatModel): TfliteModel {
  const { graph, subgraph, model } = float;
  const writer = new GraphWriter();
  const shortName = shortNames(float);
  const ends = new Set([...subgraph.inputs, ...subgraph.outputs]);
  const pinned = pinnedConstants(float);
  const placed = new Map<number, number>();
  const place = (index: number): number => {
    const there = placed.get(index);
    if (there !== undefined) return there;
    const { type, shape, isVariable, name: whole } = graph.tensor(index);
    const name = ends.has(index) ? whole : shortName(index);
    const data = graph.data(graph.tensor(index));
    const shrinks = data.byteLength > 0 && type === 'float32' && !pinned.has(index);
    const halves = shrinks ? asFloat16(data) : undefined;
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

/** Constants that operators want to see in the file, and not behind a DEQUANTIZE. */
function pinnedConstants({ graph, subgraph }: FloatModel): Set<number> {
  return new Set(
    subgraph.operators.flatMap((operator) => {
      const positions = PINNED[graph.code(operator).builtin] ?? [];
      return positions.map((position) => operator.inputs[position]!);
    }),
  );
}

/** Undefined where float16 would lose what the values are, or gain nothing. */
function asFloat16(data: Uint8Array): Uint8Array | undefined {
  const values = new Float32Array(new Uint8Array(data).buffer);
  if (values.length < LEAST_ELEMENTS) return undefined;
  const halves = Uint16Array.from(values, toFloat16Bits);
  let [signal, error] = [0, 0];
  for (const [index, value] of values.entries()) {
    signal += value ** 2;
    error += (fromFloat16Bits(halves[index]!) - value) ** 2;
  }
  return error <= MOST_ERROR * signal ? new Uint8Array(halves.buffer) : undefined;
}
