import { readFileSync } from 'node:fs';
import test, { type ExecutionContext } from 'ava';
import { type NpyArray, parseNpy, silentLogger, systemClock } from '../../src/core/index.ts';
import {
  cutIntoInputs,
  type ExecutionPath,
  findNativeFiles,
  outputArray,
  runBatch,
  Sandbox,
} from '../../src/inference/index.ts';
import { sharedFile } from '../shared-folder.ts';

/** The index of the largest output for each sample. */
async function topOnes(
  t: ExecutionContext,
  file: string,
  samples: NpyArray,
  path: ExecutionPath,
): Promise<number[]> {
  const sandbox = await Sandbox.load({
    model: readFileSync(file),
    what: file,
    path,
    clock: systemClock,
    logger: silentLogger,
  });
  t.teardown(() => sandbox.close());
  t.is(sandbox.path, path);
  const inputs = cutIntoInputs(samples, sandbox.inputs[0]!, 'samples');
  const { outputs } = await runBatch(sandbox, inputs, new AbortController().signal);
  const { shape, data } = outputArray(outputs[0]!, sandbox.outputs[0]!, inputs.length, false);
  const width = shape[1]!;
  return Array.from({ length: shape[0]! }, (_, index) => {
    const row = [...data.subarray(index * width, (index + 1) * width)];
    return row.indexOf(Math.max(...row));
  });
}

const xnnBuilt = findNativeFiles().xnnPath !== undefined;
(xnnBuilt ? test : test.skip)(
  'xnn agrees with the float model as often as stock does, less one point',
  async (t) => {
    const data = sharedFile('data/kws_eval.npy', t);
    const float = sharedFile('models/kws_float.tflite', t);
    const int8 = sharedFile('models/kws_int8.tflite', t);
    if (data === undefined || float === undefined || int8 === undefined) return t.pass();
    const samples = parseNpy(readFileSync(data), data);
    const reference = await topOnes(t, float, samples, 'stock');
    const agreement = async (path: ExecutionPath): Promise<number> => {
      const found = await topOnes(t, int8, samples, path);
      return found.filter((top, index) => top === reference[index]).length / found.length;
    };
    const stock = await agreement('stock');
    const xnn = await agreement('xnn');
    t.log(`top-1 agreement with float: stock ${stock.toFixed(4)}, xnn ${xnn.toFixed(4)}`);
    t.true(stock > 0.9);
    t.true(xnn >= stock - 0.01);
  },
);
