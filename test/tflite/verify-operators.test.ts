import test from 'ava';
import type { DunlinError } from '../../src/core/index.ts';
import { MAX_ACTIVATION_BYTES, operatorSpec } from '../../src/tflite/index.ts';
import { encode, ModelBuilder } from './model-builder.ts';
import {
  type Change,
  changed,
  graph,
  type Refused,
  refusal,
  sample,
  set,
  tensor,
} from './refusal.ts';
import { sampleModels } from './sample-models.ts';

/** Other numbers in a constant of a sample, of the same count; constants are buffers from 1 on. */
const numbers =
  (buffer: number, ...values: number[]): Change =>
  (model) => {
    model.buffers[buffer] = encode('int32', values);
  };
const list =
  (value: number[]): Change =>
  (model) => {
    graph(model).operators[0]!.options['squeezeDims'] = value;
  };
const shape =
  (index: number, ...sizes: number[]): Change =>
  (model) => {
    tensor(model, index).shape = sizes;
  };
const rescale =
  (index: number): Change =>
  (model) => {
    tensor(model, index).quantization!.scale[0]! *= 1.000001;
  };

const malformed = (what: string, name: string, change: Change, message: RegExp): Refused => [
  what,
  name,
  change,
  'model-malformed',
  message,
];
const unsupported = (what: string, name: string, change: Change, message: RegExp): Refused => [
  what,
  name,
  change,
  'model-unsupported',
  message,
];

