import { createHash } from 'node:crypto';
import { createRequire } from 'node:module';

/** The process that runs models in the stock runtime, and may die of them. */

interface RuntimeTensor {
  readonly shape: string;
  data(): Float32Array | Int8Array | Uint8Array | Int16Array | Int32Array;
}

interface Runtime {
  Interpreter: new (
    model: ArrayBuffer,
    options: {
      threads: number;
      delegate?: { path: string; options: readonly (readonly [string, string])[] };
    },
  ) => { getInputs(): RuntimeTensor[]; getOutputs(): RuntimeTensor[]; infer(): void };
}

const INFERENCES = 2;
const DELEGATE_OPTIONS = [] as const;

/** An external delegate to run with, instead of the stock kernels alone. */
const [, , delegate] = process.argv;

const addon = 'tfjs-tflite-node/build/Release/node_tflite_binding.node';
const { Interpreter } = createRequire(import.meta.url)(addon) as Runtime;

function run(bytes: Uint8Array): { shapes: string[]; digest: string } | { refused: string } {
  try {
    const model = new ArrayBuffer(bytes.byteLength);
    new Uint8Array(model).set(bytes);
    const interpreter = new Interpreter(model, {
      threads: 1,
      ...(delegate === undefined
        ? {}
        : { delegate: { path: delegate, options: DELEGATE_OPTIONS } }),
    });
    const outputs = interpreter.getOutputs();
    for (let round = 0; round < INFERENCES; round++) {
      for (const input of interpreter.getInputs()) {
        const data = input.data();
        for (let at = 0; at < data.length; at++) data[at] = ((at + round) * 7919) % 251;
      }
      interpreter.infer();
    }
    const hash = createHash('sha256');
    for (const output of outputs) {
      const { buffer, byteOffset, byteLength } = output.data();
      hash.update(new Uint8Array(buffer, byteOffset, byteLength));
    }
    return { shapes: outputs.map(({ shape }) => shape), digest: hash.digest('hex') };
  } catch (error) {
    return { refused: error instanceof Error ? error.message : String(error) };
  }
}

process.on('message', (bytes: Uint8Array) => {
  const result = run(bytes);
  globalThis.gc?.();
  process.send!(result);
});
