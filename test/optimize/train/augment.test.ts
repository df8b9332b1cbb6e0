import test from 'ava';
import { Random } from '../../../src/core/index.ts';
import { Augmenter } from '../../../src/optimize/train/augment.ts';

const SHAPE = [1, 6, 2];
const values = Array.from({ length: 5 }, (_, sample) =>
  Float32Array.from({ length: 12 }, (_, place) => 100 * sample + place),
);
const samples = { count: 5, at: (index: number) => [values[index]!] };

test('samples as they are keep their labels, and all are drawn', (t) => {
  const augmenter = new Augmenter(samples, [SHAPE], false);
  const seen = new Set<number>();
  for (let step = 0; step < 60; step++) {
    const target = new Float32Array(12);
    const { index, keepsLabel } = augmenter.draw(new Random(1, step), [target]);
    t.true(keepsLabel);
    t.deepEqual(target, values[index]!);
    seen.add(index);
  }
  t.is(seen.size, 5);
});

test('variations differ from their sample, and equal seeds give equal ones', (t) => {
  const augmenter = new Augmenter(samples, [SHAPE], true);
  const draw = (step: number) => {
    const target = new Float32Array(12);
    return { ...augmenter.draw(new Random(1, step), [target]), target };
  };
  const drawn = Array.from({ length: 40 }, (_, step) => draw(step));
  for (const [step, { index, target }] of drawn.entries()) {
    t.notDeepEqual(target, values[index]!);
    t.deepEqual(draw(step).target, target);
  }
  // A mixture is of no class.
  t.true(drawn.some(({ keepsLabel }) => keepsLabel));
  t.true(drawn.some(({ keepsLabel }) => !keepsLabel));
});