const LAYOUT: readonly Refused[] = [
  malformed('an order that repeats', 'TRANSPOSE float32', numbers(1, 0, 3, 3, 2), /order/),
  malformed('an order from the end', 'TRANSPOSE int8', numbers(1, 0, 3, 1, -2), /order/),
  malformed('an order out of range', 'TRANSPOSE int8', numbers(1, 0, 3, 1, 4), /order/),
  malformed('6 dimensions to turn', 'TRANSPOSE int8', shape(0, 1, 1, 1, 4, 6, 3), /6 dimensions/),
  malformed('a turn to another scale', 'TRANSPOSE int8', rescale(2), /must be equal/),
  malformed('the squeeze of more than 1', 'SQUEEZE int8', list([3]), /is not 1/),
  malformed('a squeeze out of range', 'SQUEEZE float32', list([-5]), /axis -5/),
  malformed('an axis past a new one', 'EXPAND_DIMS int8', numbers(1, 3), /axis 3/),
  malformed('a block that does not fit', 'SPACE_TO_DEPTH int8', set('blockSize', 3), /4 x 6/),
  malformed('a block of 0', 'SPACE_TO_DEPTH float32', set('blockSize', 0), /blockSize is 0/),
  malformed('too few channels', 'DEPTH_TO_SPACE int8', set('blockSize', 3), /8 channels/),
  malformed('a negative block', 'DEPTH_TO_SPACE int8', set('blockSize', -2), /blockSize is -2/),
  malformed('a batch block of 0', 'SPACE_TO_BATCH_ND int8', numbers(1, 0, 3), /blocks of/),
  malformed('an odd block', 'SPACE_TO_BATCH_ND float32', numbers(1, 3, 3), /4 in blocks of 3/),
  malformed('pads below 0', 'SPACE_TO_BATCH_ND int8', numbers(2, 0, 0, -1, 4), /negative/),
  malformed('a batch too small', 'BATCH_TO_SPACE_ND int8', numbers(1, 2, 4), /batch of 4/),
  malformed('crops of all', 'BATCH_TO_SPACE_ND float32', numbers(2, 2, 2, 1, 0), /crops/),
  malformed('crops below 0', 'BATCH_TO_SPACE_ND int8', numbers(2, -1, 2, 1, 0), /negative/),
  malformed('a reversal before the first', 'REVERSE_V2 int8', numbers(1, -5), /axis -5/),
  malformed('a reversal out of range', 'REVERSE_V2 float32', numbers(1, 4), /axis 4/),
  malformed('no repetition', 'TILE float32', numbers(1, 0, 3), /repetitions/),
  malformed('too few repetitions', 'TILE int8', shape(0, 1, 2, 3), /2 numbers for 3/),
  malformed(
    'a reflection of the edge',
    'MIRROR_PAD int8',
    numbers(1, 0, 0, 4, 1, 0, 2, 0, 0),
    /mirrored from 4/,
  ),
  malformed('a mirror mode of 2', 'MIRROR_PAD float32', set('mode', 2), /mode is 2/),
  malformed('a pad below 0', 'PADV2 int8', numbers(1, 0, 0, 1, -1, 0, 3, 0, 0), /negative/),
  malformed('a pad value of another scale', 'PADV2 int8', rescale(2), /must be equal/),
  malformed('a begin below 0', 'SLICE int8', numbers(1, 0, -1, 2, 0), /at -1/),
  malformed('a slice past the end', 'SLICE float32', numbers(2, 1, 4, -1, 3), /slice of 4/),
  malformed('an empty slice', 'SLICE int8', numbers(2, 1, 0, -1, 3), /slice of 0/),
  malformed('a slice size of -2', 'SLICE int8', numbers(2, 1, -2, -1, 3), /slice of -2/),
  malformed('an index past the end', 'GATHER float32', numbers(1, 6, 0, 0), /index 6 of 6/),
  malformed('an index below 0', 'GATHER int8', numbers(1, 5, -1, 0), /index -1 of 6/),
  malformed('an axis out of range', 'GATHER int8', set('axis', 4), /axis 4/),
  unsupported('a gather by batches', 'GATHER float32', set('batchDims', 1), /batchDims/),
  malformed('a count that lies', 'PACK int8', set('valuesCount', 3), /valuesCount/),
  malformed('a pack of two shapes', 'PACK float32', shape(1, 1, 4, 2), /beside/),
  malformed('a pack of two scales', 'PACK int8', rescale(1), /must be equal/),
  malformed('an axis before the first', 'PACK int8', set('axis', -5), /axis -5/),
  malformed('a num that lies', 'UNPACK int8', set('num', 3), /num 3/),
  malformed('another axis', 'UNPACK float32', set('axis', 1), /4 slices/),
  malformed('parts that are too much', 'SPLIT_V float32', numbers(1, 3, -1, 3), /parts/),
  malformed('parts that are too little', 'SPLIT_V int8', numbers(1, 1, 1, 1), /parts/),
  malformed('two open parts', 'SPLIT_V int8', numbers(1, 1, -1, -1), /parts/),
  malformed('a part below 0', 'SPLIT_V int8', numbers(1, -2, 6, 2), /parts/),
  malformed('a split count that lies', 'SPLIT_V int8', set('numSplits', 2), /numSplits 2/),
];

