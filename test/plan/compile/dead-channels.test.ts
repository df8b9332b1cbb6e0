import test, { type ExecutionContext } from 'ava';
import { type CompiledPlan, compileModel } from '../../../src/plan/index.ts';
import type { TfliteModel } from '../../../src/tflite/index.ts';
import { elements } from '../one-operator.ts';
import { type Affine, Int8Graph, type Wire } from './int8-graph.ts';
import { compileCase, oracleProblem } from './random-model.ts';

const CHANNELS = 8;
/** Every other one: which of the channels a test means by dead. */
const isDead = (channel: number): boolean => channel % 2 === 1;
const never = (): boolean => false;

const INPUT: Affine = { scale: 0.05, zeroPoint: -7 };
const HIDDEN: Affine = { scale: 0.4, zeroPoint: -128 };
const OUTPUT: Affine = { scale: 0.9, zeroPoint: 11 };

interface Layer {
  readonly kernel?: number;
  readonly channels?: number;
  readonly isSame?: boolean;
  readonly isDepthwise?: boolean;
  readonly affine?: Affine;
  readonly activation?: number;
  /** Output channels of nothing but zeros. */
  readonly zeroRows?: (channel: number) => boolean;
  /** Input channels that no weight reads. */
  readonly zeroColumns?: (channel: number) => boolean;
  readonly biasOf?: (channel: number) => number;
}

/** A convolution whose weights are 0 just where a test says. */
function layer(graph: Int8Graph, wire: Wire, own: Layer): Wire {
  const { kernel = 3, isSame = false, isDepthwise = false, affine = HIDDEN } = own;
  const [batches, height, width, depth] = wire.shape as [number, number, number, number];
  const channels = isDepthwise ? depth : (own.channels ?? CHANNELS);
  const shape = isDepthwise ? [1, kernel, kernel, depth] : [channels, kernel, kernel, depth];
  const values = graph.random.int8s(elements(shape)).map((value) => Math.max(-127, value) || 1);
  const inner = elements(shape) / channels;
  for (const at of values.keys()) {
    const channel = isDepthwise ? at % depth : Math.floor(at / inner);
    const isRead = isDepthwise || !own.zeroColumns?.(at % depth);
    if (own.zeroRows?.(channel) || !isRead) values[at] = 0;
  }
  const bias = Array.from({ length: channels }, (_, channel) => {
    const random = graph.random.int(-900, 900);
    return own.biasOf?.(channel) ?? random;
  });
  const cut = isSame ? 0 : kernel - 1;
  const options = {
    ...{ padding: isSame ? 0 : 1, strideH: 1, strideW: 1, dilationHFactor: 1, dilationWFactor: 1 },
    ...{
      fusedActivationFunction: own.activation ?? 1,
      ...(isDepthwise ? { depthMultiplier: 1 } : {}),
    },
  };
  return graph.weighted(
    isDepthwise ? 'DEPTHWISE_CONV_2D' : 'CONV_2D',
    wire,
    { shape, axis: isDepthwise ? 3 : 0, values, bias, scales: [0.01] },
    [batches, height - cut, width - cut, channels],
    affine,
    options,
  );
}

function dense(graph: Int8Graph, wire: Wire, depth: number): Wire {
  const values = graph.random.int8s(5 * depth).map((value) => Math.max(-127, value) || 1);
  const weights = { shape: [5, depth], axis: 0, values, bias: [1, -2, 300, 4, 5], scales: [0.01] };
  const shape = [elements(wire.shape) / depth, 5];
  return graph.weighted('FULLY_CONNECTED', wire, weights, shape, OUTPUT, {
    fusedActivationFunction: 0,
  });
}

type Make = (graph: Int8Graph, dead: (channel: number) => boolean) => void;

function modelOf(make: Make, dead: (channel: number) => boolean): TfliteModel {
  const graph = new Int8Graph(1);
  make(graph, dead);
  return graph.model();
}

