/** The stock TFLite runtime, to measure the very files that are shipped. */
import { createRequire } from 'node:module';
import { type Affine, quantizeValues } from './quantize.ts';
import { WINDOW_VALUES, type WindowSet } from './simulate.ts';
import { argmax } from './train.ts';

interface NativeTensor {
  data(): Float32Array | Int8Array;
}

interface NativeInterpreter {
  getInputs(): NativeTensor[];
  getOutputs(): NativeTensor[];
  infer(): boolean;
}

interface Binding {
  readonly Interpreter: new (
    model: ArrayBuffer,
    options: { readonly threads: number },
  ) => NativeInterpreter;
}

const ADDON = 'tfjs-tflite-node/build/Release/node_tflite_binding.node';

/**
 * Share of the windows whose likeliest class is the true one.
 * @param input how the file's int8 input is to be filled; undefined for a float file
 */
export function measureAccuracy(
  model: Uint8Array,
  input: Affine | undefined,
  { windows, labels, count }: WindowSet,
): number {
  const { Interpreter } = createRequire(import.meta.url)(ADDON) as Binding;
  const interpreter = new Interpreter(Uint8Array.from(model).buffer, { threads: 1 });
  const [inputData, outputData] = [
    interpreter.getInputs()[0]!.data(),
    interpreter.getOutputs()[0]!.data(),
  ];
  let correct = 0;
  for (let i = 0; i < count; i++) {
    const window = windows.subarray(i * WINDOW_VALUES, (i + 1) * WINDOW_VALUES);
    inputData.set(input === undefined ? window : quantizeValues(window, input));
    if (!interpreter.infer()) throw new Error('the runtime refused to run the model');
    if (argmax(outputData) === labels[i]) correct += 1;
  }
  return correct / count;
}
