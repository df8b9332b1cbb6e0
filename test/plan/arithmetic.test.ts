import test from 'ava';
import fc from 'fast-check';
import { activation, fusedActivation, scale, seed, shape, size, zeroPoint } from './arbitraries.ts';
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

/** Rounding twice is off by less than this from the real number. */
const STEP = 0.76;
const RUNS = { numRuns: 200 };
const f32 = Math.fround;

const near = (real: number, found: number, [min, max]: readonly [number, number]): boolean =>
  Math.abs(Math.min(Math.max(real, min), max) - found) <= STEP;

/** Shapes of two inputs that go together, and of what comes out. */
const broadcast = shape(4, 3).chain((full) =>
  fc
    .tuple(
      fc.array(fc.boolean(), { minLength: full.length, maxLength: full.length }),
      fc.integer({ min: 0, max: full.length - 1 }),
      fc.boolean(),
    )
    .map(([ones, dropped, swap]) => {
      const other = full.map((length, axis) => (ones[axis] ? 1 : length)).slice(dropped);
      return { a: swap ? other : full, b: swap ? full : other, output: full };
    }),
);

/** The value of a broadcast input at a position of the output. */
function broadcastValue(values: Int8Array, own: readonly number[], position: number[]): number {
  const tail = position.slice(position.length - own.length);
  return values[
    at(
      own,
      tail.map((index, axis) => (own[axis] === 1 ? 0 : index)),
    )
  ]!;
}

type Combine = (a: number, b: number, scales: readonly [number, number, number]) => bigint;

const shifted = (x: number): bigint => BigInt(x) * 2n ** 20n;

const combined: Readonly<
  Record<string, { exact: Combine; real: (a: number, b: number) => number }>
> = {
  ADD: {
    real: (a, b) => a + b,
    exact: (a, b, [scaleA, scaleB, scaleOut]) => {
      const twice = 2 * Math.max(scaleA, scaleB);
      const left = exactMultiply(shifted(a), exactMultiplier(scaleA / twice));
      const right = exactMultiply(shifted(b), exactMultiplier(scaleB / twice));
      return exactMultiply(left + right, exactMultiplier(twice / (2 ** 20 * scaleOut)));
    },
  },
  SUB: {
    real: (a, b) => a - b,
    exact: (a, b, [scaleA, scaleB, scaleOut]) => {
      const twice = f32(2 * Math.max(scaleA, scaleB));
      const left = exactMultiply(shifted(a), exactMultiplier(f32(scaleA / twice)));
      const right = exactMultiply(shifted(b), exactMultiplier(f32(scaleB / twice)));
      const output = f32(twice / f32(2 ** 20 * scaleOut));
      return exactMultiply(left - right, exactMultiplier(output));
    },
  },
  MUL: {
    real: (a, b) => a * b,
    exact: (a, b, [scaleA, scaleB, scaleOut]) =>
      exactMultiply(BigInt(a * b), exactMultiplier((scaleA * scaleB) / scaleOut)),
  },
};

for (const [operator, { exact, real }] of Object.entries(combined)) {
  test(`${operator} is exact, broadcasting included`, (t) => {
    const found = broadcast.chain((shapes) =>
      fc.record({
        a: activation(shapes.a),
        b: activation(shapes.b),
        output: activation(shapes.output),
        fused: fusedActivation,
        seed,
      }),
    );
    fc.assert(
      fc.property(found, ({ a, b, output: out, fused, seed: start }) => {
        const plan: OneOperator = {
          operator,
          inputs: [a, b],
          output: out,
          options: { fusedActivationFunction: fused },
        };
        const { inputs, output } = runRandom(plan, start);
        const limits = fusedLimits(fused, out);
        return [...positions(out.shape)].every((position, index) => {
          const left = broadcastValue(inputs[0]!, a.shape, position) - a.zeroPoint;
          const right = broadcastValue(inputs[1]!, b.shape, position) - b.zeroPoint;
          const scaled = exact(left, right, [a.scale, b.scale, out.scale]);
          const unrounded = real(left * a.scale, right * b.scale) / out.scale + out.zeroPoint;
          return (
            output[index] === exactClamp(scaled + BigInt(out.zeroPoint), limits) &&
            near(unrounded, output[index]!, limits)
          );
        });
      }),
      RUNS,
    );
    t.pass();
  });
}

