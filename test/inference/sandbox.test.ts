import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { silentLogger, systemClock } from '../../src/core/index.ts';
import {
  CIRCUIT_FAILURES,
  findNativeFiles,
  Sandbox,
  type SandboxLimits,
  type SandboxOptions,
} from '../../src/inference/index.ts';
import { edgeTpuModel, firstElementModel, paddingModel } from './models.ts';

const MIB = 1024 * 1024;
/** Padding to so many floats takes tens of milliseconds: a signal sent meanwhile comes in time. */
const SLOW_ELEMENTS = 20_000_000;

async function open(
  t: ExecutionContext,
  model: Uint8Array,
  limits: Partial<SandboxLimits> = {},
  more: Partial<SandboxOptions> = {},
): Promise<Sandbox> {
  const sandbox = await Sandbox.load({
    model,
    what: 'test model',
    path: 'stock',
    limits,
    clock: systemClock,
    logger: silentLogger,
    ...more,
  });
  t.teardown(() => sandbox.close());
  return sandbox;
}

function running(pid: number): boolean {
  return existsSync(`/proc/${pid}`);
}

async function gone(pid: number): Promise<void> {
  while (running(pid)) await new Promise((resolve) => setImmediate(resolve));
}

const float = (value: number): Uint8Array => new Uint8Array(Float32Array.of(value).buffer);

test('a model runs in another process and gives its result', async (t) => {
  const sandbox = await open(t, firstElementModel(27_000));
  t.not(sandbox.pid, process.pid);
  t.like(sandbox.inputs[0], { type: 'int8', shape: [1, 27_000], lengthBytes: 27_000, scale: 1 });
  t.like(sandbox.outputs[0], { type: 'int8', shape: [1, 1], lengthBytes: 1 });
  for (const first of [1, 200]) {
    const { outputs, latencyUs } = await sandbox.infer([new Uint8Array(27_000).fill(first)]);
    t.deepEqual(outputs, [Buffer.from([first])]);
    t.true(latencyUs > 0);
  }
});

test('inferences asked for at once are all answered, each with its own result', async (t) => {
  const sandbox = await open(t, firstElementModel(16));
  const asked = Array.from({ length: 50 }, (_, index) =>
    sandbox.infer([new Uint8Array(16).fill(index)]),
  );
  const firsts = (await Promise.all(asked)).map(({ outputs }) => outputs[0]![0]);
  t.deepEqual(
    firsts,
    Array.from({ length: 50 }, (_, index) => index),
  );
});

test('the queue is bounded', async (t) => {
  const sandbox = await open(t, firstElementModel(16), { queueLength: 2 });
  const input = [new Uint8Array(16)];
  const asked = await Promise.allSettled([1, 2, 3].map(() => sandbox.infer(input)));
  t.deepEqual(
    asked.map(({ status }) => status),
    ['fulfilled', 'fulfilled', 'rejected'],
  );
  const [, , third] = asked;
  t.true(third?.status === 'rejected' && third.reason.code === 'inference-unavailable');
  await t.notThrowsAsync(sandbox.infer(input));
});

test('inputs of another size never reach the child', async (t) => {
  const sandbox = await open(t, firstElementModel(16));
  await t.throwsAsync(sandbox.infer([new Uint8Array(15)]), { code: 'input-invalid' });
  await t.throwsAsync(sandbox.infer([]), { code: 'input-invalid' });
  t.is(sandbox.restarts, 0);
});

for (const signal of ['SIGKILL', 'SIGSEGV', 'SIGABRT'] as const) {
  test(`${signal} while it runs: an error with a code, and the next inference works`, async (t) => {
    const sandbox = await open(t, paddingModel(SLOW_ELEMENTS));
    const pid = sandbox.pid!;
    const asked = sandbox.infer([float(2)]);
    process.kill(pid, signal);
    const error = await t.throwsAsync(asked, { code: 'inference-crashed' });
    t.regex(error.message, new RegExp(`^test model: .*${signal}.*while running$`));
    t.deepEqual((await sandbox.infer([float(3)])).outputs, [Buffer.from(float(3))]);
    t.is(sandbox.restarts, 1);
    t.false(running(pid));
  });
}

test('a child that dies while nobody waits is replaced without an error', async (t) => {
  const sandbox = await open(t, firstElementModel(16));
  const pid = sandbox.pid!;
  process.kill(pid, 'SIGKILL');
  await gone(pid);
  while (sandbox.pid !== undefined) await new Promise((resolve) => setImmediate(resolve));
  await t.notThrowsAsync(sandbox.infer([new Uint8Array(16)]));
  t.is(sandbox.restarts, 1);
  t.not(sandbox.pid, pid);
});

