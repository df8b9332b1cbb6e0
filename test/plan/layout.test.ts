import test from 'ava';
import fc from 'fast-check';
import { activation, seed, shape, size } from './arbitraries.ts';
import { at, elements, type OneOperator, positions, runRandom } from './one-operator.ts';

const RUNS = { numRuns: 200 };

test('RESHAPE, SQUEEZE and EXPAND_DIMS keep every value in its place', (t) => {
  const plans: OneOperator[] = [
    {
      operator: 'RESHAPE',
      inputs: [{ shape: [2, 6], scale: 0.1, zeroPoint: 3 }],
      constants: [{ shape: [2], values: [3, 4] }],
      output: { shape: [3, 4], scale: 0.1, zeroPoint: 3 },
    },
    {
      operator: 'SQUEEZE',
      inputs: [{ shape: [1, 5, 1], scale: 0.1, zeroPoint: 3 }],
      output: { shape: [5], scale: 0.1, zeroPoint: 3 },
    },
    {
      operator: 'EXPAND_DIMS',
      inputs: [{ shape: [5, 2], scale: 0.1, zeroPoint: 3 }],
      constants: [{ shape: [1], values: [1] }],
      output: { shape: [5, 1, 2], scale: 0.1, zeroPoint: 3 },
    },
  ];
  for (const plan of plans) {
    const { inputs, output } = runRandom(plan, 7);
    t.deepEqual(output, inputs[0], plan.operator);
  }
});

test('PAD surrounds its input with the zero point', (t) => {
  const found = shape(4, 4).chain((own) =>
    fc.record({
      paddings: fc.array(fc.tuple(fc.nat(2), fc.nat(2)), {
        minLength: own.length,
        maxLength: own.length,
      }),
      input: activation(own),
      seed,
    }),
  );
  fc.assert(
    fc.property(found, ({ paddings, input, seed: start }) => {
      const padded = input.shape.map(
        (length, axis) => length + paddings[axis]![0] + paddings[axis]![1],
      );
      const plan: OneOperator = {
        operator: 'PAD',
        inputs: [input],
        constants: [{ shape: [padded.length, 2], values: paddings.flat() }],
        output: { ...input, shape: padded },
      };
      const { inputs, output } = runRandom(plan, start);
      return [...positions(padded)].every((position, index) => {
        const own = position.map((value, axis) => value - paddings[axis]![0]);
        const inside = own.every((value, axis) => value >= 0 && value < input.shape[axis]!);
        return output[index] === (inside ? inputs[0]![at(input.shape, own)] : input.zeroPoint);
      });
    }),
    RUNS,
  );
  t.pass();
});

test('CONCATENATION lays its inputs side by side along any axis', (t) => {
  const found = shape(4, 3).chain((own) =>
    fc.record({
      axis: fc.nat(own.length - 1),
      negative: fc.boolean(),
      sizes: fc.array(size(3), { minLength: 1, maxLength: 4 }),
      own: activation(own),
      seed,
    }),
  );
  fc.assert(
    fc.property(found, ({ axis, negative, sizes, own, seed: start }) => {
      const withSize = (length: number) => ({
        ...own,
        shape: own.shape.map((value, index) => (index === axis ? length : value)),
      });
      const plan: OneOperator = {
        operator: 'CONCATENATION',
        inputs: sizes.map(withSize),
        output: withSize(sizes.reduce((sum, length) => sum + length, 0)),
        options: { axis: negative ? axis - own.shape.length : axis },
      };
      const { inputs, output } = runRandom(plan, start);
      return [...positions(plan.output.shape)].every((position, index) => {
        let part = 0;
        const own = [...position];
        while (own[axis]! >= sizes[part]!) own[axis]! -= sizes[part++]!;
        return output[index] === inputs[part]![at(plan.inputs[part]!.shape, own)];
      });
    }),
    RUNS,
  );
  t.pass();
});

/** What Python's slices take of a dimension; an index alone takes one. */
interface Slice {
  readonly begin: number;
  readonly end: number;
  readonly stride: number;
  readonly openBegin: boolean;
  readonly openEnd: boolean;
  readonly shrink: boolean;
}

/** The places that a slice takes, by walking along. */
function taken(length: number, slice: Slice): number[] {
  const wrapped = (index: number): number => (index < 0 ? index + length : index);
  if (slice.shrink) return [wrapped(slice.begin)];
  const limit = (index: number): number => Math.min(Math.max(wrapped(index), 0), length);
  const begin = slice.openBegin ? 0 : limit(slice.begin);
  const end = slice.openEnd ? length : limit(slice.end);
  const places: number[] = [];
  for (let place = begin; place < end; place += slice.stride) places.push(place);
  return places;
}

test('STRIDED_SLICE takes what a forward Python slice takes', (t) => {
  const slice = (length: number): fc.Arbitrary<Slice> =>
    fc
      .record({
        begin: fc.integer({ min: -length, max: length - 1 }),
        end: fc.integer({ min: -length - 1, max: length + 1 }),
        stride: size(length),
        openBegin: fc.boolean(),
        openEnd: fc.boolean(),
        shrink: fc.boolean(),
      })
      .map((found) =>
        found.shrink ? { ...found, stride: 1, openBegin: false, openEnd: false } : found,
      )
      .filter((found) => taken(length, found).length > 0);
  const found = shape(4, 5).chain((own) =>
    fc.record({ input: activation(own), slices: fc.tuple(...own.map(slice)), seed }),
  );
  const mask = (bits: readonly boolean[]): number =>
    bits.reduce((sum, bit, index) => sum + (bit ? 2 ** index : 0), 0);
  fc.assert(
    fc.property(found, ({ input, slices, seed: start }) => {
      const places = input.shape.map((length, axis) => taken(length, slices[axis]!));
      const vector = (values: number[]) => ({ shape: [values.length], values });
      const plan: OneOperator = {
        operator: 'STRIDED_SLICE',
        inputs: [input],
        constants: [
          vector(slices.map(({ begin }) => begin)),
          vector(slices.map(({ end }) => end)),
          vector(slices.map(({ stride }) => stride)),
        ],
        output: {
          ...input,
          shape: places.map(({ length }) => length).filter((_, axis) => !slices[axis]!.shrink),
        },
        options: {
          beginMask: mask(slices.map(({ openBegin }) => openBegin)),
          endMask: mask(slices.map(({ openEnd }) => openEnd)),
          shrinkAxisMask: mask(slices.map(({ shrink }) => shrink)),
        },
      };
      const { inputs, output } = runRandom(plan, start);
      const full = places.map(({ length }) => length);
      return (
        output.length === elements(full) &&
        [...positions(full)].every((position, index) => {
          const own = position.map((value, axis) => places[axis]![value]!);
          return output[index] === inputs[0]![at(input.shape, own)];
        })
      );
    }),
    RUNS,
  );
  t.pass();
});
