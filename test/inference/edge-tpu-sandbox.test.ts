import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { silentLogger, systemClock } from '../../src/core/index.ts';
import {
  chooseVariant,
  type EdgeTpuUse,
  findDelegate,
  findEdgeTpus,
  Sandbox,
  useEdgeTpu,
} from '../../src/inference/index.ts';
import { sharedFile } from '../shared-folder.ts';
import { edgeTpuModel, firstElementModel } from './models.ts';
import { compileStub, haveCompiler } from './stub-delegate/compile.ts';

const withCompiler = haveCompiler() ? test : test.skip;
const folder = mkdtempSync(join(tmpdir(), 'dunlin-edge-tpu-sandbox-'));
test.after.always(() => rmSync(folder, { recursive: true }));

/** A sysfs with so many Edge TPUs on USB. */
function sysfs(name: string, count: number): string {
  const root = join(folder, name);
  for (let index = 1; index <= count; index++) {
    const device = join(root, `bus/usb/devices/1-${index}`);
    mkdirSync(device, { recursive: true });
    writeFileSync(join(device, 'idVendor'), '18d1\n');
    writeFileSync(join(device, 'idProduct'), '9302\n');
  }
  return root;
}

async function open(t: ExecutionContext, device: EdgeTpuUse, model = edgeTpuModel()) {
  const sandbox = await Sandbox.load({
    model,
    what: 'test model',
    path: 'auto',
    device,
    clock: systemClock,
    logger: silentLogger,
  });
  t.teardown(() => sandbox.close());
  return sandbox;
}

withCompiler(
  'a model compiled for the Edge TPU runs through the delegate (needs cc)',
  async (t) => {
    compileStub(folder, 'libedgetpu.so.1');
    const delegate = findDelegate([folder]);
    const sandbox = await open(t, useEdgeTpu(findEdgeTpus(sysfs('one', 1)), delegate));
    t.is(sandbox.path, 'edgetpu');
    t.is(sandbox.pathReason, 'edgetpu-model');
    const { outputs } = await sandbox.infer([Uint8Array.of(10, 0, 0, 0)]);
    t.deepEqual([...outputs[0]!], [10, 11, 12, 13, 14, 15]);

    const second = await open(t, useEdgeTpu(findEdgeTpus(sysfs('two', 2)), delegate));
    const { outputs: named } = await second.infer([Uint8Array.of(10, 0, 0, 0)]);
    t.is(named[0]![0], 10 + 'usb'.length, 'the device option reached the delegate whole');
  },
);

withCompiler("Coral's own compiled MobileNet runs through the delegate (needs cc)", async (t) => {
  const file = sharedFile('models/mobilenet_v1_0.25_128_quant_edgetpu.tflite', t);
  if (file === undefined) return t.pass();
  const path = compileStub(folder, 'libmobilenet.so');
  const sandbox = await open(t, { path }, readFileSync(file));
  const input = new Uint8Array(sandbox.inputs[0]!.lengthBytes).fill(5);
  const { outputs } = await sandbox.infer([input]);
  t.is(outputs[0]!.byteLength, 1001);
  t.deepEqual([...outputs[0]!.subarray(0, 3)], [5, 6, 7]);
});

const FAILING = [
  ['finds no device', 'FAIL_CREATE'],
  ['refuses the graph', 'FAIL_PREPARE'],
] as const;
for (const [how, define] of FAILING) {
  withCompiler(`a delegate that ${how} is an error with a code (needs cc)`, async (t) => {
    const path = compileStub(folder, `lib${define}.so`, [define]);
    const error = await t.throwsAsync(open(t, { path }), { code: 'edgetpu-unavailable' });
    t.like(error, { context: { reason: 'delegate-refused', phase: 'load' } });
  });
}

withCompiler('a device lost in service: a code to fall back on, and the CPU goes on', async (t) => {
  const path = compileStub(folder, 'liblost.so', ['FAIL_INVOKE=2']);
  const sandbox = await open(t, { path });
  const { pid } = sandbox;
  const input = [Uint8Array.of(1, 0, 0, 0)];
  await t.notThrowsAsync(sandbox.infer(input));
  const error = await t.throwsAsync(sandbox.infer(input), { code: 'edgetpu-unavailable' });
  t.like(error, { context: { reason: 'device-lost', phase: 'infer' } });
  t.throws(() => process.kill(pid!, 0), { code: 'ESRCH' }, 'the process that held it is gone');

  const choice = chooseVariant({
    hasEdgeTpuVariant: true,
    edgeTpus: findEdgeTpus(sysfs('lost', 1)),
    delegate: findDelegate([], path),
    lost: true,
  });
  t.deepEqual(choice, { variant: 'cpu', reason: 'edgetpu-lost' });
  const cpu = await Sandbox.load({
    model: firstElementModel(4),
    what: 'cpu variant',
    path: 'auto',
    clock: systemClock,
    logger: silentLogger,
  });
  t.teardown(() => cpu.close());
  t.is((await cpu.infer(input)).outputs[0]![0], 1);
});

test('a file that is no library never reaches the addon', async (t) => {
  const path = join(folder, 'rubbish.so');
  writeFileSync(path, 'rubbish');
  const error = await t.throwsAsync(open(t, { path }), { code: 'edgetpu-unavailable' });
  t.regex(error.message, /the delegate cannot be loaded/);
});
