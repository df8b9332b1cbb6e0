import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import fc from 'fast-check';
import type { Condition } from '../../examples/motor/simulate.ts';
import {
  conditionAt,
  DEFAULT_SCHEDULE,
  parseSchedule,
  SampleStream,
  samplesDue,
} from '../../examples/motor/stream.ts';

const PROGRAM = fileURLToPath(new URL('../../examples/motor/stream.js', import.meta.url));
const LINE = /^-?\d\.\d{4},-?\d\.\d{4},-?\d\.\d{4}$/;

test('schedules are read, and errors say which part is wrong', (t) => {
  t.deepEqual(parseSchedule('healthy:20s,bearing-fault:0.5s'), [
    { condition: 'healthy', durationS: 20 },
    { condition: 'bearing-fault', durationS: 0.5 },
  ]);
  for (const wrong of ['', 'healthy', 'healthy:20', 'healthy:0s', 'sick:1s', 'healthy:1s,']) {
    t.throws(() => parseSchedule(wrong), { message: /is not like healthy:20s/ }, wrong);
  }
  t.throws(() => parseSchedule('healthy:1s,'.repeat(70)), { message: /71 steps; 64/ });
});

test('the default schedule shows every condition in turn, for ever', (t) => {
  const schedule = parseSchedule(DEFAULT_SCHEDULE);
  const seen = [0, 19.9, 20, 45, 79.9, 80, 161].map((timeS) => conditionAt(schedule, timeS));
  const expected: Condition[] = [
    'healthy',
    'healthy',
    'imbalance',
    'misalignment',
    'bearing-fault',
    'healthy',
    'healthy',
  ];
  t.deepEqual(seen, expected);
});

test('lines are x,y,z and do not depend on how many are taken at once', (t) => {
  const options = { seed: 4, rateHz: 1600, schedule: parseSchedule('healthy:0.1s,imbalance:1s') };
  const whole = new SampleStream(options).take(400);
  const parts = new SampleStream(options);
  t.is(parts.take(150) + parts.take(1) + parts.take(249), whole);
  const lines = whole.trimEnd().split('\n');
  t.is(lines.length, 400);
  t.true(lines.every((line) => LINE.test(line)));
});

test('the condition changes at its time, and skipped samples count', (t) => {
  const energy = (text: string): number => {
    const x = text
      .trimEnd()
      .split('\n')
      .map((line) => Number(line.split(',')[0]));
    const mean = x.reduce((sum, value) => sum + value, 0) / x.length;
    return x.reduce((sum, value) => sum + (value - mean) ** 2, 0) / x.length;
  };
  const schedule = parseSchedule('healthy:1s,imbalance:1s');
  // Seed 11 draws a strong imbalance; any seed gives more than the healthy second.
  const stream = new SampleStream({ seed: 11, rateHz: 1600, schedule });
  const healthy = energy(stream.take(1600));
  const faulty = energy(stream.take(1600));
  t.true(faulty > 3 * healthy, `${faulty} ${healthy}`);
  const skipping = new SampleStream({ seed: 11, rateHz: 1600, schedule });
  skipping.skip(1600);
  t.true(energy(skipping.take(1600)) > 3 * healthy);
});

test('samples due: none too early, none twice, at most a second late', (t) => {
  t.notThrows(() =>
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 3000 }), { minLength: 1, maxLength: 50 }),
        fc.integer({ min: 400, max: 6400 }),
        (pausesMs, rateHz) => {
          let [elapsedMs, total] = [0, 0];
          for (const pauseMs of pausesMs) {
            elapsedMs += pauseMs;
            const { send, lost } = samplesDue(elapsedMs, total, rateHz);
            total += send + lost;
            if (send < 0 || lost < 0 || send > rateHz) return false;
            if (lost > 0 && pauseMs < 1000) return false;
            if (total !== Math.floor((elapsedMs * rateHz) / 1000)) return false;
          }
          return true;
        },
      ),
    ),
  );
});

test('the process writes the same samples in real time, and goes quietly', async (t) => {
  const child = spawn(process.execPath, [PROGRAM, '--seed', '4', '--schedule', 'imbalance:1s'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const exited = once(child, 'exit');
  let stderr = '';
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  const lines: string[] = [];
  const startMs = performance.now();
  for await (const line of createInterface({ input: child.stdout })) {
    lines.push(line);
    if (lines.length === 640) break;
  }
  // 640 samples at 1600 Hz are 0.4 s: real time can be late, and never early.
  t.true(performance.now() - startMs > 350);
  const schedule = parseSchedule('imbalance:1s');
  const expected = new SampleStream({ seed: 4, rateHz: 1600, schedule }).take(640);
  t.is(`${lines.join('\n')}\n`, expected);
  // The reader has gone: the next write fails with EPIPE.
  child.stdout.destroy();
  t.deepEqual(await exited, [0, null]);
  t.is(stderr, '');
});

test('SIGTERM ends the process with status 0', async (t) => {
  const child = spawn(process.execPath, [PROGRAM], { stdio: ['ignore', 'pipe', 'ignore'] });
  await once(child.stdout, 'data');
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  t.deepEqual(await exited, [0, null]);
});

test('wrong options are told, with status 2', async (t) => {
  for (const wrong of [['--rate-hz', '9'], ['--seed', 'x'], ['--schedule', 'x:1s'], ['--what']]) {
    const child = spawn(process.execPath, [PROGRAM, ...wrong], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const exited = once(child, 'exit');
    let stderr = '';
    for await (const chunk of child.stderr) stderr += String(chunk);
    t.deepEqual(await exited, [2, null]);
    t.regex(stderr, /^stream: .+\nusage: /);
  }
});