test('FULLY_CONNECTED is the exact sum; its factor is made of a float32 product', (t) => {
  const found = fc.record({
    batches: size(3),
    depth: size(20),
    channels: size(5),
    input: activation([]),
    output: activation([]),
    weightScale: fc.double({ min: 0.001, max: 0.02, noNaN: true }).map(f32),
    bias: fc.boolean(),
    fused: fusedActivation,
    seed,
  });
  fc.assert(
    fc.property(found, ({ batches, depth, channels, input, output, weightScale, ...rest }) => {
      const next = lcg(rest.seed ^ 0x99);
      const weights = Array.from({ length: channels * depth }, () => (next() % 255) - 127);
      const bias = Array.from({ length: channels }, () => (rest.bias ? (next() % 4001) - 2000 : 0));
      const int32 = { type: 'int32', scale: [weightScale * input.scale], axis: 0 } as const;
      const plan: OneOperator = {
        operator: 'FULLY_CONNECTED',
        inputs: [{ ...input, shape: [batches, depth] }],
        constants: [
          {
            shape: [channels, depth],
            values: weights,
            quantized: { type: 'int8', scale: [weightScale], axis: 0 },
          },
          ...(rest.bias ? [{ shape: [channels], values: bias, quantized: int32 }] : []),
        ],
        output: { ...output, shape: [batches, channels] },
        options: { fusedActivationFunction: rest.fused },
      };
      const { inputs, output: got } = runRandom(plan, rest.seed);
      const limits = fusedLimits(rest.fused, output);
      const real = f32(input.scale * weightScale) / output.scale;
      return [...positions([batches, channels])].every(([batch, channel], index) => {
        let sum = BigInt(bias[channel!]!);
        for (let d = 0; d < depth; d++) {
          const step = inputs[0]![batch! * depth + d]! - input.zeroPoint;
          sum += BigInt(weights[channel! * depth + d]! * step);
        }
        const scaled = exactMultiply(wrap32(sum), exactMultiplier(real));
        return (
          got[index] === exactClamp(scaled + BigInt(output.zeroPoint), limits) &&
          near(Number(sum) * real + output.zeroPoint, got[index]!, limits)
        );
      });
    }),
    RUNS,
  );
  t.pass();
});

for (const operator of ['QUANTIZE', 'RELU'] as const) {
  test(`${operator} rescales exactly`, (t) => {
    fc.assert(
      fc.property(activation([64]), activation([64]), seed, (input, output, start) => {
        const { inputs, output: got } = runRandom({ operator, inputs: [input], output }, start);
        const limits = fusedLimits(operator === 'RELU' ? 1 : 0, output);
        const real =
          operator === 'RELU' ? f32(input.scale / output.scale) : input.scale / output.scale;
        return inputs[0]!.every((value, index) => {
          const step = value - input.zeroPoint;
          const scaled = exactMultiply(BigInt(step), exactMultiplier(real));
          return (
            got[index] === exactClamp(scaled + BigInt(output.zeroPoint), limits) &&
            near(step * real + output.zeroPoint, got[index]!, limits)
          );
        });
      }),
      RUNS,
    );
    t.pass();
  });
}

test('RELU6 clips between zero and six', (t) => {
  fc.assert(
    fc.property(activation([64]), seed, (both, start) => {
      const plan = { operator: 'RELU6', inputs: [both], output: both };
      const { inputs, output } = runRandom(plan, start);
      const [min, max] = fusedLimits(3, both);
      return inputs[0]!.every(
        (value, index) => output[index] === Math.max(Math.min(value, max), Math.min(min, max)),
      );
    }),
    RUNS,
  );
  t.pass();
});

test('MEAN is within rounding of the real one over any axes', (t) => {
  const found = shape(4, 5).chain((full) =>
    fc.record({
      axes: fc.uniqueArray(fc.integer({ min: 0, max: full.length - 1 }), { minLength: 1 }),
      negative: fc.boolean(),
      keepDims: fc.boolean(),
      input: fc.record({ shape: fc.constant(full), scale, zeroPoint }),
      output: activation([]),
      seed,
    }),
  );
  fc.assert(
    fc.property(found, ({ axes, negative, keepDims, input, output, seed: start }) => {
      const rank = input.shape.length;
      const kept = input.shape.map((length, axis) => (axes.includes(axis) ? 1 : length));
      const dropped = input.shape.filter((_, axis) => !axes.includes(axis));
      const values = negative ? axes.map((axis) => axis - rank) : axes;
      const plan: OneOperator = {
        operator: 'MEAN',
        inputs: [input],
        constants: [{ shape: [axes.length], values }],
        output: { ...output, shape: keepDims ? kept : dropped },
        options: { keepDims },
      };
      const { inputs, output: got } = runRandom(plan, start);
      const sums = new Array<number>(elements(kept)).fill(0);
      for (const [index, position] of [...positions(input.shape)].entries()) {
        const place = position.map((value, axis) => (axes.includes(axis) ? 0 : value));
        sums[at(kept, place)]! += inputs[0]![index]! - input.zeroPoint;
      }
      const count = elements(input.shape) / elements(kept);
      return sums.every((sum, index) => {
        const real = ((sum / count) * input.scale) / output.scale + output.zeroPoint;
        return near(real, got[index]!, [-128, 127]);
      });
    }),
    RUNS,
  );
  t.pass();
});
