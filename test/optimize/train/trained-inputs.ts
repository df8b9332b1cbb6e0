import type { TfliteModel, TfliteOperator } from '../../../src/tflite/index.ts';
import { encode } from '../../tflite/model-builder.ts';
import { countOf } from '../random-graph.ts';
import type { RandomValues } from '../random-values.ts';

/** Where some operator bends. */
const KINKS = [-3, -1, 0, 1, 3, 6];
/** Values keep so far from kinks, and from one another. */
const ROOM = 2 ** -7;

/** So many values from -range to range, in random order: no two are close, and none is close to a kink. */
export function spacedValues(count: number, range: number, random: RandomValues): number[] {
  for (let steps = count + 1; ; steps++) {
    const step = (2 * range) / steps;
    if (step < ROOM) throw new Error(`${count} values do not go between -${range} and ${range}`);
    const values = Array.from({ length: steps }, (_, index) => (index + 0.5) * step - range).filter(
      (value) => KINKS.every((kink) => Math.abs(kink - value) > ROOM),
    );
    if (values.length < count) continue;
    for (let at = values.length - 1; at > 0; at--) {
      const other = random.whole(0, at);
      [values[at], values[other]] = [values[other]!, values[at]!];
    }
    return values.slice(0, count);
  }
}

/**
 * The same model with weights for inputs: its one input is [1, batch], and a FULLY_CONNECTED layer makes of the unit
 * vector k what was sample k of the inputs before. So their gradients are those of parameters, element by element.
 */
export function withTrainedInputs(
  model: TfliteModel,
  batch: number,
  range: number,
  random: RandomValues,
): TfliteModel {
  const { signatures: _, ...rest } = model;
  const subgraph = rest.subgraphs[0]!;
  const [tensors, buffers] = [[...subgraph.tensors], [...rest.buffers]];
  const operatorCodes = [
    ...rest.operatorCodes,
    { builtin: 'FULLY_CONNECTED', version: 1 },
    { builtin: 'RESHAPE', version: 1 },
  ];
  const tensor = (
    shape: readonly number[],
    data?: Uint8Array,
    type: 'float32' | 'int32' = 'float32',
  ): number => {
    const buffer = data === undefined ? 0 : buffers.push(data) - 1;
    const name = `trained ${tensors.length}`;
    return tensors.push({ name, type, shape: [...shape], buffer, isVariable: false }) - 1;
  };
  const sizes = subgraph.inputs.map((index) => countOf(tensors[index]!.shape));
  const total = sizes.reduce((sum, size) => sum + size, 0);
  const values = spacedValues(batch * total, range, random);
  const unit = tensor([1, batch]);
  const before: TfliteOperator[] = subgraph.inputs.flatMap((index, place) => {
    const [size, { shape }] = [sizes[place]!, tensors[index]!];
    const data = encode('float32', values.splice(0, batch * size));
    const row = tensor([1, size]);
    const rank = tensor([shape.length], encode('int32', shape), 'int32');
    const options = { fusedActivationFunction: 0, weightsFormat: 0 };
    return [
      {
        code: operatorCodes.length - 2,
        inputs: [unit, tensor([size, batch], data), -1],
        outputs: [row],
        options: { ...options, keepNumDims: false, asymmetricQuantizeInputs: false },
      },
      {
        code: operatorCodes.length - 1,
        inputs: [row, rank],
        outputs: [index],
        options: { newShape: [] },
      },
    ];
  });
  const operators = [...before, ...subgraph.operators];
  return {
    ...rest,
    operatorCodes,
    buffers,
    subgraphs: [{ ...subgraph, tensors, operators, inputs: [unit] }],
  };
}

/** Sample k is the unit vector k. */
export function unitSamples(batch: number): Float32Array[] {
  return Array.from({ length: batch }, (_, sample) =>
    Float32Array.from({ length: batch }, (_, place) => (place === sample ? 1 : 0)),
  );
}
