import test, { type ExecutionContext } from 'ava';
import { DunlinError, type ErrorCode } from '../../../src/core/index.ts';
import { compileModel, decodePlan, planOracle } from '../../../src/plan/index.ts';
import type { TfliteModel } from '../../../src/tflite/index.ts';
import { ModelBuilder } from '../../tflite/model-builder.ts';
import { plain } from '../../tflite/sample-plan.ts';
import { Int8Graph, type Weights, type Wire } from './int8-graph.ts';
import { compileCase, oracleProblem } from './random-model.ts';

const AFFINE = { scale: 0.05, zeroPoint: 3 };
const OUTPUT = { scale: 5, zeroPoint: -4 };
const SOFTMAX = { scale: 1 / 256, zeroPoint: -128 };
const WINDOW = {
  ...{ padding: 1, strideH: 1, strideW: 1, dilationHFactor: 1, dilationWFactor: 1 },
  fusedActivationFunction: 0,
};

function refused(
  t: ExecutionContext,
  model: TfliteModel,
  message: RegExp,
  code: ErrorCode = 'model-unsupported',
): void {
  const error = t.throws(() => compileModel(model, 'CORTEX_M4', 'm.tflite'), {
    instanceOf: DunlinError,
  });
  t.is(error.code, code);
  t.regex(error.message, message);
}

function ones(channels: number, ...rest: number[]): Weights {
  const shape = [channels, ...rest];
  const count = shape.reduce((product, size) => product * size, 1);
  const bias = new Array<number>(channels).fill(7);
  return { shape, axis: 0, values: new Int8Array(count).fill(1), bias, scales: [0.01] };
}

type Make = (graph: Int8Graph) => Wire;

const made = (make: Make): TfliteModel => {
  const graph = new Int8Graph(1);
  make(graph);
  return graph.model();
};

test('an operator that no plan has is named, and those that there are', (t) => {
  const shape = [1, 4, 6, 3];
  const model = plain({ operator: 'HARD_SWISH', type: 'int8', inputs: [shape], outputs: [shape] });
  refused(
    t,
    model,
    /^m\.tflite: operator 0 \(HARD_SWISH\): no execution plan.*ADD, AVERAGE_POOL_2D.*TANH$/,
  );
});

test('models of other types are refused with the tensor and the remedy', (t) => {
  const shape = [1, 4, 6, 3];
  for (const type of ['float32', 'uint8'] as const) {
    const model = plain({ operator: 'RELU', type, inputs: [shape], outputs: [shape] });
    refused(
      t,
      model,
      new RegExp(`^m\\.tflite: input or output tensor 0 \\("t0"\\) is ${type}; .*dunlin optimize`),
    );
  }
});

test('weights that are computed are refused', (t) => {
  const b = new ModelBuilder();
  const activation = (shape: number[], scale: number) =>
    b.tensor(shape, { type: 'int8', scale: [scale], zeroPoint: 0 });
  const [input, weights, output] = [
    activation([1, 4], 0.1),
    activation([3, 4], 0.01),
    activation([1, 3], 0.1),
  ];
  const model = b
    .operator('FULLY_CONNECTED', [input, weights, -1], [output])
    .build([input, weights], [output]);
  refused(t, model, /operator 0 \(FULLY_CONNECTED\).*weights that are computed/);
});

test('a mean over dimensions apart is refused with the dimensions', (t) => {
  const model = made((graph) => {
    const input = graph.input([2, 3, 4, 5], AFFINE);
    return graph.operator('MEAN', [input, graph.control(0, 2)], [3, 5], AFFINE);
  });
  refused(t, model, /operator 0 \(MEAN\): a mean over dimensions \[0, 2\], which do not lie side/);
});

const CONV = (graph: Int8Graph, shape: number[], kernel: [number, number], options = {}): Wire => {
  const input = graph.input([1, ...shape, 1], AFFINE);
  const all = { ...WINDOW, ...options };
  const along = (axis: 0 | 1, stride: number): number =>
    Math.floor((shape[axis]! + stride - kernel[axis]) / stride);
  const size = [1, along(0, all.strideH), along(1, all.strideW), 1];
  return graph.weighted('CONV_2D', input, ones(1, ...kernel, 1), size, OUTPUT, all);
};

