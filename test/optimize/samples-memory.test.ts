import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { errorCode, formatNpy } from '../../src/core/index.ts';
import { readSamples, toSampleSet } from '../../src/optimize/index.ts';

const input = { name: 'x', shape: [1, 2, 3] };
const use = 'calibration' as const;

test('samples in memory are the set that their file is', async (t) => {
  const dir = await mkdtemp(join(tmpdir(), 'dunlin-memory-'));
  t.teardown(() => rm(dir, { recursive: true }));
  const values = Float32Array.from({ length: 24 }, (_, index) => Math.sin(index));
  const source = join(dir, 'samples.npy');
  await writeFile(source, formatNpy({ type: 'float32', shape: [4, 2, 3], data: values }));
  const made = toSampleSet({ values, sourceCount: 4 }, input, { source, use });
  t.deepEqual(made, await readSamples(source, input, { use }));
  t.is(made.source, 'samples.npy');
});

test('they are checked as those of a file are', (t) => {
  const refusal = (values: Float32Array): string => {
    const raw = { values, sourceCount: 1 };
    const error = t.throws(() => toSampleSet(raw, input, { source: 'windows', use }));
    t.is(errorCode(error), 'input-invalid');
    return error.message;
  };
  t.regex(refusal(Float32Array.of(0, 1, 2, Number.NaN, 4, 5)), /windows: sample 0, element 3/);
  t.regex(refusal(new Float32Array(12)), /every value is 0/);
});
