import test from 'ava';
import fc from 'fast-check';
import { fusedActivation, scale, seed, size, zeroPoint } from './arbitraries.ts';
import { exactClamp, exactMultiplier, exactMultiply, wrap32 } from './exact.ts';
import { lcg } from './lcg.ts';
import {
  at,
  elements,
  fusedLimits,
  type OneOperator,
  positions,
  runRandom,
} from './one-operator.ts';

/** Sizes of a window over an image, and what the runtime makes of them. */
interface Geometry {
  readonly image: readonly [number, number];
  readonly filter: readonly [number, number];
  readonly stride: readonly [number, number];
  readonly dilation: readonly [number, number];
  readonly same: boolean;
}

const pair = (max: number): fc.Arbitrary<[number, number]> => fc.tuple(size(max), size(max));

const geometry = (maxDilation: number): fc.Arbitrary<Geometry> =>
  fc
    .record({
      image: pair(7),
      filter: pair(3),
      stride: pair(3),
      dilation: pair(maxDilation),
      same: fc.boolean(),
    })
    .filter((found) => found.same || outSize(found).every((length) => length > 0));

const covered = ({ filter, dilation }: Geometry, axis: 0 | 1): number =>
  (filter[axis] - 1) * dilation[axis] + 1;

function outSize(found: Geometry): [number, number] {
  const along = (axis: 0 | 1): number =>
    found.same
      ? Math.ceil(found.image[axis] / found.stride[axis])
      : Math.ceil((found.image[axis] - covered(found, axis) + 1) / found.stride[axis]);
  return [along(0), along(1)];
}

/** TensorFlow's SAME: the odd one of the padding goes behind. */
function before(found: Geometry, axis: 0 | 1): number {
  const need =
    (outSize(found)[axis] - 1) * found.stride[axis] + covered(found, axis) - found.image[axis];
  return found.same ? Math.floor(Math.max(0, need) / 2) : 0;
}

/** Taps of the window of an output pixel that lie inside the image: [filter y, x, image y, x]. */
function* taps(found: Geometry, outY: number, outX: number): Generator<number[]> {
  for (const [y, x] of positions(found.filter) as Iterable<[number, number]>) {
    const inY = outY * found.stride[0] - before(found, 0) + y * found.dilation[0];
    const inX = outX * found.stride[1] - before(found, 1) + x * found.dilation[1];
    const inside = inY >= 0 && inX >= 0 && inY < found.image[0] && inX < found.image[1];
    if (inside) yield [y, x, inY, inX];
  }
}

function options(found: Geometry, fused: number): Record<string, number> {
  return {
    padding: found.same ? 0 : 1,
    strideH: found.stride[0],
    strideW: found.stride[1],
    dilationHFactor: found.dilation[0],
    dilationWFactor: found.dilation[1],
    fusedActivationFunction: fused,
  };
}

const weighted = fc.record({
  geometry: geometry(2),
  batches: size(2),
  depth: size(3),
  channels: size(4),
  perChannel: fc.boolean(),
  inputScale: scale,
  inputZero: zeroPoint,
  outputScale: scale,
  outputZero: zeroPoint,
  weightScale: fc.double({ min: 0.001, max: 0.02, noNaN: true }),
  fused: fusedActivation,
  seed,
});

type Weighted = typeof weighted extends fc.Arbitrary<infer T> ? T : never;

/** CONV_2D, or DEPTHWISE_CONV_2D with `channels` output channels for each of the input's. */
function weightedPlan(found: Weighted, depthwise: boolean) {
  const { geometry: g, batches, depth } = found;
  const channels = depthwise ? depth * found.channels : found.channels;
  const next = lcg(found.seed ^ 0x55);
  const random = (length: number, limit: number): number[] =>
    Array.from({ length }, () => (next() % (2 * limit + 1)) - limit);
  const scales = Array.from({ length: found.perChannel ? channels : 1 }, (_, channel) =>
    Math.fround(found.weightScale * (1 + channel / 3)),
  );
  const shape = depthwise ? [1, ...g.filter, channels] : [channels, ...g.filter, depth];
  const weights = random(elements(shape), 127);
  const bias = random(channels, 2000);
  const plan: OneOperator = {
    operator: depthwise ? 'DEPTHWISE_CONV_2D' : 'CONV_2D',
    inputs: [
      { shape: [batches, ...g.image, depth], scale: found.inputScale, zeroPoint: found.inputZero },
    ],
    constants: [
      {
        shape,
        values: weights,
        quantized: { type: 'int8', scale: scales, axis: depthwise ? 3 : 0 },
      },
      {
        shape: [channels],
        values: bias,
        quantized: { type: 'int32', scale: scales.map((s) => s * found.inputScale), axis: 0 },
      },
    ],
    output: {
      shape: [batches, ...outSize(g), channels],
      scale: found.outputScale,
      zeroPoint: found.outputZero,
    },
    options: {
      ...options(g, found.fused),
      ...(depthwise ? { depthMultiplier: found.channels } : {}),
    },
  };
  return { plan, shape, weights, bias, scales };
}