/** What the format's fields hold: the most is compiled, one more is refused. */
const SIZES: readonly (readonly [
  name: string,
  most: number,
  make: (size: number) => Make,
  says: string,
])[] = [
  ['kernel_w', 255, (size) => (graph) => CONV(graph, [1, 300], [1, size]), 'kernelW is 256'],
  ['kernel_h', 255, (size) => (graph) => CONV(graph, [300, 1], [size, 1]), 'kernelH is 256'],
  [
    'stride_w',
    255,
    (size) => (graph) => CONV(graph, [1, 300], [1, 2], { strideW: size }),
    'strideW is 256',
  ],
  ['in_w', 65535, (size) => (graph) => CONV(graph, [1, size], [1, 2]), 'inW is 65536'],
  [
    'in_c of a fully connected layer',
    65535,
    (size) => (graph) =>
      graph.weighted(
        ...(['FULLY_CONNECTED', graph.input([1, size], AFFINE), ones(1, size)] as const),
        ...([[1, 1], { scale: 400, zeroPoint: 0 }, { fusedActivationFunction: 0 }] as const),
      ),
    'inC is 65536',
  ],
  [
    'rows of a fully connected layer',
    65535,
    (size) => (graph) =>
      graph.weighted(
        ...(['FULLY_CONNECTED', graph.input([size, 1], AFFINE), ones(1, 1)] as const),
        ...([[size, 1], AFFINE, { fusedActivationFunction: 0 }] as const),
      ),
    'batches is 65536',
  ],
];

for (const [name, most, make, says] of SIZES) {
  test(`${name}: ${most} is compiled, ${most + 1} is refused`, (t) => {
    t.is(oracleProblem(compileCase(made(make(most)), 1, 1)), undefined);
    const label = String.raw`^m\.tflite: operator 0 \((CONV_2D|FULLY_CONNECTED)\): `;
    refused(t, made(make(most + 1)), new RegExp(`${label}${says}; a plan holds up to ${most}$`));
  });
}

const softmax = (depth: number): TfliteModel =>
  made((graph) => {
    const input = graph.input([2, depth], AFFINE);
    return graph.operator('SOFTMAX', [input], input.shape, SOFTMAX, { beta: 1 });
  });

/** 511 equal values sum up to less than 2^28, and the reference's shift stays below 32. */
test('a softmax is exact over 511 values, also if all are equal, and compiled over 1,001', (t) => {
  const model = softmax(511);
  t.is(oracleProblem(compileCase(model, 2, 1)), undefined);
  const oracle = planOracle(decodePlan(compileModel(model, 'NATIVE', 'm').bytes, 'm'));
  for (const value of [-128, 3, 127]) {
    const [output] = oracle.run([new Int8Array(2 * 511).fill(value)]);
    // 256 / 511 rounds to 1 of 256.
    t.true(output!.every((probability) => probability === -127));
  }
  t.is(oracleProblem(compileCase(softmax(1001), 2, 1)), undefined);
});

test('a softmax of scales past the fixed-point range is what the reference makes of it', (t) => {
  for (const scale of [31.9, 32, 40, 2000]) {
    const model = made((graph) => {
      const input = graph.input([3, 9], { scale, zeroPoint: 0 });
      return graph.operator('SOFTMAX', [input], input.shape, SOFTMAX, { beta: 1 });
    });
    t.is(oracleProblem(compileCase(model, 3, 1)), undefined);
  }
});

test('a model that contradicts itself is refused as everywhere', (t) => {
  const model = structuredClone(softmax(3)) as { subgraphs: { inputs: number[] }[] };
  model.subgraphs[0]!.inputs[0] = 99;
  refused(t, model as TfliteModel, /tensor 99/, 'model-malformed');
});