const ARITHMETIC: readonly Refused[] = [
  malformed('bounds of another scale', 'MAXIMUM int8', rescale(1), /must be equal/),
  malformed('shapes that do not fit', 'MINIMUM float32', shape(1, 1, 4, 6, 2), /go together/),
  malformed(
    '5 dimensions to compare',
    'MINIMUM float32',
    (m) => {
      for (const index of [0, 1, 2]) tensor(m, index).shape = [1, 1, 4, 6, 3];
    },
    /5 dimensions/,
  ),
  malformed('a maximum of another scale', 'REDUCE_MAX int8', rescale(2), /must be equal/),
  malformed('a dimension reduced twice', 'REDUCE_MAX float32', numbers(1, 1, -3), /twice/),
  malformed('a sum out of range', 'SUM float32', numbers(1, 0, 4), /axis 4/),
  unsupported(
    'a sum that wraps',
    'REDUCE_MAX int8',
    (m) => {
      m.operatorCodes[0] = { builtin: 'SUM', version: 2 };
    },
    /int8/,
  ),
  malformed('indices of another width', 'ARG_MAX int8', set('outputType', 4), /type number 4/),
  malformed('an index type of strings', 'ARG_MAX float32', set('outputType', 5), /number 5/),
  malformed('a largest of no axis', 'ARG_MAX float32', numbers(1, -5), /axis -5/),
  malformed('a running sum out of range', 'CUMSUM float32', numbers(1, 4), /axis 4/),
  malformed('slopes too many', 'PRELU float32', shape(0, 4, 6, 1), /slopes/),
  malformed(
    'slopes that overflow',
    'PRELU int8',
    (m) => {
      tensor(m, 1).quantization!.scale[0] = 2 ** 30;
    },
    /too far apart/,
  ),
  unsupported(
    'slopes that are computed',
    'PRELU float32',
    (m) => {
      m.buffers[1] = new Uint8Array(0);
      graph(m).inputs.push(1);
    },
    /computed/,
  ),
  malformed('a sum of two shapes', 'ADD_N float32', shape(2, 1, 4, 6, 1), /beside/),
  malformed(
    'a norm of another scale',
    'L2_NORMALIZATION int8',
    (m) => {
      tensor(m, 1).quantization!.scale[0] = 1 / 64;
    },
    /0\.0078125/,
  ),
  unsupported(
    'a norm with an activation',
    'L2_NORMALIZATION float32',
    set('fusedActivationFunction', 1),
    /fused activation/,
  ),
  malformed(
    'a logarithm of another scale',
    'LOG_SOFTMAX int8',
    (m) => {
      tensor(m, 1).quantization!.zeroPoint[0] = 0;
    },
    /0\.0625 and 127/,
  ),
  malformed('matrices that do not fit', 'BATCH_MATMUL float32', set('adjX', true), /rows of 4/),
  malformed('batches that do not fit', 'BATCH_MATMUL int8', shape(0, 3, 4, 5), /batches/),
  malformed('a vector', 'BATCH_MATMUL float32', shape(1, 5), /1 dimensions/),
  malformed('a cast that says otherwise', 'CAST float32', set('outDataType', 9), /outDataType 9/),
  malformed('a window of 0', 'L2_POOL_2D float32', set('filterHeight', 0), /window of 0/),
  unsupported('an unknown activation', 'DIV float32', set('fusedActivationFunction', 5), /5/),
  malformed(
    'int8 before its version',
    'GELU int8',
    (m) => {
      m.operatorCodes[0]!.version = 1;
    },
    /starts at version 2/,
  ),
];

for (const [what, name, change, code, message] of [...LAYOUT, ...ARITHMETIC]) {
  test(`${name.split(' ')[0]} refuses ${what}`, (t) => {
    const model = sample(name);
    t.is(refusal(model), undefined);
    const error = refusal(changed(model, change));
    t.is(error?.code, code, error?.message);
    t.regex(error?.message ?? '', message);
  });
}

test('what steers an operator must be constant', (t) => {
  let seen = 0;
  for (const { name, model } of sampleModels()) {
    const { operators } = model.subgraphs[0]!;
    const [code, ...more] = model.operatorCodes;
    if (more.length > 0 || operators.length !== 1) continue;
    for (const position of operatorSpec(code!.builtin)?.control ?? []) {
      const index = operators[0]!.inputs[position]!;
      const open = changed(model, (m) => {
        tensor(m, index).buffer = 0;
        graph(m).inputs.push(index);
      });
      t.regex(refusal(open)?.message ?? '', /known only at run time/, `${name}, input ${position}`);
      seen++;
    }
  }
  t.true(seen > 90);
});

test('the turned operands of matrix products count as memory, each for itself', (t) => {
  const size = 1024;
  const products = (count: number): DunlinError | undefined => {
    const b = new ModelBuilder();
    const input = b.tensor([1, size]);
    const weights = b.tensor([size, size], { data: new Uint8Array(4 * size * size) });
    const outputs = Array.from({ length: count }, () => b.tensor([1, size]));
    for (const output of outputs) b.operator('BATCH_MATMUL', [input, weights], [output]);
    return refusal(b.build([input], outputs));
  };
  t.is(products(1), undefined);
  t.is(products(MAX_ACTIVATION_BYTES / (4 * size * size))?.code, 'model-too-large');
});
