import test from 'ava';
import fc from 'fast-check';
import { type FloatModel, openFloatModel } from '../../src/optimize/float-model.ts';
import { meanShift } from '../../src/optimize/quantize/bias-correction.ts';
import { meanInputs } from '../../src/optimize/quantize/mean-inputs.ts';
import {
  channelLookup,
  fullScale,
  quantizeBias,
  quantizeWeights,
  roundWeight,
} from '../../src/optimize/quantize/weights.ts';
import { elementCount, serializeModel } from '../../src/tflite/index.ts';
import { ModelBuilder } from '../tflite/model-builder.ts';
import { RandomValues } from './random-values.ts';

const SAME = 0;

interface Layer {
  readonly builtin: string;
  readonly input: readonly number[];
  readonly weights: readonly number[];
  readonly output: readonly number[];
  readonly same: boolean;
  readonly stride: readonly [number, number];
  readonly dilation: readonly [number, number];
  readonly multiplier: number;
}

const size = fc.integer({ min: 1, max: 6 });
const pair = (max: number) =>
  fc.tuple(fc.integer({ min: 1, max }), fc.integer({ min: 1, max })) as fc.Arbitrary<
    [number, number]
  >;

/** TFLite's ComputeOutSize. */
function outSize(from: number, reach: number, stride: number, same: boolean): number {
  return same ? Math.ceil(from / stride) : Math.floor((from - reach) / stride) + 1;
}

/** Layers whose windows fit, by what the kernels' documentation says of shapes. */
const layers: fc.Arbitrary<Layer> = fc
  .record({
    builtin: fc.constantFrom('CONV_2D', 'DEPTHWISE_CONV_2D', 'TRANSPOSE_CONV'),
    height: size,
    width: size,
    batch: fc.integer({ min: 1, max: 2 }),
    depth: fc.integer({ min: 1, max: 3 }),
    channels: fc.integer({ min: 1, max: 3 }),
    multiplier: fc.integer({ min: 1, max: 2 }),
    kernel: pair(4),
    stride: pair(3),
    dilation: pair(2),
    same: fc.boolean(),
  })
  .map(({ builtin, height, width, batch, depth, channels, multiplier, kernel, ...rest }) => {
    const { stride, same } = rest;
    const transposed = builtin === 'TRANSPOSE_CONV';
    const dilation: [number, number] = transposed ? [1, 1] : rest.dilation;
    const reach = kernel.map((taps, axis) => (taps - 1) * dilation[axis]! + 1);
    const input = [batch, height, width, depth];
    const sizes = [height, width].map((from, axis) => {
      if (!transposed) return outSize(from, reach[axis]!, stride[axis]!, same);
      return same ? from * stride[axis]! : (from - 1) * stride[axis]! + reach[axis]!;
    });
    const depthwise = builtin === 'DEPTHWISE_CONV_2D';
    const out = depthwise ? depth * multiplier : channels;
    return {
      ...{ builtin, input, same, stride, dilation, multiplier },
      weights: depthwise ? [1, ...kernel, out] : [out, ...kernel, depth],
      output: [batch, ...sizes, out],
    };
  })
  .filter(({ output }) => output.every((length) => length >= 1));

function modelOf(layer: Layer, weights: readonly number[]): FloatModel {
  const b = new ModelBuilder();
  const channels = layer.output[3]!;
  const input = b.tensor(layer.input);
  const constant = b.tensor(layer.weights, { data: weights });
  const bias = b.tensor([channels], { data: Array<number>(channels).fill(0) });
  const output = b.tensor(layer.output);
  const transposed = layer.builtin === 'TRANSPOSE_CONV';
  const inputs = transposed
    ? [b.control([4], layer.output), constant, input, bias]
    : [input, constant, bias];
  b.operator(layer.builtin, inputs, [output], {
    padding: layer.same ? SAME : 1,
    ...{ strideH: layer.stride[0], strideW: layer.stride[1] },
    ...(transposed
      ? {}
      : { dilationHFactor: layer.dilation[0], dilationWFactor: layer.dilation[1] }),
    ...(layer.builtin === 'DEPTHWISE_CONV_2D' ? { depthMultiplier: layer.multiplier } : {}),
  });
  return openFloatModel(serializeModel(b.build([input], [output])), 'layer');
}

