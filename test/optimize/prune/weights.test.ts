import test from 'ava';
import fc from 'fast-check';
import type { ActivationStatistics } from '../../../src/optimize/calibrate/calibrate.ts';
import { Histogram } from '../../../src/optimize/calibrate/histogram.ts';
import { openFloatModel } from '../../../src/optimize/float-model.ts';
import {
  chooseMasks,
  layersToPrune,
  maskedWeights,
  PRUNE_SCOPES,
  prunableWeights,
  type WeightValues,
} from '../../../src/optimize/prune/weights.ts';
import { serializeModel, type TfliteModel } from '../../../src/tflite/index.ts';
import { ModelBuilder } from '../../tflite/model-builder.ts';
import { RandomValues } from '../random-values.ts';

/** Of a layer this much stays. */
const leastOf = (weights: number): number => Math.max(1, Math.ceil((2 * weights) / 100));

const scoresOf = ({ values, importance }: WeightValues): number[] =>
  Array.from(values, (value, index) => Math.abs(value) * importance[index % importance.length]!);

const zerosOf = (mask: Uint8Array): number =>
  mask.reduce((count, value) => count + (value === 0 ? 1 : 0), 0);

/** Few different values, so that many are equal; or all different. */
const layer: fc.Arbitrary<WeightValues> = fc
  .record({
    values: fc.oneof(
      fc.array(fc.integer({ min: -3, max: 3 }), { minLength: 1, maxLength: 300 }),
      fc.array(fc.float({ min: -2, max: 2, noNaN: true }), { minLength: 1, maxLength: 300 }),
    ),
    importance: fc.array(fc.constantFrom(0, 0.5, 1, 2), { minLength: 1, maxLength: 5 }),
  })
  .map(({ values, importance }) => ({
    values: Float32Array.from(values),
    importance: Float64Array.from(importance),
  }));
const layers = fc.array(layer, { minLength: 1, maxLength: 4 });
/** Hundredths, as people write shares. */
const percent = fc.integer({ min: 0, max: 98 });
const scope = fc.constantFrom(...PRUNE_SCOPES);

test('exactly the share is pruned, of each layer or of all, but for what every layer keeps', (t) => {
  fc.assert(
    fc.property(layers, percent, scope, (given, hundredths, where) => {
      const masks = chooseMasks(given, hundredths / 100, where);
      t.deepEqual(
        masks.map(({ length }) => length),
        given.map(({ values }) => values.length),
      );
      const groups = where === 'global' ? [[...masks.keys()]] : [...masks.keys()].map((at) => [at]);
      for (const group of groups) {
        const sum = (of: (place: number) => number): number =>
          group.reduce((total, place) => total + of(place), 0);
        const total = sum((place) => masks[place]!.length);
        const free = total - sum((place) => leastOf(masks[place]!.length));
        // Whole numbers: in binary 0.29 x 100 is less than 29.
        const wanted = Math.min(Math.floor((total * hundredths) / 100), free);
        t.is(
          sum((place) => zerosOf(masks[place]!)),
          wanted,
        );
      }
      for (const mask of masks) t.true(mask.length - zerosOf(mask) >= leastOf(mask.length));
    }),
  );
});

test('no weight goes while a smaller one stays that might go', (t) => {
  fc.assert(
    fc.property(layers, percent, scope, (given, hundredths, where) => {
      const masks = chooseMasks(given, hundredths / 100, where);
      const marked = given.map((each, place) => {
        const scores = scoresOf(each);
        // Of equals the first go, so the last are what a layer keeps.
        const order = [...scores.keys()].sort((a, b) => scores[a]! - scores[b]! || a - b);
        const kept = new Set(order.slice(order.length - leastOf(scores.length)));
        return scores.map((score, index) => ({
          score,
          gone: masks[place]![index] === 0,
          kept: kept.has(index),
          place: [place, index] as const,
        }));
      });
      for (const group of where === 'global' ? [marked.flat()] : marked) {
        const gone = group.filter((weight) => weight.gone);
        const left = group.filter((weight) => !weight.gone && !weight.kept);
        t.true(gone.every((weight) => !weight.kept));
        const most = Math.max(...gone.map(({ score }) => score));
        t.true(left.every(({ score }) => score >= most));
        const ties = group.filter(({ score, kept }) => score === most && !kept);
        const firstLeft = ties.findIndex((weight) => !weight.gone);
        t.true(firstLeft < 0 || ties.slice(firstLeft).every((weight) => !weight.gone));
      }
    }),
  );
});

test('a larger share prunes what a smaller one does, and more', (t) => {
  fc.assert(
    fc.property(layers, percent, percent, scope, (given, one, other, where) => {
      const [few, many] = [Math.min(one, other), Math.max(one, other)].map((hundredths) =>
        chooseMasks(given, hundredths / 100, where),
      );
      for (const [place, mask] of few!.entries()) {
        t.true(mask.every((value, index) => value === 1 || many![place]![index] === 0));
      }
    }),
  );
});

test('the ends: nothing at 0; at 0.98 fifty weights are one; weights of one size are pruned too', (t) => {
  const random = new RandomValues(3);
  const importance = Float64Array.of(1);
  const plain = { values: Float32Array.from(random.normals(1150, 1)), importance };
  // As a network of signs has them, and one that is nearly all zeros already.
  const signs = {
    values: Float32Array.from({ length: 1000 }, () => (random.chance(0.5) ? 1 : -1)),
    importance,
  };
  const empty = { values: new Float32Array(1000), importance };
  for (const where of PRUNE_SCOPES) {
    for (const mask of chooseMasks([plain, signs, empty], 0, where)) t.is(zerosOf(mask), 0);
    const most = chooseMasks([plain, signs, empty], 0.98, where);
    t.deepEqual(most.map(zerosOf), [1127, 980, 980]);
  }
  t.deepEqual(chooseMasks([signs, empty], 0.75, 'layer').map(zerosOf), [750, 750]);
  t.deepEqual([...chooseMasks([{ ...signs, values: Float32Array.of(4) }], 0.98, 'layer')[0]!], [1]);
});

