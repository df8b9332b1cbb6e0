import test, { type ExecutionContext } from 'ava';
import { compileModel } from '../../../src/plan/index.ts';
import type { TfliteModel } from '../../../src/tflite/index.ts';
import { Int8Graph, type Weights, type Wire } from './int8-graph.ts';
import { compileCase, oracleProblem } from './random-model.ts';

const AFFINE = { scale: 0.05, zeroPoint: -128 };
const WINDOW = {
  ...{ padding: 1, strideH: 1, strideW: 1, dilationHFactor: 1, dilationWFactor: 1 },
  fusedActivationFunction: 0,
};

function weightsOf(graph: Int8Graph, shape: readonly number[]): Weights {
  const count = shape.reduce((product, size) => product * size, 1);
  const values = Int8Array.from({ length: count }, () => graph.random.int(-127, 127));
  const bias = Array.from({ length: shape[0]! }, () => graph.random.int(-2000, 2000));
  return { shape, axis: 0, values, bias, scales: [0.01] };
}

const reshape = (graph: Int8Graph, wire: Wire, ...shape: number[]): Wire =>
  graph.operator('RESHAPE', [wire, graph.control(...shape)], shape, wire);

function conv(graph: Int8Graph, wire: Wire, kernel: number, channels: number): Wire {
  const [batches, height, width, depth] = wire.shape as [number, number, number, number];
  const shape = [batches, height - kernel + 1, width - kernel + 1, channels];
  const weights = weightsOf(graph, [channels, kernel, kernel, depth]);
  return graph.weighted('CONV_2D', wire, weights, shape, { scale: 0.3, zeroPoint: -5 }, WINDOW);
}

const isExact = (t: ExecutionContext, model: TfliteModel): boolean =>
  t.is(oracleProblem(compileCase(model, 3, 1)), undefined);

/** What is between operators that a pass joins: the shape that each of them has for the values is its own. */
test('an activation behind a reshape is part of the convolution before it', (t) => {
  for (const [height, width, channels] of [
    [8, 1, 12],
    [1, 96, 1],
  ] as const) {
    const graph = new Int8Graph(1);
    // A channel that is dead, so that channels are taken out at all.
    const input = graph.input([1, 4, 6, 2], AFFINE);
    const weights = weightsOf(graph, [3, 1, 1, 2]);
    weights.values.fill(0, 2, 4);
    const before = graph.weighted('CONV_2D', input, weights, [1, 4, 6, 3], AFFINE, WINDOW);
    const made = conv(graph, before, 3, 12);
    const image = reshape(graph, made, 1, height, width, channels);
    const active = graph.operator('RELU', [image], image.shape, made);
    conv(graph, active, 1, 5);
    const model = graph.model();
    isExact(t, model);
    t.is(compileModel(model, 'NATIVE', 'm').operations.length, 3);
  }
});

test('an activation behind a reshape is part of the addition before it', (t) => {
  const graph = new Int8Graph(2);
  const input = graph.input([3, 5], AFFINE);
  const row = graph.constant([5], AFFINE, graph.random.int8s(5));
  const sum = graph.operator('ADD', [input, row], [3, 5], { scale: 0.1, zeroPoint: 4 });
  const column = graph.operator('EXPAND_DIMS', [sum, graph.control(2)], [3, 5, 1], sum);
  graph.operator('RELU', [column], column.shape, sum);
  isExact(t, graph.model());
});

test('a padding behind which the shape changes is no padding of the convolution', (t) => {
  const graph = new Int8Graph(3);
  const input = graph.input([1, 2, 4, 1], AFFINE);
  const paddings = graph.matrix([4, 2], [0, 0, 1, 1, 1, 1, 0, 0]);
  const padded = graph.operator('PAD', [input, paddings], [1, 4, 6, 1], input);
  conv(graph, reshape(graph, padded, 1, 6, 4, 1), 3, 2);
  isExact(t, graph.model());
});

test('a constant that is a row until a reshape makes a column of it', (t) => {
  const graph = new Int8Graph(4);
  const made = conv(graph, graph.input([1, 3, 3, 2], AFFINE), 1, 3);
  const flat = reshape(graph, made, 9, 3);
  const row = graph.constant([1, 9], AFFINE, graph.random.int8s(9));
  const sum = graph.operator('ADD', [flat, reshape(graph, row, 9, 1)], [9, 3], AFFINE);
  const square = graph.constant([3], AFFINE, Int8Array.of(-128, 60, 127));
  const affine = { scale: 0.2, zeroPoint: 3 };
  const image = reshape(graph, sum, 3, 3, 3);
  graph.operator('MUL', [image, reshape(graph, square, 3, 1)], [3, 3, 3], affine);
  isExact(t, graph.model());
});

test('constant channels are those of the shape in which a constant is added', (t) => {
  const graph = new Int8Graph(5);
  const input = graph.input([1, 3, 3, 3], AFFINE);
  // Rows of zeros: channels of -5 each, to which a column is added, and not a row.
  const zeros: Weights = { ...weightsOf(graph, [3, 1, 1, 3]), values: new Int8Array(9) };
  const output = { scale: 0.3, zeroPoint: -5 };
  const dead = graph.weighted('CONV_2D', input, zeros, [1, 3, 3, 3], output, WINDOW);
  const row = graph.constant([3], AFFINE, Int8Array.of(-128, 60, 127));
  const column = reshape(graph, row, 3, 1);
  const sum = graph.operator('ADD', [dead, column], [1, 3, 3, 3], { scale: 0.1, zeroPoint: 2 });
  conv(graph, sum, 1, 4);
  isExact(t, graph.model());
});

/** 125 steps and more come to one of the output's: the table is that of a clamp from -4 to -3. */
test('a table that happens to be a clamp is none if it moves the zero point', (t) => {
  const graph = new Int8Graph(6);
  const made = conv(graph, graph.input([1, 4, 4, 2], AFFINE), 1, 4);
  const own = graph.operator('QUANTIZE', [made], made.shape, { scale: 0.1, zeroPoint: -128 });
  const sum = graph.operator('ADD', [own, own], own.shape, { scale: 0.25, zeroPoint: -128 });
  graph.operator('QUANTIZE', [sum], sum.shape, { scale: 62.75, zeroPoint: -4 });
  isExact(t, graph.model());
});

test('a row of more weights than runs can hold stays dense', (t) => {
  const graph = new Int8Graph(7);
  const input = graph.input([1, 17, 16, 1024], AFFINE);
  const weights = weightsOf(graph, [1, 16, 16, 1024]);
  for (const [at, value] of weights.values.entries()) weights.values[at] = value || 1;
  const output = { scale: 40, zeroPoint: 1 };
  graph.weighted('CONV_2D', input, weights, [1, 2, 1, 1], output, WINDOW);
  isExact(t, graph.model());
});
