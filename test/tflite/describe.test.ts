import test from 'ava';
import {
  describeModel,
  logitsView,
  parseModel,
  serializeModel,
  type TfliteModel,
  verifyModel,
} from '../../src/tflite/index.ts';
import { sharedModel } from '../shared-folder.ts';
import { ModelBuilder } from './model-builder.ts';
import { smallNetwork, svdfModel } from './sample-models.ts';
import { attention } from './sample-networks.ts';

test('a small network in numbers worked out by hand', (t) => {
  const model = smallNetwork();
  const bytes = serializeModel(model);
  const description = describeModel(model, bytes);
  t.deepEqual(description.inputs, [
    { name: 't0', type: 'int8', shape: [1, 6, 6, 1], scale: Math.fround(0.05), zeroPoint: -3 },
  ]);
  t.deepEqual(description.outputs, [
    { name: 't7', type: 'int8', shape: [1, 3], scale: 1 / 256, zeroPoint: -128 },
  ]);
  t.deepEqual(description.operators, [
    { name: 'CONV_2D', version: 5, count: 1, macs: 3 * 3 * 2 * 9 },
    { name: 'FULLY_CONNECTED', version: 9, count: 1, macs: 18 * 3 },
    { name: 'RESHAPE', version: 1, count: 1, macs: 0 },
    { name: 'SOFTMAX', version: 3, count: 1, macs: 0 },
  ]);
  t.is(description.macs, 162 + 54);
  t.is(description.parameterCount, 18 + 2 + 54);
  t.is(description.sizeBytes, bytes.byteLength);
  t.true(description.fullyInt8);
  t.false(description.edgetpu);
});

test('sparsity is the share of zero weights; biases do not count', (t) => {
  const model = smallNetwork();
  model.buffers[1]!.fill(0, 0, 9);
  model.buffers[2]!.fill(0);
  const zeros = [model.buffers[1]!, model.buffers[3]!].flatMap((weights) => [...weights]);
  const expected = zeros.filter((weight) => weight === 0).length / (18 + 54);
  t.true(expected >= 9 / 72);
  t.is(describeModel(model, new Uint8Array(0)).sparsity, expected);
});

test('an SVDF counts its feature and time weights; float32 is not int8', (t) => {
  const { macs, fullyInt8 } = describeModel(svdfModel('float32', 'float32'), new Uint8Array(0));
  t.is(macs, 4 * (6 + 3));
  t.false(fullyInt8);
});

test('a product of matrices counts its MACs, transposed or not', (t) => {
  const macs = (model: TfliteModel): number => describeModel(model, new Uint8Array(0)).macs;
  t.is(macs(attention()), 4 * 6 * 8 + 4 * 8 * 4 + 4 * 4 * 8);
  const adjoint = new ModelBuilder();
  const [left, right] = [adjoint.tensor([3, 1, 5, 4]), adjoint.tensor([2, 6, 5])];
  const output = adjoint.tensor([3, 2, 4, 6]);
  adjoint.operator('BATCH_MATMUL', [left, right], [output], { adjX: true, adjY: true });
  t.is(macs(adjoint.build([left, right], [output])), 3 * 2 * 4 * 6 * 5);
});

test('the logits view ends before the softmax, and is a sound model', (t) => {
  const model = smallNetwork();
  const view = logitsView(model)!;
  t.deepEqual(view.subgraphs[0]!.outputs, model.subgraphs[0]!.operators.at(-1)!.inputs);
  t.is(view.subgraphs[0]!.operators.length, 3);
  t.notThrows(() => verifyModel(parseModel(serializeModel(view), 'view'), 'view'));
  t.is(logitsView(view), undefined);
});

for (const [file, macs, parameterCount, fullyInt8] of [
  ['kws_int8.tflite', 2_656_768, 22_604, true],
  ['kws_ref_model.tflite', 2_656_768, 22_604, true],
  ['kws_float.tflite', 2_656_768, 22_604, false],
  ['ad01_int8.tflite', 264_192, 265_864, true],
  ['ic_int8.tflite', 12_501_632, 77_706, true],
  ['mobilenet_v1_0.25_128_quant.tflite', 13_570_304, 467_593, false],
] as const) {
  test(`${file}: MACs and parameters`, (t) => {
    const bytes = sharedModel(t, file);
    if (bytes === undefined) return;
    const description = describeModel(parseModel(bytes, file), bytes);
    t.is(description.macs, macs);
    t.is(description.parameterCount, parameterCount);
    t.is(description.fullyInt8, fullyInt8);
    t.false(description.edgetpu);
    t.is(description.sizeBytes, bytes.byteLength);
  });
}

test('the model compiled for the Edge TPU says so', (t) => {
  const bytes = sharedModel(t, 'mobilenet_v1_0.25_128_quant_edgetpu.tflite');
  if (bytes === undefined) return;
  const description = describeModel(parseModel(bytes, 'x'), bytes);
  t.true(description.edgetpu);
  t.deepEqual(
    description.operators.map(({ name, count }) => [name, count]),
    [['edgetpu-custom-op', 1]],
  );
});