for (const depthwise of [false, true]) {
  const name = depthwise ? 'DEPTHWISE_CONV_2D' : 'CONV_2D';
  test(`${name} is the exact sum, scaled in the exact way`, (t) => {
    fc.assert(
      fc.property(weighted, (found) => {
        const { plan, shape, weights, bias, scales } = weightedPlan(found, depthwise);
        const { inputs, output } = runRandom(plan, found.seed);
        const limits = fusedLimits(found.fused, plan.output);
        for (const [batch, y, x, channel] of positions(plan.output.shape) as Iterable<
          [number, number, number, number]
        >) {
          let sum = BigInt(bias[channel]!);
          for (const [tapY, tapX, inY, inX] of taps(found.geometry, y, x)) {
            const depths = depthwise ? [Math.floor(channel / found.channels)] : undefined;
            for (const d of depths ?? Array.from({ length: found.depth }, (_, index) => index)) {
              const tap = depthwise ? [0, tapY!, tapX!, channel] : [channel, tapY!, tapX!, d];
              const pixel = at(plan.inputs[0]!.shape, [batch, inY!, inX!, d]);
              const step = inputs[0]![pixel]! - found.inputZero;
              sum += BigInt(weights[at(shape, tap)]! * step);
            }
          }
          const real = (found.inputScale * (scales[channel] ?? scales[0]!)) / found.outputScale;
          const scaled = exactMultiply(wrap32(sum), exactMultiplier(real));
          const expected = exactClamp(scaled + BigInt(found.outputZero), limits);
          if (output[at(plan.output.shape, [batch, y, x, channel])] !== expected) return false;
          const unrounded = Number(sum) * real + found.outputZero;
          if (Math.abs(Math.min(Math.max(unrounded, limits[0]), limits[1]) - expected) > 0.76) {
            return false;
          }
        }
        return true;
      }),
      { numRuns: 150 },
    );
    t.pass();
  });
}

for (const operator of ['AVERAGE_POOL_2D', 'MAX_POOL_2D'] as const) {
  test(`${operator} takes what lies inside the image`, (t) => {
    const pooled = fc.record({
      geometry: geometry(1),
      depth: size(3),
      scale,
      zeroPoint,
      fused: fusedActivation,
      seed,
    });
    fc.assert(
      fc.property(pooled, ({ geometry: g, depth, fused, seed: start, ...affine }) => {
        const plan: OneOperator = {
          operator,
          inputs: [{ shape: [1, ...g.image, depth], ...affine }],
          output: { shape: [1, ...outSize(g), depth], ...affine },
          options: {
            ...options(g, fused),
            filterHeight: g.filter[0],
            filterWidth: g.filter[1],
          },
        };
        const { inputs, output } = runRandom(plan, start);
        const limits = fusedLimits(fused, plan.output);
        for (const [, y, x, channel] of positions(plan.output.shape) as Iterable<
          [number, number, number, number]
        >) {
          const values = [...taps(g, y, x)].map(
            ([, , inY, inX]) => inputs[0]![at(plan.inputs[0]!.shape, [0, inY!, inX!, channel])]!,
          );
          const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
          const rounded = Math.sign(mean) * Math.floor(Math.abs(mean) + 0.5);
          const reduced = operator === 'MAX_POOL_2D' ? Math.max(...values) : rounded;
          const expected = exactClamp(BigInt(reduced), limits);
          if (output[at(plan.output.shape, [0, y, x, channel])] !== expected) return false;
        }
        return true;
      }),
      { numRuns: 200 },
    );
    t.pass();
  });
}
