import test from 'ava';
import fc from 'fast-check';
import { createMotorNetwork } from '../../examples/motor/network.ts';
import {
  affineOf,
  observeRanges,
  quantizeValues,
  quantizeWeights,
} from '../../examples/motor/quantize.ts';
import { Random } from '../../examples/motor/random.ts';
import { simulateSet } from '../../examples/motor/simulate.ts';

const finite = { min: Math.fround(-1e3), max: Math.fround(1e3), noNaN: true };

test('a value in the range comes back within half a step, and zero exactly', (t) => {
  t.notThrows(() =>
    fc.assert(
      fc.property(
        fc.double({ min: -1e3, max: 0, noNaN: true }),
        fc.double({ min: 1e-3, max: 1e3, noNaN: true }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (low, high, share) => {
          const affine = affineOf({ low, high });
          const value = low + share * (high - low);
          const [q, zero] = quantizeValues(Float32Array.of(value, 0), affine) as unknown as [
            number,
            number,
          ];
          // The zero point is rounded too: at an end of the range the step may be missed by another half.
          const error = Math.abs((q - affine.zeroPoint) * affine.scale - value);
          return zero === affine.zeroPoint && error <= 1.001 * affine.scale;
        },
      ),
    ),
  );
});

test('values outside the range saturate', (t) => {
  const affine = affineOf({ low: -1, high: 1 });
  t.deepEqual([...quantizeValues(Float32Array.of(-9, 9), affine)], [-128, 127]);
  t.throws(() => affineOf({ low: 0, high: 0 }), { message: /nothing to quantize/ });
});

test('weights: no -128, half a step of error, a bias scale that is exactly the product', (t) => {
  t.notThrows(() =>
    fc.assert(
      fc.property(
        fc.float32Array({ minLength: 12, maxLength: 12, ...finite }),
        fc.float32Array({ minLength: 4, maxLength: 4, ...finite }),
        fc.boolean(),
        (values, bias, isPerChannel) => {
          const inputScale = Math.fround(0.0123);
          const channelOf = (index: number): number => Math.floor(index / 3);
          const made = quantizeWeights({ values, bias, inputScale, channelOf, isPerChannel });
          const scaleOf = (channel: number): number => made.scales[isPerChannel ? channel : 0]!;
          return (
            made.scales.length === (isPerChannel ? 4 : 1) &&
            made.scales.every((scale) => scale > 0) &&
            made.biasScales.every((s, c) => s === Math.fround(inputScale * made.scales[c]!)) &&
            made.values.every((q) => q >= -127) &&
            values.every((value, i) => {
              const scale = scaleOf(channelOf(i));
              return Math.abs(made.values[i]! * scale - value) <= 0.501 * scale;
            }) &&
            bias.every((value, c) => {
              const scale = Math.fround(inputScale * scaleOf(c));
              return Math.abs(made.bias[c]! * scale - value) <= 0.501 * scale;
            })
          );
        },
      ),
    ),
  );
});

test('a channel pruned to nothing keeps its bias', (t) => {
  const made = quantizeWeights({
    values: Float32Array.of(0, 0, 0.5, -1),
    bias: Float32Array.of(0.25, 0.125),
    inputScale: 0.5,
    channelOf: (index) => Math.floor(index / 2),
    isPerChannel: true,
  });
  t.deepEqual([...made.values], [0, 0, 64, -127]);
  t.true(Math.abs(made.bias[0]! * made.biasScales[0]! - 0.25) < 1e-6);
});

test('ranges hold every activation that was seen', (t) => {
  const { windows } = simulateSet(1, 8);
  const network = createMotorNetwork(new Random(1));
  const ranges = observeRanges(network, windows);
  const lows = windows.reduce((low, value) => Math.min(low, value), 0);
  t.is(ranges[0]!.low, lows);
  // The windows end with the last one's activations still in place.
  network.activations.forEach((activation, i) => {
    t.true(activation.every((value) => value >= ranges[i]!.low && value <= ranges[i]!.high));
  });
});