function compileExactly(t: ExecutionContext, model: TfliteModel): CompiledPlan {
  t.is(oracleProblem(compileCase(model, 4, 99)), undefined);
  return compileModel(model, 'NATIVE', 'm');
}

const input = (graph: Int8Graph, batches = 1): Wire => graph.input([batches, 6, 6, 3], INPUT);

const zeroBias = (dead: (channel: number) => boolean) => (channel: number) =>
  dead(channel) ? 0 : 700;

const GONE: Readonly<Record<string, Make>> = {
  'rows of zeros before a convolution without padding': (graph, dead) => {
    layer(graph, layer(graph, input(graph), { zeroRows: dead }), { affine: OUTPUT, channels: 5 });
  },
  'the same in a batch of three': (graph, dead) => {
    layer(graph, layer(graph, input(graph, 3), { zeroRows: dead }), { affine: OUTPUT });
  },
  'channels that are the zero point before a convolution with padding': (graph, dead) => {
    const made = layer(graph, input(graph), { zeroRows: dead, biasOf: zeroBias(dead) });
    layer(graph, made, { affine: OUTPUT, isSame: true });
  },
  'channels that a ReLU cuts off before a convolution with padding': (graph, dead) => {
    const biasOf = (channel: number): number => (dead(channel) ? -(2 ** 24) : 100);
    layer(graph, layer(graph, input(graph), { biasOf }), { affine: OUTPUT, isSame: true });
  },
  'channels that a ReLU6 holds at its top': (graph, dead) => {
    const biasOf = (channel: number): number => (dead(channel) ? 2 ** 24 : 100);
    layer(graph, layer(graph, input(graph), { biasOf, activation: 3 }), { affine: OUTPUT });
  },
  'channels that nobody reads': (graph, dead) => {
    layer(graph, layer(graph, input(graph), {}), { affine: OUTPUT, zeroColumns: dead });
  },
  'channels that neither of two readers reads': (graph, dead) => {
    const made = layer(graph, input(graph), {});
    layer(graph, made, { affine: OUTPUT, zeroColumns: dead });
    layer(graph, made, { affine: OUTPUT, zeroColumns: dead, kernel: 1, isSame: true });
  },
  'a sum that is dead on both sides': (graph, dead) => {
    const start = input(graph);
    const [a, b] = [1, 2].map(() =>
      layer(graph, start, { zeroRows: dead, biasOf: zeroBias(dead), isSame: true }),
    );
    const sum = graph.operator('ADD', [a!, b!], a!.shape, HIDDEN, { fusedActivationFunction: 1 });
    layer(graph, sum, { affine: OUTPUT, isSame: true });
  },
  'a residual whose channels nobody reads behind it': (graph, dead) => {
    const first = layer(graph, input(graph), { isSame: true });
    const second = layer(graph, first, { isSame: true, zeroColumns: dead });
    const sum = graph.operator('ADD', [second, first], first.shape, HIDDEN);
    layer(graph, sum, { affine: OUTPUT, zeroColumns: dead });
  },
  'a fully connected layer over the flattened image': (graph, dead) => {
    const made = layer(graph, input(graph), { zeroRows: dead });
    const flat = graph.operator('RESHAPE', [made, graph.control(1, 128)], [1, 128], made);
    dense(graph, flat, 128);
  },
  'a depthwise convolution between, with padding': (graph, dead) => {
    const made = layer(graph, input(graph), { zeroRows: dead, biasOf: zeroBias(dead) });
    const between = layer(graph, made, { isDepthwise: true, isSame: true });
    layer(graph, between, { affine: OUTPUT });
  },
  'rows of zeros of a depthwise convolution': (graph, dead) => {
    const made = layer(graph, input(graph), {});
    const between = layer(graph, made, { isDepthwise: true, isSame: true, zeroRows: dead });
    layer(graph, between, { affine: OUTPUT });
  },
  'pools, tables, products and a mean between': (graph, dead) => {
    let wire = layer(graph, input(graph), { zeroRows: dead });
    const pool = {
      ...{ padding: 0, strideH: 1, strideW: 1, filterHeight: 2, filterWidth: 3 },
      fusedActivationFunction: 0,
    };
    wire = graph.operator('AVERAGE_POOL_2D', [wire], wire.shape, wire, pool);
    wire = graph.operator('TANH', [wire], wire.shape, { scale: 1 / 128, zeroPoint: 0 });
    wire = graph.operator('MAX_POOL_2D', [wire], wire.shape, wire, pool);
    const factors = graph.constant([CHANNELS], INPUT, graph.random.int8s(CHANNELS));
    wire = graph.operator('MUL', [wire, factors], wire.shape, INPUT);
    wire = graph.operator('SUB', [factors1(graph), wire], wire.shape, HIDDEN);
    wire = graph.operator('MEAN', [wire, graph.control(1, 2)], [1, CHANNELS], HIDDEN, {
      keepDims: false,
    });
    dense(graph, wire, CHANNELS);
  },
};

