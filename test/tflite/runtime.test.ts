import test from 'ava';
import { logitsView, parseModel, serializeModel } from '../../src/tflite/index.ts';
import { RuntimeProcess } from '../fuzz/tflite-runtime.ts';
import { sharedModel } from '../shared-folder.ts';
import { sampleModels } from './sample-models.ts';

test('the runtime takes every sample, and computes the shapes that are checked', async (t) => {
  const runtime = new RuntimeProcess();
  try {
    for (const { name, model } of sampleModels()) {
      const { tensors, outputs } = model.subgraphs[0]!;
      const result = await runtime.run(serializeModel(model));
      t.true('shapes' in result, `${name}: ${JSON.stringify(result)}`);
      if (!('shapes' in result)) continue;
      t.deepEqual(
        result.shapes,
        outputs.map((index) => tensors[index]!.shape.join(',')),
        name,
      );
    }
  } finally {
    runtime.close();
  }
});

for (const file of [
  'ad01_int8.tflite',
  'ic_int8.tflite',
  'kws_int8.tflite',
  'kws_float.tflite',
  'mobilenet_v1_0.25_128_quant.tflite',
]) {
  test(`${file} computes the same after it is written again`, async (t) => {
    const bytes = sharedModel(t, file);
    if (bytes === undefined) return;
    const model = parseModel(bytes, file);
    const runtime = new RuntimeProcess();
    try {
      const original = await runtime.run(bytes);
      t.true('digest' in original);
      t.deepEqual(await runtime.run(serializeModel(model)), original);
      const view = logitsView(model);
      if (view === undefined) return;
      const logits = await runtime.run(serializeModel(view));
      t.true('digest' in logits && 'digest' in original && logits.digest !== original.digest);
    } finally {
      runtime.close();
    }
  });
}