/** The layer by its definition: a sum for each output, over everything that reaches it. */
function compute(layer: Layer, weights: ArrayLike<number>, input: ArrayLike<number>): Float64Array {
  const { builtin, stride, dilation, same, multiplier } = layer;
  const [batch, height, width, depth] = layer.input as [number, number, number, number];
  const [, outHeight, outWidth, channels] = layer.output as [number, number, number, number];
  const [, rows, columns] = layer.weights as [number, number, number];
  const transposed = builtin === 'TRANSPOSE_CONV';
  const found = new Float64Array(elementCount(layer.output));
  const before = (from: number, to: number, axis: 0 | 1, taps: number): number => {
    const reach = (taps - 1) * dilation[axis] + 1;
    const total = Math.max((to - 1) * stride[axis] + reach - from, 0);
    return same ? Math.floor(total / 2) : 0;
  };
  const top = transposed ? before(outHeight, height, 0, rows) : before(height, outHeight, 0, rows);
  const left = transposed
    ? before(outWidth, width, 1, columns)
    : before(width, outWidth, 1, columns);
  const at = (n: number, y: number, x: number, c: number): number =>
    ((n * height + y) * width + x) * depth + c;
  const to = (n: number, y: number, x: number, c: number): number =>
    ((n * outHeight + y) * outWidth + x) * channels + c;
  const places = (high: number, wide: number) =>
    Array.from(
      { length: high * wide },
      (_, place) => [Math.floor(place / wide), place % wide] as const,
    );
  for (let n = 0; n < batch; n++) {
    for (const [ky, kx] of places(rows, columns)) {
      if (transposed) {
        for (const [y, x] of places(height, width)) {
          const [oy, ox] = [y * stride[0] + ky - top, x * stride[1] + kx - left];
          if (oy < 0 || oy >= outHeight || ox < 0 || ox >= outWidth) continue;
          for (let o = 0; o < channels; o++) {
            for (let c = 0; c < depth; c++) {
              const weight = weights[((o * rows + ky) * columns + kx) * depth + c]!;
              found[to(n, oy, ox, o)]! += weight * input[at(n, y, x, c)]!;
            }
          }
        }
        continue;
      }
      for (const [oy, ox] of places(outHeight, outWidth)) {
        const y = oy * stride[0] + ky * dilation[0] - top;
        const x = ox * stride[1] + kx * dilation[1] - left;
        if (y < 0 || y >= height || x < 0 || x >= width) continue;
        for (let o = 0; o < channels; o++) {
          if (builtin === 'DEPTHWISE_CONV_2D') {
            const weight = weights[(ky * columns + kx) * channels + o]!;
            found[to(n, oy, ox, o)]! += weight * input[at(n, y, x, Math.floor(o / multiplier))]!;
            continue;
          }
          for (let c = 0; c < depth; c++) {
            const weight = weights[((o * rows + ky) * columns + kx) * depth + c]!;
            found[to(n, oy, ox, o)]! += weight * input[at(n, y, x, c)]!;
          }
        }
      }
    }
  }
  return found;
}

/** Mean of each channel, which is the last dimension. */
function channelMeans(values: Float64Array, channels: number): number[] {
  const sums = Array<number>(channels).fill(0);
  for (const [index, value] of values.entries()) sums[index % channels]! += value;
  return sums.map((sum) => sum / (values.length / channels));
}

test('the mean shift of rounded weights is what the layer itself computes of their error', (t) => {
  fc.assert(
    fc.property(layers, fc.integer(), (layer, seed) => {
      const random = new RandomValues(seed);
      const count = elementCount(layer.weights);
      const weights = Float32Array.from(random.normals(count, 1));
      const rounded = Float64Array.from(weights, (value) => Math.round(value * 4) / 4);
      const mean = Float64Array.from(random.normals(elementCount(layer.input), 1));
      const float = modelOf(layer, [...weights]);
      const [operator] = float.subgraph.operators;
      const channelAxis = layer.builtin === 'DEPTHWISE_CONV_2D' ? 3 : 0;
      const tensor = { values: weights, shape: layer.weights, channelAxis };
      const shift = meanShift(float, operator!, tensor, (index) => rounded[index]!, mean);
      const error = rounded.map((value, index) => value - weights[index]!);
      const wanted = channelMeans(compute(layer, error, mean), layer.output[3]!);
      for (const [channel, value] of wanted.entries()) {
        t.true(Math.abs(shift[channel]! - value) < 1e-9, JSON.stringify({ layer, channel }));
      }
    }),
    { numRuns: 300 },
  );
});

test('what the weights of a dense layer meet is the mean over its rows', (t) => {
  const b = new ModelBuilder();
  const [input, output] = [b.tensor([2, 3, 4]), b.tensor([6, 2])];
  const weights = b.tensor([2, 4], { data: [1, 2, 3, 4, 5, 6, 7, 8] });
  b.operator('FULLY_CONNECTED', [input, weights, -1], [output]);
  const float = openFloatModel(serializeModel(b.build([input], [output])), 'dense');
  const mean = Float64Array.from({ length: 24 }, (_, index) => index);
  t.deepEqual([...meanInputs(float, float.subgraph.operators[0]!, mean)], [10, 11, 12, 13]);
});

const weightPlans = fc
  .record({
    channels: fc.integer({ min: 1, max: 5 }),
    inner: fc.integer({ min: 1, max: 40 }),
    axis: fc.constantFrom(0, 1),
    perChannel: fc.boolean(),
    power: fc.integer({ min: -20, max: 20 }),
    seed: fc.integer(),
    weighed: fc.boolean(),
  })
  .map(({ channels, inner, axis, perChannel, power, seed, weighed }) => {
    const random = new RandomValues(seed);
    const shape = axis === 0 ? [channels, inner] : [inner, channels];
    const count = channels * inner;
    // Channels of unlike size, a few outliers, and zeros.
    const values = Float32Array.from({ length: count }, () => {
      if (random.chance(0.1)) return 0;
      return random.normal(2 ** power) * (random.chance(0.05) ? 20 : 1);
    });
    const squares = Array.from({ length: count }, () => random.unit());
    const importance = (index: number): number => squares[index]!;
    return { values, shape, channelAxis: axis, perChannel, ...(weighed ? { importance } : {}) };
  });