test('a child that hangs is killed, and the next inference works', async (t) => {
  const sandbox = await open(t, firstElementModel(16), { inferTimeoutMs: 200 });
  const pid = sandbox.pid!;
  process.kill(pid, 'SIGSTOP');
  await t.throwsAsync(sandbox.infer([new Uint8Array(16)]), { code: 'inference-timeout' });
  t.false(running(pid));
  await t.notThrowsAsync(sandbox.infer([new Uint8Array(16)]));
});

test('a model that needs more memory than it may have is refused with that code', async (t) => {
  const model = paddingModel(SLOW_ELEMENTS);
  const error = await t.throwsAsync(open(t, model, { memoryBytes: 110 * MIB }), {
    code: 'inference-out-of-memory',
  });
  t.regex(error.message, /110 MiB/);
  await t.notThrowsAsync(open(t, model, { memoryBytes: 256 * MIB }));
});

test('a child that keeps failing opens the circuit, and time closes it', async (t) => {
  let nowMs = 0;
  const slept: number[] = [];
  const clock = {
    ...systemClock,
    monotonicMs: () => nowMs,
    // The watchdog's sleeps end with their signal; the supervisor's own take no time here.
    sleep: (durationMs: number, signal?: AbortSignal) => {
      if (durationMs >= 5_000) return systemClock.sleep(durationMs, signal);
      slept.push(durationMs);
      nowMs += durationMs;
      return Promise.resolve();
    },
  };
  const sandbox = await open(t, paddingModel(SLOW_ELEMENTS), {}, { clock });
  for (let failure = 0; failure < CIRCUIT_FAILURES; failure++) {
    const asked = sandbox.infer([float(1)]);
    while (sandbox.restarts < failure || sandbox.pid === undefined) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    process.kill(sandbox.pid, 'SIGKILL');
    await t.throwsAsync(asked, { code: 'inference-crashed' });
  }
  t.deepEqual(slept, [100, 200, 400, 800]);
  const error = await t.throwsAsync(sandbox.infer([float(1)]), { code: 'inference-unavailable' });
  t.regex(error.message, /failed 6 times in a row; tried again in 30000 ms/);
  nowMs += 30_000;
  await t.notThrowsAsync(sandbox.infer([float(1)]));
});

test('close ends the child, also in the middle of an inference', async (t) => {
  const sandbox = await open(t, paddingModel(SLOW_ELEMENTS));
  const pid = sandbox.pid!;
  const asked = t.throwsAsync(sandbox.infer([float(1)]), { code: 'inference-unavailable' });
  await sandbox.close();
  await asked;
  t.false(running(pid));
  await t.throwsAsync(sandbox.infer([float(1)]), { code: 'inference-unavailable' });
});

test('rubbish and models for other hardware are refused before a process is started', async (t) => {
  const rubbish = new Uint8Array(readFileSync(process.execPath).subarray(0, 5000));
  await t.throwsAsync(open(t, rubbish), { code: 'model-malformed' });
  await t.throwsAsync(open(t, edgeTpuModel(), {}, { path: 'auto' }), {
    code: 'edgetpu-unavailable',
  });
  await t.throwsAsync(open(t, edgeTpuModel()), { code: 'inference-refused' });
});

const native = findNativeFiles();
(native.xnnPath === undefined ? test.skip : test)(
  'a model of which XNNPACK takes nothing is said to run on the stock kernels',
  async (t) => {
    const sandbox = await open(t, firstElementModel(16), {}, { path: 'auto' });
    t.is(sandbox.path, 'stock');
    t.is(sandbox.pathReason, 'xnn-delegates-nothing');
    t.deepEqual(sandbox.delegation, { delegated: 0, total: 1 });
  },
);

test('a delegate that does not load costs speed, not the model', async (t) => {
  const rubbish = fileURLToPath(import.meta.url);
  const nativeFiles = { ...native, xnnPath: rubbish };
  const sandbox = await open(t, firstElementModel(16), {}, { path: 'auto', nativeFiles });
  t.is(sandbox.pathReason, 'xnn-refused');
  await t.notThrowsAsync(sandbox.infer([new Uint8Array(16)]));
  await t.throwsAsync(open(t, firstElementModel(16), {}, { path: 'xnn', nativeFiles }), {
    code: 'inference-refused',
  });
});

test('without a delegate the stock kernels are used, and xnn asked for is an error', async (t) => {
  const nativeFiles = { ...native, xnnPath: undefined };
  const sandbox = await open(t, firstElementModel(16), {}, { path: 'auto', nativeFiles });
  t.is(sandbox.pathReason, 'xnn-not-built');
  await t.throwsAsync(open(t, firstElementModel(16), {}, { path: 'xnn', nativeFiles }), {
    code: 'inference-unavailable',
  });
});
