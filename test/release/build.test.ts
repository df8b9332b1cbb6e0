import { readFileSync } from 'node:fs';
import test from 'ava';
import fc from 'fast-check';
import {
  DunlinError,
  errorCode,
  type NpyArray,
  parseNpy,
  parseNpz,
  sha256Hex,
  silentLogger,
  systemClock,
} from '../../src/core/index.ts';
import {
  type LoadedModel,
  type LoadModel,
  Sandbox,
  type TensorSpec,
} from '../../src/inference/index.ts';
import {
  type BuildOptions,
  buildRelease,
  latencyBudgetUs,
  Repository,
} from '../../src/release/index.ts';
import { describeModel, logitsView, parseModel, serializeModel } from '../../src/tflite/index.ts';
import { CrashFiles } from '../fakes/crash-files.ts';

const NOW_MS = Date.parse('2026-05-01T00:00:00Z');
const example = (name: string): Uint8Array =>
  readFileSync(new URL(`../../../examples/motor/${name}`, import.meta.url));
const cpu = example('v1/int8.tflite');
const goldenInputs = parseNpy(example('golden-inputs.npy'), 'golden-inputs.npy');
const COUNT = goldenInputs.shape[0]!;
const labels: string[] = JSON.parse(Buffer.from(example('labels.json')).toString());

/** The example's own ends, and outputs that follow from the input's first byte. */
function fakeModel(model: Uint8Array, path: LoadedModel['path'], fill?: number): LoadedModel {
  const { inputs, outputs } = describeModel(parseModel(model, 'model'), model);
  const spec = ({ name, type, shape, ...rest }: (typeof inputs)[number]): TensorSpec => ({
    ...{ name, type: type as 'int8', shape, ...rest },
    lengthBytes: shape.reduce((product, size) => product * size, 1),
  });
  const [output] = outputs.map(spec);
  return {
    path,
    inputs: inputs.map(spec),
    outputs: [output!],
    infer: async ([input]) => ({
      outputs: [new Uint8Array(output!.lengthBytes).fill(fill ?? input![0]!)],
      latencyUs: 100,
    }),
    close: async () => {},
  };
}

const fakeLoad: LoadModel = async (model, _what, path) => fakeModel(model, path);

function setUp(change: Partial<BuildOptions> = {}) {
  const files = new CrashFiles();
  const repository = new Repository('/repo', files);
  const options: BuildOptions = {
    repository,
    model: 'motor',
    version: '1',
    cpu,
    task: { kind: 'classification', labels },
    goldenInputs,
    toleranceSteps: 4,
    metrics: { accuracy: 0.97 },
    chunkBytes: 4096,
    nowMs: NOW_MS,
    load: fakeLoad,
    logger: silentLogger,
    signal: new AbortController().signal,
    ...change,
  };
  return { files, repository, options };
}

const refusal = async (change: Partial<BuildOptions>): Promise<string> => {
  const { options, repository } = setUp(change);
  const code = await buildRelease(options).then(
    () => 'built',
    (error) => errorCode(error),
  );
  return (await repository.releases()).length === 0 || code === 'built'
    ? `${code}`
    : 'left something';
};

test('a release holds its models, golden outputs of each path, and chunks of the size asked for', async (t) => {
  const { files, options, repository } = setUp();
  const document = await buildRelease(options);
  t.deepEqual((await repository.readRelease('motor', '1')).document, document);
  const logits = serializeModel(logitsView(parseModel(cpu, 'cpu'))!);
  const [output] = describeModel(parseModel(logits, 'logits'), logits).outputs;
  t.is(document.golden.on, 'logits');
  t.is(document.golden.count, COUNT);
  t.deepEqual(Object.keys(document.golden.paths), ['stock', 'xnn']);
  t.is(document.golden.paths.stock?.toleranceAbs, 4 * output!.scale!);
  t.deepEqual(document.output.shape, [1, labels.length]);
  const npz = (await files.read('/repo/releases/motor/1/golden.npz'))!;
  const arrays = parseNpz(npz, 'golden.npz', 1e8);
  t.deepEqual([...arrays.keys()].sort(), ['expected_stock', 'expected_xnn', 'input']);
  t.deepEqual(arrays.get('input')?.data, goldenInputs.data);
  t.deepEqual(arrays.get('expected_xnn')?.shape, [COUNT, labels.length]);
  for (const { chunks, encodedBytes } of Object.values(document.artifacts)) {
    t.true(chunks.slice(0, -1).every(({ lengthBytes }) => lengthBytes === 4096));
    t.is(
      chunks.reduce((sum, { lengthBytes }) => sum + lengthBytes, 0),
      encodedBytes,
    );
  }
  for (const { sha256, lengthBytes } of await repository.chunksOf('motor', '1')) {
    t.is((await repository.readChunk(sha256)).byteLength, lengthBytes);
  }
});

test('equal inputs at equal times make equal bytes', async (t) => {
  const build = async (): Promise<string> => {
    const { options, repository } = setUp();
    await buildRelease(options);
    return sha256Hex((await repository.readRelease('motor', '1')).bytes);
  };
  t.is(await build(), await build());
});

