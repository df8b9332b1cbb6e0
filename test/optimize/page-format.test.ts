import test from 'ava';
import fc from 'fast-check';
import * as format from '../../src/optimize/page/format.ts';
import { ranges } from '../../src/optimize/page/sections/edge-tpu.ts';
import { firstAlias, tensorName } from '../../src/optimize/page/tensor-name.ts';

test('figures carry three digits, a unit and separators', (t) => {
  t.is(format.bytes(912), '912\u00a0B');
  t.is(format.bytes(1000), '1.00\u00a0kB');
  t.is(format.bytes(40_000), '40.0\u00a0kB');
  t.is(format.bytes(76_902), '76.9\u00a0kB');
  t.is(format.bytes(999_999), '1,000\u00a0kB');
  t.is(format.bytes(1_048_576), '1.05\u00a0MB');
  t.is(format.bytes(3_500_000), '3.50\u00a0MB');
  t.is(format.duration(3.2), '3.20\u00a0µs');
  t.is(format.duration(431.7), '432\u00a0µs');
  t.is(format.duration(1204.2), '1.20\u00a0ms');
  t.is(format.operations(9999), '9,999');
  t.is(format.operations(12_345_678), '12.3\u00a0M');
  t.is(format.count(-1234), '\u22121,234');
  t.is(format.decibels(-3.21), '\u22123.2\u00a0dB');
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
  t.is(format.errorShare(40), '1.00%');
  t.is(format.errorShare(41.2), '0.87%');
  t.is(format.errorShare(100), '<0.01%');
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

test('a tensor is shown by its first alias, which breaks at its folders', (t) => {
  t.is(firstAlias('net/act/Relu;net/bn/Fused;net/conv'), 'net/act/Relu');
  t.is(firstAlias(';'), ';');
  t.is(tensorName('net/Relu;<b>').text, '<span title="net/Relu;&lt;b&gt;">net/<wbr>Relu</span>');
});

test('numbers in a row are joined, and many are cut short', (t) => {
  t.is(ranges([0, 1, 2, 5, 7, 8]), '0–2, 5, 7–8');
  t.is(ranges([]), '');
  const odd = Array.from({ length: 20 }, (_, index) => 2 * index + 1);
  t.is(ranges(odd), '1, 3, 5, 7, 9, 11 … (20 in all)');
});

test('a date is shown to the minute; what is no date stays', (t) => {
  t.is(format.date('2026-03-14T09:26:53.000Z'), '2026-03-14 09:26 UTC');
  t.is(format.date('yesterday'), 'yesterday');
});