test('rounded weights are within half a step, or at the ends of the range', (t) => {
  fc.assert(
    fc.property(weightPlans, (plan) => {
      const { values, quantization, deadChannels } = quantizeWeights(plan);
      const channels = plan.shape[plan.channelAxis]!;
      const channelOf = channelLookup(plan);
      t.is(quantization.scale.length, plan.perChannel ? channels : 1);
      t.true(quantization.zeroPoint.every((zero) => zero === 0));
      t.is(quantization.axis, plan.perChannel ? plan.channelAxis : 0);
      const alive = new Set<number>();
      for (const [index, value] of plan.values.entries()) {
        const scale = quantization.scale[plan.perChannel ? channelOf(index) : 0]!;
        t.is(scale, Math.fround(scale));
        t.true(scale > 0);
        const stored = values[index]!;
        t.true(stored >= -127 && stored <= 127);
        const close = Math.abs(stored * scale - value) <= scale * 0.5001;
        t.true(close || Math.abs(stored) === 127, `${value} as ${stored} x ${scale}`);
        if (value !== 0) alive.add(channelOf(index));
      }
      t.deepEqual(
        deadChannels,
        Array.from({ length: channels }, (_, channel) => channel).filter((c) => !alive.has(c)),
      );
    }),
  );
});

test('the scale that is chosen is never worse than the one that holds the largest weight', (t) => {
  let better = 0;
  fc.assert(
    fc.property(weightPlans, (plan) => {
      const { quantization } = quantizeWeights(plan);
      const channelOf = channelLookup(plan);
      const groupOf = (index: number): number => (plan.perChannel ? channelOf(index) : 0);
      const errors = (scaleOf: (group: number) => number): number[] => {
        const sums = quantization.scale.map(() => 0);
        for (const [index, value] of plan.values.entries()) {
          const scale = scaleOf(groupOf(index));
          const miss = scale === 0 ? 0 : roundWeight(value, scale) * scale - value;
          sums[groupOf(index)]! += miss ** 2 * (plan.importance?.(index) ?? 1);
        }
        return sums;
      };
      const largest = quantization.scale.map(() => 0);
      for (const [index, value] of plan.values.entries()) {
        const group = groupOf(index);
        largest[group] = Math.max(largest[group]!, Math.abs(value));
      }
      const chosen = errors((group) => quantization.scale[group]!);
      const plain = errors((group) => fullScale(largest[group]!));
      for (const [group, error] of chosen.entries()) {
        // Scales are float32.
        const slack = plan.values.length * 1e-9 * largest[group]! ** 2;
        t.true(error <= plain[group]! * (1 + 1e-5) + slack, `group ${group}`);
        if (error < 0.99 * plain[group]!) better += 1;
      }
    }),
    { numRuns: 400 },
  );
  // Mostly by a grid that happens to fit, in how many groups is up to chance.
  t.true(better > 0);
});

test('weights that matter more are rounded the better for it', (t) => {
  const values = Float32Array.from({ length: 64 }, (_, index) => (index === 0 ? 1 : 0.0101));
  const plan = { values, shape: [1, 64], channelAxis: 0, perChannel: true };
  const errorOf = (importance: (index: number) => number): number => {
    const { values: rounded, quantization } = quantizeWeights({ ...plan, importance });
    return Math.abs(rounded[1]! * quantization.scale[0]! - values[1]!);
  };
  t.true(errorOf((index) => (index === 0 ? 0 : 1)) < errorOf((index) => (index === 0 ? 1e9 : 1)));
});

test('a bias fits into 32 bits, with room for the sums, whatever the weights', (t) => {
  fc.assert(
    fc.property(
      weightPlans,
      fc.integer({ min: -20, max: 20 }),
      fc.integer({ min: -20, max: 30 }),
      (plan, inputPower, biasPower) => {
        const input = Math.fround(2 ** inputPower / 255);
        const channels = plan.shape[plan.channelAxis]!;
        const bias = Float64Array.from({ length: channels }, (_, c) => (c - 1) * 2 ** biasPower);
        const activations = { bias, scales: { input, output: input } };
        const { quantization } = quantizeWeights({ ...plan, activations });
        const { values, quantization: own } = quantizeBias(bias, input, quantization.scale);
        for (const [channel, value] of values.entries()) {
          const scale = own.scale[own.scale.length === 1 ? 0 : channel]!;
          t.true(Math.abs(value) <= 2 ** 29 + 64, `${value}`);
          t.true(Math.abs(value * scale - bias[channel]!) <= scale * 0.51);
        }
        t.deepEqual(
          own.scale,
          quantization.scale.map((scale) => Math.fround(input * scale)),
        );
      },
    ),
  );
});
