import { readSync, writeSync } from 'node:fs';
import { createRequire } from 'node:module';
import { SpinJudge } from './spin.ts';
import {
  FRAME_KIND,
  fillPayload,
  formatFrame,
  HEADER_BYTES,
  type LoadReply,
  type LoadRequest,
  readHeader,
  type SocketWait,
  splitPayload,
  writeHeader,
} from './wire.ts';

/**
 * The process that holds the native runtime: one model, one request at a time, blocking reads and
 * writes and no event loop, which is what makes the round trip short. It ends when its parent's end of
 * the socket closes, so it cannot outlive its parent; the parent alone decides to end it otherwise.
 */

/** The parent's socket; see child-process.ts. */
const SOCKET_FD = 3;

type TensorData = Int8Array | Uint8Array | Int16Array | Int32Array | Uint32Array | Float32Array;
interface NativeTensor {
  data(): TensorData;
}
interface NativeInterpreter {
  getInputs(): NativeTensor[];
  getOutputs(): NativeTensor[];
  infer(): boolean;
}
interface NativeRuntime {
  readonly Interpreter: new (
    model: ArrayBuffer,
    options: {
      threads: number;
      delegate?: { path: string; options: readonly (readonly [string, string])[] };
    },
  ) => NativeInterpreter;
}

/** After an answer the next request often follows at once: so long it is waited for without sleeping. */
const SPIN_US = 200;
let socketWait: SocketWait | undefined;
const judge = new SpinJudge();

function readSome(target: Buffer, filled: number, count: number): number {
  if (socketWait !== undefined && judge.worth()) {
    const got = socketWait.receive(SOCKET_FD, target.subarray(0, count), filled, SPIN_US);
    judge.note(got >= 0);
    if (got >= 0) return got;
  }
  return readSync(SOCKET_FD, target, filled, count - filled, null);
}

function readExactly(target: Buffer, count: number): void {
  let filled = 0;
  while (filled < count) {
    const got = readSome(target, filled, count);
    if (got === 0) process.exit(0);
    filled += got;
  }
}

function writeAll(bytes: Buffer): void {
  let sent = 0;
  try {
    while (sent < bytes.byteLength) sent += writeSync(SOCKET_FD, bytes, sent);
  } catch {
    process.exit(0);
  }
}

function refuse(error: unknown): void {
  const text = error instanceof Error ? error.message : String(error);
  writeAll(formatFrame(FRAME_KIND.refused, [Buffer.from(text)]));
}

/** The addon crashes on a delegate that cannot be loaded, so that is tried first. */
function tryDelegate(path: string, counts: boolean): LoadReply {
  const loaded = { exports: {} };
  try {
    process.dlopen(loaded, path);
  } catch (error) {
    // A library that is no Node addon has been loaded, and closed again, when Node says this.
    const text = error instanceof Error ? error.message : String(error);
    if (counts || !text.includes('did not self-register')) {
      throw new Error(`the delegate cannot be loaded: ${text}`, { cause: error });
    }
  }
  return loaded.exports;
}

function bytesOf(tensor: NativeTensor): Uint8Array {
  const { buffer, byteOffset, byteLength } = tensor.data();
  return new Uint8Array(buffer, byteOffset, byteLength);
}

function checkSizes(
  kind: string,
  tensors: readonly Uint8Array[],
  expected: readonly number[],
): void {
  const actual = tensors.map((tensor) => tensor.byteLength);
  if (actual.join() !== expected.join()) {
    throw new Error(`${kind} tensors have ${actual} bytes, the model's file says ${expected}`);
  }
}

interface Loaded {
  readonly interpreter: NativeInterpreter;
  readonly inputs: readonly Uint8Array[];
  readonly outputs: readonly Uint8Array[];
}

function load(): Loaded {
  const header = Buffer.alloc(HEADER_BYTES);
  readExactly(header, HEADER_BYTES);
  const { payloadBytes, value: requestBytes } = readHeader(header);
  const requestJson = Buffer.alloc(requestBytes);
  readExactly(requestJson, requestBytes);
  const request = JSON.parse(requestJson.toString('utf8')) as LoadRequest;
  const model = new ArrayBuffer(payloadBytes - requestBytes);
  readExactly(Buffer.from(model), model.byteLength);

  const { delegate } = request;
  const require = createRequire(import.meta.url);
  const runtime = require(request.addonPath) as NativeRuntime;
  const counters = delegate === undefined ? {} : tryDelegate(delegate.path, delegate.counts);
  const options = delegate?.option === undefined ? [] : [delegate.option];
  const interpreter = new runtime.Interpreter(model, {
    threads: request.threads,
    ...(delegate === undefined ? {} : { delegate: { path: delegate.path, options } }),
  });
  const inputs = interpreter.getInputs().map(bytesOf);
  const outputs = interpreter.getOutputs().map(bytesOf);
  checkSizes('input', inputs, request.inputBytes);
  checkSizes('output', outputs, request.outputBytes);
  if (request.socketWaitPath !== undefined) {
    socketWait = require(request.socketWaitPath) as SocketWait;
  }
  writeAll(formatFrame(FRAME_KIND.loaded, [Buffer.from(JSON.stringify(counters))]));
  return { interpreter, inputs, outputs };
}

/** Answers requests for ever. */
function serve({ interpreter, inputs, outputs }: Loaded): never {
  const lengths = (tensors: readonly Uint8Array[]): number[] =>
    tensors.map(({ byteLength }) => byteLength);
  const total = (tensors: readonly Uint8Array[]): number =>
    lengths(tensors).reduce((sum, length) => sum + length, 0);
  const requestBytes = HEADER_BYTES + total(inputs);
  const replyBytes = total(outputs);
  const request = Buffer.alloc(requestBytes);
  const reply = Buffer.alloc(HEADER_BYTES + replyBytes);
  const sources = splitPayload(request.subarray(HEADER_BYTES), lengths(inputs));
  for (;;) {
    readExactly(request, requestBytes);
    for (let index = 0; index < inputs.length; index++) inputs[index]!.set(sources[index]!);
    try {
      const startMs = performance.now();
      interpreter.infer();
      writeHeader(reply, FRAME_KIND.result, replyBytes, (performance.now() - startMs) * 1000);
    } catch (error) {
      refuse(error);
      continue;
    }
    fillPayload(reply, outputs);
    writeAll(reply);
  }
}

// Signals to the whole group (Ctrl-C, a service manager's stop) are the parent's to act on.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});
try {
  serve(load());
} catch (error) {
  refuse(error);
}
