import test from 'ava';
import fc from 'fast-check';
import {
  OPERATORS,
  type OptionField,
  parseModel,
  serializeModel,
  type TfliteModel,
  verifyModel,
} from '../../src/tflite/index.ts';
import { sharedModel } from '../shared-folder.ts';
import { sampleModels } from './sample-models.ts';

const int32 = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
const uint32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const name = fc.string({ unit: 'grapheme', maxLength: 12 });
/** Without -0, which is written as the default 0. */
const float = fc.float().map((value) => (value === 0 ? 0 : value));

function optionValue(field: OptionField): fc.Arbitrary<number | boolean | number[]> {
  switch (field.kind) {
    case 'int8':
      return fc.integer({ min: -128, max: 127 });
    case 'int32':
      return int32;
    case 'bool':
      return fc.boolean();
    case 'float32':
      return float;
    case 'int32[]':
      return fc.array(int32, { maxLength: 4 });
  }
}

const builtinOperator = fc.constantFrom(...OPERATORS).chain((spec) =>
  fc.record({
    builtin: fc.constant(spec.name),
    options: fc.record(
      Object.fromEntries(
        (spec.options?.fields ?? []).map((field) => [field.name, optionValue(field)]),
      ),
    ),
  }),
);

const tensor = fc
  .record({
    name,
    type: fc.constantFrom('float32', 'int8', 'uint8', 'int32', 'int64', 'bool', 'string'),
    shape: fc.array(int32, { maxLength: 6 }),
    buffer: uint32,
    isVariable: fc.boolean(),
    scales: fc.array(fc.tuple(fc.float(), fc.maxSafeInteger()), { maxLength: 5 }),
    axis: int32,
  })
  .map(({ scales, axis, ...rest }) => ({
    ...rest,
    ...(scales.length === 0
      ? {}
      : {
          quantization: {
            scale: scales.map(([scale]) => scale),
            zeroPoint: scales.map(([, zero]) => zero),
            axis,
          },
        }),
  }));

const models = fc
  .record({
    operators: fc.array(builtinOperator, { minLength: 1, maxLength: 6 }),
    custom: fc.uint8Array({ maxLength: 40 }),
    tensors: fc.array(tensor, { maxLength: 8 }),
    indices: fc.array(int32, { maxLength: 5 }),
    versions: fc.array(int32, { minLength: 7, maxLength: 7 }),
    buffers: fc.array(fc.uint8Array({ maxLength: 70 }), { maxLength: 5 }),
    names: fc.tuple(name, name, name, name),
  })
  .map(({ operators, custom, tensors, indices, versions, buffers, names }) => ({
    version: 3,
    description: names[0],
    operatorCodes: [
      ...operators.map(({ builtin }, index) => ({ builtin, version: versions[index]! })),
      { builtin: 'CUSTOM', customCode: names[1], version: versions[6]! },
    ],
    subgraphs: [
      {
        name: names[2],
        tensors,
        inputs: indices,
        outputs: indices.toReversed(),
        operators: [
          ...operators.map(({ options }, code) => ({
            code,
            inputs: indices,
            outputs: indices,
            options,
          })),
          {
            code: operators.length,
            inputs: [],
            outputs: indices,
            options: {},
            customOptions: custom,
          },
        ],
      },
    ],
    buffers,
    metadata: [{ name: names[3], buffer: versions[0]! >>> 0 }],
    signatures: [
      {
        key: names[0],
        subgraph: 0,
        inputs: [{ name: names[1], tensor: versions[1]! >>> 0 }],
        outputs: [],
      },
    ],
  })) as fc.Arbitrary<TfliteModel>;

test('the empty name of a custom operator is not none', (t) => {
  const [sample] = sampleModels();
  const operators: TfliteModel['subgraphs'][number]['operators'] = [];
  const model = {
    ...sample!.model,
    operatorCodes: [{ builtin: 'CUSTOM', customCode: '', version: 1 }],
    subgraphs: [{ ...sample!.model.subgraphs[0]!, operators }],
  };
  t.deepEqual(parseModel(serializeModel(model), 'x').operatorCodes, model.operatorCodes);
});

test('what is written is read back, equal in all it holds', (t) => {
  fc.assert(
    fc.property(models, (model) => {
      const bytes = serializeModel(model);
      t.deepEqual(parseModel(bytes, 'x'), model);
      t.deepEqual(serializeModel(parseModel(bytes, 'x')), bytes);
    }),
    { numRuns: 200 },
  );
});

function unalignedBuffers(bytes: Uint8Array): number {
  return parseModel(bytes, 'x').buffers.filter(
    (buffer) => buffer.byteLength > 0 && (buffer.byteOffset - bytes.byteOffset) % 16 !== 0,
  ).length;
}

test('every buffer starts at a multiple of 16', (t) => {
  for (const { model, name: sample } of sampleModels()) {
    t.is(unalignedBuffers(serializeModel(model)), 0, sample);
  }
});

test('one sample of each operator and type is read back and verified', (t) => {
  const samples = sampleModels();
  const used = new Set(samples.flatMap(({ model }) => model.operatorCodes.map((c) => c.builtin)));
  t.deepEqual(
    OPERATORS.map((spec) => spec.name).filter((operator) => !used.has(operator)),
    [],
  );
  for (const { model, name: sample } of samples) {
    const read = parseModel(serializeModel(model), sample);
    t.deepEqual(read, model, sample);
    t.notThrows(() => verifyModel(read, sample));
  }
});

test('the writer refuses an operator whose options it does not know', (t) => {
  const [sample] = sampleModels();
  const unknown = { ...sample!.model, operatorCodes: [{ builtin: 'LSTM', version: 1 }] };
  t.throws(() => serializeModel(unknown), { message: /LSTM/ });
});

for (const file of [
  'ad01_float.tflite',
  'ad01_int8.tflite',
  'ic_float.tflite',
  'ic_int8.tflite',
  'kws_float.tflite',
  'kws_int8.tflite',
  'kws_ref_model.tflite',
  'mobilenet_v1_0.25_128_quant.tflite',
  'mobilenet_v1_0.25_128_quant_edgetpu.tflite',
]) {
  test(`${file} is verified, written and read back`, (t) => {
    const bytes = sharedModel(t, file);
    if (bytes === undefined) return;
    const model = parseModel(bytes, file);
    t.notThrows(() => verifyModel(model, file));
    const written = serializeModel(model);
    t.is(unalignedBuffers(written), 0);
    t.true(written.byteLength <= bytes.byteLength);
    t.deepEqual(parseModel(written, file), model);
  });
}
