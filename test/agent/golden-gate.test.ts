import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import fc from 'fast-check';
import {
  behindSoftmax,
  checkGolden,
  checkLatency,
  type GoldenVectors,
  goldenVectors,
  softmax,
} from '../../src/agent/index.ts';
import { silentLogger, systemClock } from '../../src/core/index.ts';
import { type ExecutionPath, Sandbox } from '../../src/inference/index.ts';
import { Repository } from '../../src/release/index.ts';
import { logitsView, parseModel, serializeModel } from '../../src/tflite/index.ts';
import type { ReleaseDocument } from '../../src/update/index.ts';
import { buildMotor, MODEL, motorModel } from './motor.ts';

const PATHS = ['stock', 'xnn'] as const;
let dir: string;
let document: ReleaseDocument;
let npz: Uint8Array;

test.before(async () => {
  dir = await mkdtemp(join(tmpdir(), 'dunlin-golden-'));
  const repository = new Repository(dir);
  document = await buildMotor(repository, '1', { cpu: await motorModel('v1') });
  npz = await readFile(join(repository.dir, 'releases', MODEL, '1', 'golden.npz'));
});
test.after.always(() => rm(dir, { recursive: true, force: true }));

/** The model as it is compared: without its softmax. */
async function open(t: ExecutionContext, version: 'v1' | 'v2', path: ExecutionPath) {
  const model = serializeModel(logitsView(parseModel(await motorModel(version), version))!);
  const [clock, logger] = [systemClock, silentLogger];
  const sandbox = await Sandbox.load({ model, what: version, path, clock, logger });
  t.teardown(() => sandbox.close());
  return sandbox;
}

for (const path of PATHS) {
  test(`${path}: a release passes its own golden vectors`, async (t) => {
    const sandbox = await open(t, 'v1', path);
    t.is(sandbox.path, path);
    const vectors = goldenVectors(document, npz, path);
    t.is(vectors.count, 32);
    await t.notThrowsAsync(checkGolden(sandbox, vectors));
    t.true((await checkLatency(sandbox, vectors, 10_000_000)) > 0);
  });

  test(`${path}: another model does not`, async (t) => {
    const sandbox = await open(t, 'v2', path);
    const error = await t.throwsAsync(checkGolden(sandbox, goldenVectors(document, npz, path)), {
      code: 'golden-mismatch',
    });
    t.regex(error.message, /golden input \d+: output \d+ is off by .* is allowed/);
  });
}

test('one output beyond the tolerance is enough', async (t) => {
  const sandbox = await open(t, 'v1', 'stock');
  const vectors = goldenVectors(document, npz, 'stock');
  const expected = vectors.expected.slice();
  expected[expected.length - 1]! += vectors.toleranceAbs * 2;
  await t.throwsAsync(checkGolden(sandbox, { ...vectors, expected }), {
    code: 'golden-mismatch',
    message: /golden input 31: output 3 /,
  });
});

test('a latency above the budget is refused, with what was measured', async (t) => {
  const sandbox = await open(t, 'v1', 'stock');
  const vectors = goldenVectors(document, npz, 'stock');
  const error = await t.throwsAsync(checkLatency(sandbox, vectors, 1), {
    code: 'latency-over-budget',
  });
  t.like(error, { context: { budgetUs: 1 } });
});

test('a path without vectors of its own is held against the stock runtime', (t) => {
  t.deepEqual(goldenVectors(document, npz, 'edgetpu'), goldenVectors(document, npz, 'stock'));
});

test('a release without the vectors it speaks of is refused', (t) => {
  const none = { ...document, golden: { ...document.golden, paths: {} } };
  t.throws(() => goldenVectors(none, npz, 'stock'), { code: 'golden-mismatch' });
  const more = { ...document, golden: { ...document.golden, count: 33 } };
  t.throws(() => goldenVectors(more, npz, 'stock'), { code: 'golden-mismatch' });
});

test('behind a softmax, whatever was within the tolerance stays within it', (t) => {
  const finite = fc.float({ min: -50, max: 50, noNaN: true });
  const rows = fc.integer({ min: 1, max: 6 }).chain((items) =>
    fc.record({
      logits: fc.array(finite, { minLength: items, maxLength: items }),
      /** -1 to 1 of the tolerance. */
      shares: fc.array(fc.float({ min: -1, max: 1, noNaN: true }), {
        minLength: items,
        maxLength: items,
      }),
      toleranceAbs: fc.float({ min: 0, max: 20, noNaN: true }),
    }),
  );
  fc.assert(
    fc.property(rows, ({ logits, shares, toleranceAbs }) => {
      const vectors: GoldenVectors = {
        inputs: { type: 'float32', shape: [1, 1], data: Float32Array.of(0) },
        count: 1,
        expected: Float32Array.from(logits),
        toleranceAbs,
      };
      const behind = behindSoftmax(vectors);
      const actual = softmax(
        Float32Array.from(logits, (value, index) => value + shares[index]! * toleranceAbs),
      );
      for (const [index, value] of actual.entries()) {
        t.true(Math.abs(value - behind.expected[index]!) <= behind.toleranceAbs);
      }
    }),
  );
});

test('behind a softmax each vector keeps to itself', (t) => {
  const vectors: GoldenVectors = {
    inputs: { type: 'float32', shape: [2, 1], data: Float32Array.of(0, 0) },
    count: 2,
    expected: Float32Array.of(0, 0, 0, Math.log(3)),
    toleranceAbs: 0.5,
  };
  const { expected, toleranceAbs } = behindSoftmax(vectors);
  t.deepEqual(
    [...expected].map((value) => value.toFixed(4)),
    ['0.5000', '0.5000', '0.2500', '0.7500'],
  );
  t.is(toleranceAbs, 0.25 + 1 / 256);
});
