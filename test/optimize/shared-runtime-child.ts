import { createRequire } from 'node:module';

/** A process that holds the runtime and many models: starting one costs more than running a small model. */

interface RuntimeTensor {
  data(): { buffer: ArrayBuffer; byteOffset: number; byteLength: number };
}

interface Interpreter {
  getInputs(): RuntimeTensor[];
  getOutputs(): RuntimeTensor[];
  infer(): void;
}

interface Runtime {
  Interpreter: new (
    model: ArrayBuffer,
    options: { threads: number; delegate?: { path: string; options: readonly [] } },
  ) => Interpreter;
}

export type Request =
  | { readonly load: Uint8Array; readonly delegate?: string; readonly id: number }
  | { readonly infer: readonly Uint8Array[]; readonly id: number }
  | { readonly close: true; readonly id: number };

export type Answer =
  | { readonly outputs: Uint8Array[]; readonly latencyUs: number }
  | { readonly refused: string };

const addon = 'tfjs-tflite-node/build/Release/node_tflite_binding.node';
const runtime = createRequire(import.meta.url)(addon) as Runtime;
const models = new Map<number, Interpreter>();
/** Closed models hold native memory that the collector does not know of. */
const COLLECT_EVERY = 50;
let closed = 0;

function bytesOf(tensor: RuntimeTensor): Uint8Array {
  const { buffer, byteOffset, byteLength } = tensor.data();
  return new Uint8Array(buffer, byteOffset, byteLength);
}

function load(bytes: Uint8Array, delegate: string | undefined): Interpreter {
  const model = new ArrayBuffer(bytes.byteLength);
  new Uint8Array(model).set(bytes);
  return new runtime.Interpreter(model, {
    threads: 1,
    ...(delegate === undefined ? {} : { delegate: { path: delegate, options: [] } }),
  });
}

function answer(request: Request): Answer {
  const nothing = { outputs: [], latencyUs: 0 };
  if ('load' in request) {
    models.set(request.id, load(request.load, request.delegate));
    return nothing;
  }
  if ('close' in request) {
    models.delete(request.id);
    closed += 1;
    if (closed % COLLECT_EVERY === 0) globalThis.gc?.();
    return nothing;
  }
  const model = models.get(request.id)!;
  for (const [place, tensor] of model.getInputs().entries()) {
    bytesOf(tensor).set(request.infer[place]!);
  }
  const startMs = performance.now();
  model.infer();
  const latencyUs = (performance.now() - startMs) * 1000;
  return { outputs: model.getOutputs().map((tensor) => bytesOf(tensor).slice()), latencyUs };
}

process.on('message', (request: Request) => {
  try {
    process.send!(answer(request));
  } catch (error) {
    process.send!({ refused: error instanceof Error ? error.message : String(error) });
  }
});