const factors1 = (graph: Int8Graph): Wire => graph.constant([1], HIDDEN, Int8Array.of(99));

for (const [name, make] of Object.entries(GONE)) {
  test(`taken out: ${name}`, (t) => {
    const alive = compileExactly(t, modelOf(make, never));
    const plan = compileExactly(t, modelOf(make, isDead));
    t.is(alive.deadChannels, 0);
    t.true(plan.deadChannels >= CHANNELS / 2, `${plan.deadChannels}`);
    t.true(plan.macs < alive.macs, `${plan.macs} of ${alive.macs} MACs`);
    t.true(plan.bytes.length < alive.bytes.length);
    t.true(plan.arenaBytes <= alive.arenaBytes);
  });
}

const STAYS: Readonly<Record<string, Make>> = {
  'constant channels beside which padding is another number': (graph, dead) => {
    const made = layer(graph, input(graph), { zeroRows: dead, biasOf: () => 5000 });
    layer(graph, made, { affine: OUTPUT, isSame: true });
  },
  'a sum that is dead on one side': (graph, dead) => {
    const start = input(graph);
    const [a, b] = [dead, never].map((zeroRows) => layer(graph, start, { zeroRows }));
    const sum = graph.operator('ADD', [a!, b!], a!.shape, HIDDEN);
    layer(graph, sum, { affine: OUTPUT });
  },
  'channels that one of two readers reads': (graph, dead) => {
    const made = layer(graph, input(graph), {});
    layer(graph, made, { affine: OUTPUT, zeroColumns: dead });
    layer(graph, made, { affine: OUTPUT });
  },
  'dead channels of an output': (graph, dead) => {
    layer(graph, input(graph), { zeroRows: dead, affine: OUTPUT });
  },
  'channels that a concatenation moves': (graph, dead) => {
    const made = layer(graph, input(graph), { zeroRows: dead });
    const [, height, width] = made.shape;
    const both = graph.operator('CONCATENATION', [made, made], [1, height!, width!, 16], made, {
      axis: 3,
    });
    layer(graph, both, { affine: OUTPUT });
  },
};

for (const [name, make] of Object.entries(STAYS)) {
  test(`left in: ${name}`, (t) => {
    const plan = compileExactly(t, modelOf(make, isDead));
    t.is(plan.deadChannels, 0);
    t.is(plan.macs, compileExactly(t, modelOf(make, never)).macs);
  });
}

test('a network of which nothing is left but constants', (t) => {
  const always = (): boolean => true;
  const make: Make = (graph, dead) => {
    const made = layer(graph, input(graph), { zeroRows: dead, biasOf: zeroBias(dead) });
    const next = layer(graph, made, { isSame: true });
    dense(graph, graph.operator('MEAN', [next, graph.control(1, 2)], [1, 8], HIDDEN), CHANNELS);
  };
  const plan = compileExactly(t, modelOf(make, always));
  const alive = compileExactly(t, modelOf(make, never));
  t.true(plan.macs < alive.macs / 6, `${plan.macs} of ${alive.macs} MACs`);
  t.true(plan.bytes.length < alive.bytes.length);
});
