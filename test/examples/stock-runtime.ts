/** The stock TFLite runtime, to measure the very files that are shipped. */
import { createRequire } from 'node:module';
import { WINDOW_VALUES, type WindowSet } from '../../examples/motor/simulate.ts';
import { elementsOf, ITEM_BYTES, quantize, type TensorSpec } from '../../src/inference/index.ts';
import { parseModel } from '../../src/tflite/index.ts';

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

/** Share of the windows whose likeliest class is the true one. */
export function measureAccuracy(model: Uint8Array, { windows, labels, count }: WindowSet): number {
  const { Interpreter } = createRequire(import.meta.url)(ADDON) as Binding;
  const interpreter = new Interpreter(Uint8Array.from(model).buffer, { threads: 1 });
  const [inputData, outputData] = [
    interpreter.getInputs()[0]!.data(),
    interpreter.getOutputs()[0]!.data(),
  ];
  const input = inputOf(model);
  let correct = 0;
  for (let i = 0; i < count; i++) {
    const window = windows.subarray(i * WINDOW_VALUES, (i + 1) * WINDOW_VALUES);
    inputData.set(elementsOf(quantize(window, input), input.type));
    if (!interpreter.infer()) throw new Error('the runtime refused to run the model');
    if (argmax(outputData) === labels[i]) correct += 1;
  }
  return correct / count;
}

/** How the one input is to be filled. */
function inputOf(model: Uint8Array): TensorSpec {
  const [graph] = parseModel(model, 'model').subgraphs;
  const { name, type, shape, quantization } = graph!.tensors[graph!.inputs[0]!]!;
  if (type !== 'int8' && type !== 'float32') throw new Error(`the model takes ${type}`);
  const scheme =
    quantization === undefined
      ? {}
      : { scale: quantization.scale[0]!, zeroPoint: quantization.zeroPoint[0]! };
  return { name, type, shape, lengthBytes: WINDOW_VALUES * ITEM_BYTES[type], ...scheme };
}

function argmax(values: ArrayLike<number>): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i]! > values[best]!) best = i;
  return best;
}
