import test from 'ava';
import fc from 'fast-check';
import { DunlinError } from '../../src/core/index.ts';
import { choosePath, type ExecutionPath, errorOfExit } from '../../src/inference/index.ts';

const requests = fc.constantFrom<('auto' | ExecutionPath)[]>('auto', 'stock', 'xnn', 'edgetpu');

test('a chosen path is one that the model and the machine can do', (t) => {
  fc.assert(
    fc.property(
      requests,
      fc.record({ edgetpu: fc.boolean(), computesInUint8: fc.boolean() }),
      fc.record({ xnnBuilt: fc.boolean(), edgeTpu: fc.boolean() }),
      (requested, model, machine) => {
        try {
          const { path } = choosePath(requested, model, 'm', machine);
          t.true(requested === 'auto' || requested === path);
          t.is(path === 'edgetpu', model.edgetpu);
          if (path === 'edgetpu') t.true(machine.edgeTpu);
          if (path === 'xnn') t.true(machine.xnnBuilt && !model.computesInUint8);
        } catch (error) {
          t.true(error instanceof DunlinError);
          t.true(requested !== 'auto' || (model.edgetpu && !machine.edgeTpu));
        }
      },
    ),
  );
});

test('auto takes the fastest path there is and says why it is not xnn', (t) => {
  const model = { edgetpu: false, computesInUint8: false };
  const machine = { xnnBuilt: true, edgeTpu: false };
  t.deepEqual(choosePath('auto', model, 'm', machine), { path: 'xnn', reason: 'fastest' });
  t.deepEqual(choosePath('auto', model, 'm', { ...machine, xnnBuilt: false }), {
    path: 'stock',
    reason: 'xnn-not-built',
  });
  t.deepEqual(choosePath('auto', { ...model, computesInUint8: true }, 'm', machine), {
    path: 'stock',
    reason: 'xnn-uint8-model',
  });
  t.throws(() => choosePath('auto', { ...model, edgetpu: true }, 'm', machine), {
    code: 'edgetpu-unavailable',
  });
  t.throws(() => choosePath('xnn', model, 'm', { ...machine, xnnBuilt: false }), {
    code: 'inference-unavailable',
  });
  t.throws(() => choosePath('edgetpu', model, 'm', machine), { code: 'inference-refused' });
});

test("a child's end becomes the code that says what happened", (t) => {
  const context = {
    what: 'm',
    path: 'stock' as ExecutionPath,
    phase: 'infer' as const,
    timeoutMs: 100,
    memoryBytes: 1024 * 1024,
  };
  const exit = { exitStatus: null, signal: 'SIGABRT' as const, stderrTail: '' };
  const code = (change: object, where: object = {}): string =>
    errorOfExit({ ...exit, ...change }, { ...context, ...where }).code;
  t.is(code({}), 'inference-crashed');
  t.is(
    code({ stderrTail: "terminate called after throwing 'std::bad_alloc'" }),
    'inference-out-of-memory',
  );
  t.is(
    code({
      stderrTail:
        'FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory',
    }),
    'inference-out-of-memory',
  );
  t.is(code({ endedFor: 'timeout', signal: 'SIGKILL' }), 'inference-timeout');
  t.is(code({ endedFor: 'protocol', signal: 'SIGKILL' }), 'inference-crashed');
  t.is(code({ endedFor: 'close', signal: 'SIGKILL' }), 'inference-unavailable');
  t.is(code({}, { path: 'edgetpu' }), 'edgetpu-unavailable');
  t.is(code({ endedFor: 'timeout' }, { path: 'edgetpu' }), 'edgetpu-unavailable');
});
