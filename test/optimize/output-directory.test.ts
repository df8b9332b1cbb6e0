import test from 'ava';
import { sha256Hex } from '../../src/core/index.ts';
import {
  CHECKPOINT_FILE,
  checkOutputDirectory,
  type Optimized,
  readOptimized,
  VARIANT_NAMES,
  variantFile,
  variantMode,
  writeOptimized,
} from '../../src/optimize/index.ts';
import { CrashFiles, PowerCut, SURVIVALS } from '../fakes/crash-files.ts';
import { reportAround, sampleVariant } from './sample-report.ts';

const VARIANTS = ['float', 'int8'] as const;

/** A run whose files tell which run they are of. */
function runOf(name: string): Optimized {
  const files = new Map(VARIANTS.map((each) => [`${each}.tflite`, Buffer.from(`${each} ${name}`)]));
  const variants = VARIANTS.map((each) => {
    const bytes = files.get(`${each}.tflite`)!;
    const plain = { name: each, sizeBytes: bytes.byteLength, latencyUs: 10, sqnrDb: 40 };
    return sampleVariant({ ...plain, layerCount: 1 }, { sha256: sha256Hex(bytes) });
  });
  const values = Float32Array.of(name.length, 2);
  return { report: reportAround(variants), files, goldenInputs: { shape: [1, 2], values } };
}

test('wherever the power goes, a report stands beside the files of its own run or not at all', async (t) => {
  const [first, second] = [runOf('first'), runOf('the second')];
  const outcomes = new Set<string>();
  for (const survival of SURVIVALS) {
    for (let n = 1; ; n++) {
      const files = new CrashFiles();
      await writeOptimized(files, '/out', first);
      await files.syncDirectory('/');
      files.dieAt(n);
      const done = await writeOptimized(files, '/out', second).then(
        () => true,
        (error: unknown) => {
          if (error instanceof PowerCut) return false;
          throw error;
        },
      );
      const found = files.reopen(survival, n);
      if ((await found.read('/out/report.json')) === undefined) {
        t.false(done);
        await t.throwsAsync(readOptimized(found, '/out'), { code: 'file-missing' });
        outcomes.add('none');
      } else {
        const texts = new Set<string>();
        for (const name of VARIANTS) {
          const { model, goldenInputs } = await readOptimized(found, '/out', name);
          texts.add(Buffer.from(model).toString().replace(`${name} `, ''));
          t.not(goldenInputs, undefined);
        }
        t.is(texts.size, 1, `${survival} ${n}: ${[...texts]}`);
        const [which] = texts;
        if (done) t.is(which, 'the second');
        outcomes.add(which!);
      }
      if (done) break;
    }
  }
  t.deepEqual([...outcomes].sort(), ['first', 'none', 'the second']);
});

test('files of an earlier run that this one has no use for are gone', async (t) => {
  const files = new CrashFiles();
  const earlier = runOf('earlier');
  const more = new Map([...earlier.files, ['dynamic.tflite', Buffer.from('x')] as const]);
  await writeOptimized(files, '/out', { ...earlier, files: more });
  t.true((await files.list('/out')).includes('dynamic.tflite'));
  const { goldenInputs: _, ...later } = runOf('later');
  await writeOptimized(files, '/out', later);
  t.deepEqual(await files.list('/out'), [
    ...['float.tflite', 'int8.tflite', 'report.html', 'report.json'],
  ]);
});

test('a file that is not what was measured, or is missing, is named', async (t) => {
  const files = new CrashFiles();
  await writeOptimized(files, '/out', runOf('a run'));
  await t.throwsAsync(readOptimized(files, '/out', 'float16'), {
    code: 'input-invalid',
    message: /there is no variant float16; it has float, int8/,
  });
  files.rot('/out/int8.tflite');
  t.is((await readOptimized(files, '/out', 'float')).variant.name, 'float');
  await t.throwsAsync(readOptimized(files, '/out', 'int8'), {
    code: 'digest-mismatch',
    message: /int8\.tflite is not the file that was measured; run dunlin optimize again/,
  });
  await files.remove('/out/float.tflite');
  await t.throwsAsync(readOptimized(files, '/out', 'float'), { code: 'file-missing' });
  await files.write('/out/report.json', Buffer.from('{'));
  await t.throwsAsync(readOptimized(files, '/out'), { code: 'input-invalid' });
});

test('a directory of something else is left as it is, one of an earlier run or a new one is taken', async (t) => {
  const files = new CrashFiles();
  await t.notThrowsAsync(checkOutputDirectory(files, '/new'));
  await files.makeDirectory('/empty');
  await t.notThrowsAsync(checkOutputDirectory(files, '/empty'));
  await files.makeDirectory('/mine');
  for (const name of ['thesis.txt', 'float.tflite']) {
    await files.write(`/mine/${name}`, Buffer.from('mine'));
    const message = /\/mine holds something else \(\S+\); name a new directory/;
    await t.throwsAsync(writeOptimized(files, '/mine', runOf('any')), {
      code: 'input-invalid',
      message,
    });
    t.is(Buffer.from((await files.read(`/mine/${name}`))!).toString(), 'mine');
    await files.remove(`/mine/${name}`);
  }
  await files.makeDirectory('/mine/report.json');
  await t.throwsAsync(checkOutputDirectory(files, '/mine'), { code: 'input-invalid' });
  await files.remove('/mine/report.json');
  await writeOptimized(files, '/mine', runOf('any'));
  await t.notThrowsAsync(checkOutputDirectory(files, '/mine'));
});

