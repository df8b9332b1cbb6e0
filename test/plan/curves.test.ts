import test from 'ava';
import fc from 'fast-check';
import { activation, seed } from './arbitraries.ts';
import { type OneOperator, runRandom } from './one-operator.ts';

const RUNS = { numRuns: 200 };

for (const [operator, f, scale, zeroPoint] of [
  ['LOGISTIC', (x: number) => 1 / (1 + Math.exp(-x)), 1 / 256, -128],
  ['TANH', Math.tanh, 1 / 128, 0],
] as const) {
  test(`${operator} is within a step of the real one`, (t) => {
    fc.assert(
      fc.property(activation([64]), seed, (input, start) => {
        const plan = { operator, inputs: [input], output: { shape: [64], scale, zeroPoint } };
        const { inputs, output } = runRandom(plan, start);
        return inputs[0]!.every((value, index) => {
          const real = f((value - input.zeroPoint) * input.scale) / scale + zeroPoint;
          return Math.abs(Math.min(real, 127) - output[index]!) < 1;
        });
      }),
      RUNS,
    );
    t.pass();
  });
}

test('SOFTMAX is within a step of the real one, each row by itself', (t) => {
  const found = fc.record({
    rows: fc.integer({ min: 1, max: 3 }),
    depth: fc.integer({ min: 1, max: 30 }),
    beta: fc.double({ min: 0.25, max: 2, noNaN: true }).map(Math.fround),
    input: activation([]),
    seed,
  });
  fc.assert(
    fc.property(found, ({ rows, depth, beta, input, seed: start }) => {
      const shape = [rows, depth];
      const plan: OneOperator = {
        operator: 'SOFTMAX',
        inputs: [{ ...input, shape }],
        output: { shape, scale: 1 / 256, zeroPoint: -128 },
        options: { beta },
      };
      const { inputs, output } = runRandom(plan, start);
      return Array.from({ length: rows }, (_, row) => row * depth).every((first) => {
        const values = [...inputs[0]!.subarray(first, first + depth)];
        const exps = values.map((v) => Math.exp((v - Math.max(...values)) * input.scale * beta));
        const sum = exps.reduce((total, exp) => total + exp, 0);
        return exps.every((exp, index) => {
          const real = Math.min((exp / sum) * 256 - 128, 127);
          return Math.abs(real - output[first + index]!) < 1;
        });
      });
    }),
    RUNS,
  );
  t.pass();
});
