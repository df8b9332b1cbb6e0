import { readFileSync } from 'node:fs';
import test from 'ava';
import { checkSchema } from '../../src/core/index.ts';
import { mapToEdgeTpu } from '../../src/optimize/edge-tpu.ts';
import { EdgeTpuMapping } from '../../src/optimize/report-document.ts';
import { parseModel, type TensorType, type TfliteModel } from '../../src/tflite/index.ts';
import { sharedModel } from '../shared-folder.ts';
import { ModelBuilder } from '../tflite/model-builder.ts';
import { bias, CASES, dilation, float, flows, INT8, modelOf, weights } from './edge-tpu-cases.ts';

const MOTOR = new URL('../../../examples/motor/v1/', import.meta.url);

for (const [operator, cases] of Object.entries(CASES)) {
  for (const entry of cases) {
    const verdict = entry.reason === undefined ? 'maps' : 'does not map';
    test(`${operator} ${verdict}: ${entry.name}`, (t) => {
      const { reason } = entry;
      const maps = reason === undefined;
      t.deepEqual(mapToEdgeTpu(modelOf(operator, entry)), {
        mapped: maps ? 1 : 0,
        total: 1,
        operators: [{ operator: 0, name: operator, maps, ...(!maps && { reason }) }],
      });
    });
  }
}

/** RELUs in a row with others among them, all of them on a vector of 4. */
function chain(...steps: readonly [builtin: string, type?: TensorType][]): TfliteModel {
  const builder = new ModelBuilder();
  const vector = (type: TensorType): number =>
    builder.tensor([1, 4], type === 'float32' ? float : { ...INT8, type });
  const first = vector(steps[0]![0] === 'QUANTIZE' ? 'float32' : 'int8');
  let last = first;
  for (const [builtin, type] of steps) {
    const next = vector(type ?? 'int8');
    builder.operator(builtin, [last], [next]);
    last = next;
  }
  return builder.build([first], [last]);
}

test('the compiler stops at the first that does not map', (t) => {
  const { mapped, total, operators } = mapToEdgeTpu(
    chain(['RELU'], ['TANH'], ['ELU'], ['RELU'], ['GELU']),
  );
  t.deepEqual([mapped, total], [2, 5]);
  t.deepEqual(
    operators.map(({ reason }) => reason),
    [
      undefined,
      undefined,
      'is not an operation of the Edge TPU: train with RELU or RELU6',
      'comes after operator 2 (ELU), which does not map; the compiler stops there',
      'is not an operation of the Edge TPU: train with RELU or RELU6',
    ],
  );
  // Only what would map by itself is said to come after.
  t.deepEqual(
    operators.map(({ after }) => after),
    [undefined, undefined, undefined, true, undefined],
  );
});

test('float32 at both ends stops nothing', (t) => {
  const { mapped, operators } = mapToEdgeTpu(
    chain(['QUANTIZE'], ['RELU'], ['TANH'], ['DEQUANTIZE', 'float32']),
  );
  t.is(mapped, 2);
  t.deepEqual(
    operators.map(({ maps }) => maps),
    [false, true, true, false],
  );
});

test('float32 in the middle does', (t) => {
  const { mapped, operators } = mapToEdgeTpu(
    chain(['RELU'], ['DEQUANTIZE', 'float32'], ['EXP', 'float32'], ['QUANTIZE'], ['RELU']),
  );
  t.is(mapped, 1);
  t.is(operators[1]!.reason, 'turns int8 back into float32: quantize what reads it to int8, too');
  t.is(operators[3]!.reason, 'computes in float32: quantize it to int8');
  t.regex(operators[4]!.reason!, /^comes after operator 1 /);
});

test('several things wrong are all said', (t) => {
  const model = modelOf('CONV_2D', {
    name: '',
    inputs: [flows(2, 8, 8, 4), weights(8, 3, 3, 4), bias(8)],
    output: [2, 8, 8, 8],
    options: dilation(2, 1),
  });
  const [only] = mapToEdgeTpu(model).operators;
  t.regex(only!.reason!, /use a batch of 1; dilates by 2 in height and 1 in width/);
});

test('a custom operator does not map, unless it is the compiler’s own', (t) => {
  const named = (customCode: string): TfliteModel => {
    const model = chain(['CUSTOM']);
    return { ...model, operatorCodes: [{ builtin: 'CUSTOM', customCode, version: 1 }] };
  };
  const { operators } = mapToEdgeTpu(named('Detect\nBoxes'));
  t.deepEqual(operators, [
    {
      operator: 0,
      name: 'Detect Boxes',
      maps: false,
      reason: 'is a custom operator: use builtin ones',
    },
  ]);
  t.is(mapToEdgeTpu(named('edgetpu-custom-op')).mapped, 1);
});

test('a model without operators has nothing to map', (t) => {
  const builder = new ModelBuilder();
  const input = builder.tensor([1, 4], INT8);
  t.deepEqual(mapToEdgeTpu(builder.build([input], [input])), {
    mapped: 0,
    total: 0,
    operators: [],
  });
});

test('a tensor that does not exist is refused', (t) => {
  const model = new ModelBuilder().operator('RELU', [7], [8]).build([], []);
  t.throws(() => mapToEdgeTpu(model), { code: 'model-malformed' });
});

test('examples/motor maps in int8, and not at all in float32', (t) => {
  const mapping = (name: string): EdgeTpuMapping =>
    mapToEdgeTpu(parseModel(readFileSync(new URL(name, MOTOR)), name));
  const int8 = mapping('int8.tflite');
  t.deepEqual([int8.mapped, int8.total], [9, 9]);
  const float32 = mapping('float.tflite');
  t.deepEqual([float32.mapped, float32.total], [0, 9]);
  const checked = checkSchema(EdgeTpuMapping, float32);
  t.deepEqual('problems' in checked ? checked.problems : [], []);
});

const REFERENCE: readonly [file: string, mapped: number, total: number][] = [
  ['kws_int8.tflite', 13, 13],
  ['ic_int8.tflite', 16, 16],
  ['ad01_int8.tflite', 10, 10],
  ['kws_float.tflite', 0, 13],
  ['mobilenet_v1_0.25_128_quant.tflite', 31, 31],
  // Coral's own compilation of the line above: one operator for all.
  ['mobilenet_v1_0.25_128_quant_edgetpu.tflite', 1, 1],
];

for (const [file, mapped, total] of REFERENCE) {
  test(`${file}: ${mapped} of ${total}`, (t) => {
    const bytes = sharedModel(t, file);
    if (bytes === undefined) return;
    const mapping = mapToEdgeTpu(parseModel(bytes, file));
    t.deepEqual([mapping.mapped, mapping.total], [mapped, total]);
  });
}