test('expected outputs come from the reference where there is one', async (t) => {
  const reference = example('v2/int8.tflite');
  const loads: string[] = [];
  const load: LoadModel = async (model, what, path) => {
    const own = sha256Hex(model) === sha256Hex(cpu);
    loads.push(`${what} ${path} ${own ? 'cpu' : 'reference'}`);
    return fakeModel(model, path, own ? 1 : 99);
  };
  const { files, options } = setUp({ load, goldenReference: reference });
  const document = await buildRelease(options);
  t.deepEqual(loads, ['golden stock reference', 'golden xnn reference', 'model stock cpu']);
  t.is(document.provenance['goldenReferenceSha256'], sha256Hex(reference));
  t.deepEqual((await files.read('/repo/releases/motor/1/cpu.tflite'))!, Uint8Array.from(cpu));
});

test('a path that this machine does not have is left out; a model that fails on one is not released', async (t) => {
  const failing =
    (path: string, code: 'inference-unavailable' | 'inference-crashed'): LoadModel =>
    async (model, what, wanted) => {
      if (wanted === path) throw new DunlinError('no', { code });
      return fakeLoad(model, what, wanted);
    };
  const { options } = setUp({ load: failing('xnn', 'inference-unavailable') });
  t.deepEqual(Object.keys((await buildRelease(options)).golden.paths), ['stock']);
  const fellBack: LoadModel = async (model, what) => fakeLoad(model, what, 'stock');
  const other = setUp({ load: fellBack });
  t.deepEqual(Object.keys((await buildRelease(other.options)).golden.paths), ['stock']);
  t.is(await refusal({ load: failing('xnn', 'inference-crashed') }), 'inference-crashed');
  t.is(await refusal({ load: failing('stock', 'inference-unavailable') }), 'inference-unavailable');
});

test('what does not fit is refused before anything is kept', async (t) => {
  const wrongShape: NpyArray = { type: 'float32', shape: [2, 5], data: new Float32Array(10) };
  const wrongType: NpyArray = {
    ...goldenInputs,
    type: 'int32',
    data: new Int32Array(goldenInputs.data.length),
  };
  const cases: [Partial<BuildOptions>, string][] = [
    [{ model: '../x' }, 'input-invalid'],
    [{ version: '1/2' }, 'input-invalid'],
    [{ version: '..' }, 'input-invalid'],
    [{ cpu: Buffer.from('rubbish') }, 'model-malformed'],
    [{ edgetpu: cpu }, 'input-invalid'],
    [{ task: { kind: 'classification', labels: ['one'] } }, 'input-invalid'],
    [{ task: { kind: 'classification', labels: [] } }, 'input-invalid'],
    [{ task: { kind: 'regression', labels: [] } }, 'built'],
    [{ goldenInputs: wrongShape }, 'input-invalid'],
    [{ goldenInputs: wrongType }, 'input-invalid'],
    [{ goldenReference: Buffer.from('rubbish') }, 'model-malformed'],
    [{ chunkBytes: 10 }, 'input-invalid'],
    [{ latencyBudgetUs: 0 }, 'input-invalid'],
  ];
  for (const [change, code] of cases)
    t.is(await refusal(change), code, JSON.stringify(Object.keys(change)));
});

test('a release that is there is not built again', async (t) => {
  const { options } = setUp();
  await buildRelease(options);
  let loads = 0;
  const load: LoadModel = (...args) => {
    loads++;
    return fakeLoad(...args);
  };
  t.is(errorCode(await t.throwsAsync(buildRelease({ ...options, load }))), 'release-exists');
  t.is(loads, 0);
});

test('a latency budget is generous, round, and at least what slow machines need', (t) => {
  fc.assert(
    fc.property(fc.double({ min: 0, max: 1e7, noNaN: true }), (p50Us) => {
      const budget = latencyBudgetUs(p50Us);
      const digits = String(budget).replace(/0+$/, '');
      return (
        ['1', '2', '5'].includes(digits) &&
        budget >= 10_000 &&
        budget >= 20 * p50Us &&
        budget <= Math.max(10_000, 20 * p50Us * 2.5 + 1)
      );
    }),
  );
  t.is(latencyBudgetUs(0), 10_000);
  t.is(latencyBudgetUs(501), 20_000);
});

test('the sample is built in the real sandbox', async (t) => {
  const load: LoadModel = (model, what, path) =>
    Sandbox.load({ model, what, path, clock: systemClock, logger: silentLogger });
  const { files, options } = setUp({ load });
  const document = await buildRelease(options);
  t.true('stock' in document.golden.paths);
  const arrays = parseNpz((await files.read('/repo/releases/motor/1/golden.npz'))!, 'golden', 1e8);
  const expected = arrays.get('expected_stock')!;
  const winners = new Set(
    Array.from({ length: COUNT }, (_, row) => {
      const values = [...expected.data.slice(row * labels.length, (row + 1) * labels.length)].map(
        Number,
      );
      return values.indexOf(Math.max(...values));
    }),
  );
  t.true(winners.size > 1, 'the golden inputs are of several classes');
});
