import test from 'ava';
import fc from 'fast-check';
import * as format from '../../src/optimize/page/format.ts';

test('figures carry three digits, a unit and separators', (t) => {
  t.is(format.bytes(912), '912 B');
  t.is(format.bytes(1024), '1.00 KiB');
  t.is(format.bytes(76_902), '75.1 KiB');
  t.is(format.bytes(1_048_575), '1,024 KiB');
  t.is(format.bytes(3_500_000), '3.34 MiB');
  t.is(format.duration(3.2), '3.20 µs');
  t.is(format.duration(431.7), '432 µs');
  t.is(format.duration(1204.2), '1.20 ms');
  t.is(format.operations(9999), '9,999');
  t.is(format.operations(12_345_678), '12.3 M');
  t.is(format.count(-1234), '\u22121,234');
  t.is(format.decibels(-3.21), '\u22123.2 dB');
  t.is(format.decibels(null), 'identical');
  t.is(format.multiple(27, 100), '0.27×');
  t.is(format.multiple(1, 0), '–');
  t.is(format.shape([1, 32, 8]), '1×32×8');
  t.is(format.plural(1, 'layer'), '1 layer');
});

test('a percentage is 0 or 100 only where the share is 0 or 1', (t) => {
  t.is(format.percent(0.9999), '>99.9%');
  t.is(format.percent(0.0001), '<0.1%');
  fc.assert(
    fc.property(fc.double({ min: 0, max: 1, noNaN: true }), (share) => {
      const text = format.percent(share);
      return (
        (text === '100%') === (share === 1) &&
        (text === '0%') === (share === 0) &&
        text !== '100.0%' &&
        text !== '0.0%'
      );
    }),
  );
});

test('decibels in plain words: 20 dB is a tenth', (t) => {
  t.is(format.errorShare(20), '10.0%');
  t.is(format.errorShare(40), '1.0%');
  t.is(format.errorShare(-3), 'more than all');
});

test('an axis writes all its numbers with the same digits', (t) => {
  const ticks = [0, 0.5, 1, 1.5];
  t.deepEqual(ticks.map(format.tickWriter(ticks)), ['0', '0.5', '1.0', '1.5']);
  t.deepEqual([0, 1000].map(format.tickWriter([0, 1000])), ['0', '1,000']);
  t.deepEqual([1e-6].map(format.tickWriter([1e-6])), ['1.00e\u22126']);
});

test('long names lose their middle, short ones nothing', (t) => {
  t.is(format.shorten('conv_2d/weights', 9), 'conv…ghts');
  t.is(format.shorten('int8', 9), 'int8');
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), fc.integer({ min: 3, max: 30 }), (text, most) => {
      return [...format.shorten(text, most)].length <= most;
    }),
  );
});

test('a date is shown to the minute; what is no date stays', (t) => {
  t.is(format.date('2026-03-14T09:26:53.000Z'), '2026-03-14 09:26 UTC');
  t.is(format.date('yesterday'), 'yesterday');
});
