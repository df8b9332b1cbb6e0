import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { formatNpy, silentLogger, systemClock } from '../../src/core/index.ts';
import { openSource, type SampleSink, type SourceConfig } from '../../src/sensors/index.ts';

const dependencies = { clock: systemClock, logger: silentLogger };

/** Collects until `count` samples came, then resolves. */
function collector(count: number) {
  const samples: number[][] = [];
  let gaps = 0;
  let done: () => void = () => {};
  const finished = new Promise<void>((resolve) => {
    done = resolve;
  });
  const sink: SampleSink = {
    sample: (values) => {
      samples.push(Array.from(values));
      if (samples.length === count) done();
    },
    gap: () => {
      gaps += 1;
    },
  };
  return { sink, samples, finished, gapCount: () => gaps };
}

function node(script: string): SourceConfig {
  return { kind: 'command', argv: [process.execPath, '-e', script], channels: 2 };
}

test('a command source reads lines, counts what is no sample, and starts again when it ends', async (t) => {
  const got = collector(4);
  const script = "process.stdout.write('1,2\\nrubbish\\n3,\\n1,2,3\\n-0.5,1e1\\n')";
  const source = await openSource(node(script), got.sink, dependencies);
  await got.finished;
  t.deepEqual(got.samples, [
    [1, 2],
    [-0.5, 10],
    [1, 2],
    [-0.5, 10],
  ]);
  t.true(source.faultCount >= 7);
  t.is(got.gapCount(), 1);
  await source.close();
});

test('a line without an end does not fill the memory', async (t) => {
  const got = collector(1);
  const script = "process.stdout.write('1'.repeat(50000)); process.stdout.write('\\n5,6\\n')";
  const source = await openSource(node(script), got.sink, dependencies);
  await got.finished;
  t.deepEqual(got.samples[0], [5, 6]);
  await source.close();
});

test('a command that does not exist is retried, not thrown, and can be closed', async (t) => {
  const source = await openSource(
    { kind: 'command', argv: ['/nonexistent/sensor'], channels: 1 },
    collector(1).sink,
    dependencies,
  );
  await source.close();
  t.pass();
});

test('an npy source replays in a loop', async (t) => {
  const file = join(mkdtempSync(join(tmpdir(), 'dunlin-')), 'x.npy');
  writeFileSync(
    file,
    formatNpy({ type: 'float32', shape: [2, 2], data: new Float32Array([1, 2, 3, 4]) }),
  );
  const got = collector(5);
  const config = { kind: 'npy', file, channels: 2, rateHz: 1000 } as const;
  const source = await openSource(config, got.sink, dependencies);
  await got.finished;
  await source.close();
  t.deepEqual(got.samples.slice(0, 5), [
    [1, 2],
    [3, 4],
    [1, 2],
    [3, 4],
    [1, 2],
  ]);
  await t.throwsAsync(openSource({ ...config, channels: 3 }, got.sink, dependencies), {
    code: 'input-invalid',
  });
  await t.throwsAsync(openSource({ ...config, file: '/nonexistent.npy' }, got.sink, dependencies), {
    code: 'file-missing',
  });
});