test("a user's own files are no earlier run's, whatever they are called", async (t) => {
  for (const [name, text] of [
    ['float.tflite', 'the only copy'],
    ['report.html', 'of another tool'],
    ['report.json', '{"my":"report"}'],
    ['report.json', 'no JSON'],
  ] as const) {
    const files = new CrashFiles();
    await files.makeDirectory('/out');
    await files.write(`/out/${name}`, Buffer.from(text));
    const refusal = { code: 'input-invalid', message: new RegExp(name) };
    await t.throwsAsync(checkOutputDirectory(files, '/out'), refusal, name);
    await t.throwsAsync(writeOptimized(files, '/out', runOf('a run')), refusal, name);
    t.is(Buffer.from((await files.read(`/out/${name}`))!).toString(), text);
  }
});

test('every variant that a run may make is read back and taken over, and no other name is', async (t) => {
  t.deepEqual(VARIANT_NAMES, [
    ...['float', 'int8', 'dynamic', 'float16'],
    ...['pruned-float', 'pruned-int8', 'pruned-dynamic', 'pruned-float16'],
    ...['trained-float', 'trained-int8', 'trained-dynamic', 'trained-float16'],
  ]);
  t.deepEqual(['float', 'trained-int8', 'pruned-float16', 'mine-int8'].map(variantMode), [
    ...['float', 'int8', 'float16', undefined],
  ]);
  const files = new CrashFiles();
  const bytes = Buffer.from('a model');
  const plain = { sizeBytes: bytes.byteLength, latencyUs: 10, sqnrDb: 40, layerCount: 1 };
  const make = (name: string) => sampleVariant({ name, ...plain }, { sha256: sha256Hex(bytes) });
  const names = [...VARIANT_NAMES, 'mine-int8', '../int8'];
  const written = new Map(names.map((name) => [variantFile(name), bytes] as const));
  await files.makeDirectory('/out');
  await writeOptimized(files, '/out', { report: reportAround(names.map(make)), files: written });
  for (const name of VARIANT_NAMES) {
    t.is((await readOptimized(files, '/out', name)).variant.file, `${name}.tflite`);
  }
  for (const name of ['mine-int8', '../int8']) {
    await t.throwsAsync(readOptimized(files, '/out', name), {
      code: 'input-invalid',
      message: /file is named/,
    });
  }
  await writeOptimized(files, '/out', runOf('later'));
  t.deepEqual(await files.list('/out'), [
    ...['float.tflite', 'golden-inputs.npy', 'int8.tflite', 'mine-int8.tflite'],
    ...['report.html', 'report.json'],
  ]);
});

test('a directory that holds a checkpoint alone is an interrupted run', async (t) => {
  const unfinished = `${CHECKPOINT_FILE}.new`;
  for (const names of [[CHECKPOINT_FILE], [unfinished], [CHECKPOINT_FILE, unfinished]]) {
    const files = new CrashFiles();
    await files.makeDirectory('/out');
    for (const name of names) await files.write(`/out/${name}`, Buffer.from('half way'));
    await t.notThrowsAsync(checkOutputDirectory(files, '/out'));
    await writeOptimized(files, '/out', runOf('a run'));
    t.deepEqual(await files.list('/out'), [
      ...['float.tflite', 'golden-inputs.npy', 'int8.tflite', 'report.html', 'report.json'],
    ]);
  }
  const files = new CrashFiles();
  await files.makeDirectory('/out');
  await files.write(`/out/${CHECKPOINT_FILE}`, Buffer.from('half way'));
  await files.write('/out/int8.tflite', Buffer.from('the only copy'));
  await t.throwsAsync(checkOutputDirectory(files, '/out'), {
    code: 'input-invalid',
    message: /int8\.tflite/,
  });
});

test('wherever the power goes, there is a report or still the checkpoint', async (t) => {
  for (const survival of SURVIVALS) {
    for (let n = 1; ; n++) {
      const files = new CrashFiles();
      await files.makeDirectory('/out');
      await files.write(`/out/${CHECKPOINT_FILE}`, Buffer.from('hours of work'));
      await files.syncDirectory('/out');
      await files.syncDirectory('/');
      files.dieAt(n);
      const done = await writeOptimized(files, '/out', runOf('a run')).then(
        () => true,
        () => false,
      );
      const found = files.reopen(survival, n);
      const names = await found.list('/out');
      t.true(
        names.includes('report.json') || names.includes(CHECKPOINT_FILE),
        `${survival} ${n}: ${names}`,
      );
      if (done) break;
    }
  }
});
