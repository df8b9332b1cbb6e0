import test from 'ava';
import fc from 'fast-check';
import { Windower } from '../../src/sensors/index.ts';

const cases = fc
  .tuple(
    fc.integer({ min: 1, max: 8 }),
    fc.integer({ min: 1, max: 3 }),
    fc.integer({ min: 0, max: 100 }),
  )
  .chain(([windowSamples, channels, samples]) =>
    fc.record({
      windowSamples: fc.constant(windowSamples),
      channels: fc.constant(channels),
      samples: fc.constant(samples),
      strideSamples: fc.integer({ min: 1, max: windowSamples }),
    }),
  );

test('windows hold consecutive samples, a stride apart, none lost', (t) => {
  fc.assert(
    fc.property(cases, ({ samples, ...options }) => {
      const windower = new Windower(options);
      for (let i = 0; i < samples; i++) {
        windower.push(
          Array.from({ length: options.channels }, (_, c) => i * 10 + c),
          i,
        );
      }
      const { windowSamples, strideSamples, channels } = options;
      const expected = Math.max(0, Math.floor((samples - windowSamples) / strideSamples) + 1);
      t.is(windower.windowCount, expected);
      for (let w = 0; w < expected; w++) {
        const window = windower.take()!;
        const start = w * strideSamples;
        t.is(window.sequence, w + 1);
        t.is(window.endedAtMs, start + windowSamples - 1);
        t.deepEqual(
          [...window.data],
          Array.from(
            { length: windowSamples * channels },
            (_, k) => (start + Math.floor(k / channels)) * 10 + (k % channels),
          ),
        );
      }
      t.is(windower.take(), undefined);
    }),
  );
});

test('when nobody takes them the oldest windows go, and are counted', (t) => {
  const windower = new Windower({ channels: 1, windowSamples: 1, strideSamples: 1, maxPending: 3 });
  for (let i = 1; i <= 5; i++) windower.push([i], 0);
  t.is(windower.droppedCount, 2);
  t.is(windower.take()?.sequence, 3);
});

test('samples from before and after a gap never share a window', (t) => {
  const windower = new Windower({ channels: 1, windowSamples: 3, strideSamples: 3 });
  windower.push([1], 0);
  windower.push([2], 0);
  windower.restartWindow();
  for (const value of [7, 8, 9]) windower.push([value], 0);
  t.deepEqual([...windower.take()!.data], [7, 8, 9]);
});