test('globally one layer may lose much more than another, and never all', (t) => {
  const importance = Float64Array.of(1);
  const [small, large] = [1, 1000].map((size) => ({
    values: Float32Array.from(
      new RandomValues(7).normals(1000, 0.1),
      (value) => Math.sign(value) * size * (1 + Math.abs(value)),
    ),
    importance,
  }));
  const masks = chooseMasks([small!, large!], 0.5, 'global');
  t.deepEqual(masks.map(zerosOf), [980, 20]);
  // Weights that meet larger inputs count for more.
  const weighed = chooseMasks(
    [{ ...small!, importance: Float64Array.of(1e4) }, large!],
    0.5,
    'global',
  );
  t.deepEqual(weighed.map(zerosOf), [20, 980]);
});

test('pruned weights are zeros of one sign', (t) => {
  const masked = maskedWeights(Float32Array.of(-1, 2, -3), Uint8Array.of(0, 0, 1));
  t.deepEqual([...masked], [0, 0, -3]);
  t.false(masked.some((value) => Object.is(value, -0)));
});

/** A convolution, a depthwise one, a small and a large dense layer, and one whose weights were seen before. */
function network(): TfliteModel {
  const random = new RandomValues(5);
  const b = new ModelBuilder();
  const [input, a, depth, flat, small, wide, again] = [
    b.tensor([1, 6, 6, 8]),
    b.tensor([1, 4, 4, 16]),
    b.tensor([1, 4, 4, 16]),
    b.tensor([1, 256]),
    b.tensor([1, 1]),
    b.tensor([1, 256]),
    b.tensor([1, 256]),
  ];
  const constant = (...shape: number[]): number =>
    b.tensor(shape, {
      data: random.normals(
        shape.reduce((x, y) => x * y, 1),
        0.1,
      ),
    });
  const square = constant(256, 256);
  const window = { padding: 1, strideW: 1, strideH: 1 };
  b.operator('CONV_2D', [input, constant(16, 3, 3, 8), constant(16)], [a], window)
    .operator('DEPTHWISE_CONV_2D', [a, constant(1, 9, 9, 16), constant(16)], [depth], {
      ...window,
      padding: 0,
      depthMultiplier: 1,
    })
    .operator('RESHAPE', [depth, b.control([2], [1, 256])], [flat])
    .operator('FULLY_CONNECTED', [flat, square, -1], [wide])
    .operator('FULLY_CONNECTED', [wide, square, -1], [again])
    .operator('FULLY_CONNECTED', [flat, constant(1, 256), -1], [small]);
  return b.build([input], [again, small]);
}

function seen(squares: readonly number[]): ActivationStatistics {
  return { histogram: new Histogram(), channelSquares: Float64Array.from(squares) };
}

test('convolutions and dense layers with weights enough are pruned, each once, by what their inputs are', (t) => {
  const float = openFloatModel(serializeModel(network()), 'net.tflite');
  const { operators } = float.subgraph;
  const inputs = Array.from({ length: 8 }, (_, channel) => channel ** 2);
  const calibration = new Map([
    [float.subgraph.inputs[0]!, seen(inputs)],
    ...operators.map(({ outputs }) => {
      const width = float.graph.tensor(outputs[0]!).shape.at(-1)!;
      return [outputs[0]!, seen(new Array(width).fill(4))] as const;
    }),
  ]);
  const found = prunableWeights(float, calibration);
  t.deepEqual(
    found.map(({ tensor }) => tensor),
    [operators[0]!.inputs[1]!, operators[3]!.inputs[1]!],
  );
  t.regex(found[0]!.label, /CONV_2D/);
  t.is(found[1]!.layer, 't5');
  // What a weight adds, as a share of what the layer gives: inputs of size k, results of size 2.
  t.deepEqual(
    [...found[0]!.importance],
    inputs.map((square) => Math.sqrt(square) / 2),
  );
  t.deepEqual([...found[1]!.importance], new Array(256).fill(1));
  // With a lower limit the small one too, and never what is depthwise.
  t.deepEqual(
    layersToPrune(float, calibration, 1).map(({ tensor }) => tensor),
    [0, 3, 5].map((place) => operators[place]!.inputs[1]!),
  );
  // Silence: nothing to compare layers by, and still numbers.
  const silent = new Map(
    [...calibration].map(([index, { channelSquares }]) => [
      index,
      seen(new Array(channelSquares.length).fill(0)),
    ]),
  );
  for (const { importance } of prunableWeights(float, silent)) {
    t.true(importance.every((value) => value === 0));
  }
});

test('a model without layers to prune is refused with the way out', (t) => {
  const b = new ModelBuilder();
  const [input, output] = [b.tensor([1, 4]), b.tensor([1, 4])];
  const weights = b.tensor([4, 4], { data: new RandomValues(1).normals(16, 1) });
  const model = b.operator('FULLY_CONNECTED', [input, weights, -1], [output]);
  const float = openFloatModel(serializeModel(model.build([input], [output])), 'net.tflite');
  const calibration = new Map([input, output].map((index) => [index, seen([1, 1, 1, 1])]));
  t.throws(() => prunableWeights(float, calibration), {
    code: 'model-unsupported',
    message: /^net\.tflite: nothing to prune: .* 512 constant weights; leave --prune out/,
  });
  // An input that is no activation has no statistics.
  t.throws(() => prunableWeights(float, new Map()), { code: 'model-unsupported' });
});
