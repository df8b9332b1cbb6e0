import test from 'ava';
import { DunlinError } from '../../src/core/index.ts';
import {
  MAX_ACTIVATION_BYTES,
  MAX_TENSOR_BYTES,
  parseModel,
  verifyModel,
} from '../../src/tflite/index.ts';
import { sharedModel } from '../shared-folder.ts';
import { changed, graph, type Refused, refusal, sample, set, tensor } from './refusal.ts';
import { smallNetwork, svdfModel } from './sample-models.ts';

const REFUSED: readonly Refused[] = [
  [
    'a graph input of -1',
    'network',
    (m) => graph(m).inputs.fill(-1),
    'model-malformed',
    /tensor -1/,
  ],
  ['an output out of range', 'network', (m) => graph(m).outputs.fill(99), 'model-malformed', /99/],
  [
    'an operator input out of range',
    'network',
    (m) => graph(m).operators[0]!.inputs.fill(50),
    'model-malformed',
    /tensor 50/,
  ],
  [
    'a buffer out of range',
    'network',
    (m) => {
      tensor(m, 1).buffer = 99;
    },
    'model-malformed',
    /buffer 99/,
  ],
  [
    'metadata out of range',
    'network',
    (m) => m.metadata.push({ name: 'x', buffer: 99 }),
    'model-malformed',
    /buffer 99/,
  ],
  [
    'a buffer too short for its shape',
    'network',
    (m) => {
      m.buffers[1] = new Uint8Array(17);
    },
    'model-malformed',
    /needs 18 bytes and has 17/,
  ],
  [
    'a batch of 2e9',
    'network',
    (m) => {
      tensor(m, 0).shape[0] = 2e9;
    },
    'model-too-large',
    new RegExp(`${MAX_TENSOR_BYTES}`),
  ],
  [
    'a dimension of 0',
    'network',
    (m) => {
      tensor(m, 0).shape[0] = 0;
    },
    'model-malformed',
    /at least 1/,
  ],
  [
    'an open dimension',
    'network',
    (m) => {
      tensor(m, 0).shape[0] = -1;
    },
    'model-malformed',
    /fixed/,
  ],
  [
    'operators out of order',
    'network',
    (m) => graph(m).operators.reverse(),
    'model-malformed',
    /before it is there/,
  ],
  [
    'two producers',
    'network',
    (m) => graph(m).operators.push(graph(m).operators[3]!),
    'model-malformed',
    /over/,
  ],
  [
    'an output nobody writes',
    'network',
    (m) => graph(m).operators.pop(),
    'model-malformed',
    /depends on no input/,
  ],
  [
    'an operator whose result nobody uses',
    'network',
    (m) => {
      graph(m).outputs = [6];
    },
    'model-malformed',
    /nothing uses the result/,
  ],
  [
    'an output that is constant',
    'dense float16',
    (m) => graph(m).outputs.push(2),
    'model-malformed',
    /depends on no input/,
  ],
  [
    'a constant as the graph input',
    'network',
    (m) => {
      graph(m).inputs = [1];
    },
    'model-malformed',
    /input twice/,
  ],
  [
    'no inputs',
    'network',
    (m) => {
      graph(m).inputs = [];
    },
    'model-malformed',
    /at least one/,
  ],
  [
    'two graphs',
    'network',
    (m) => m.subgraphs.push(m.subgraphs[0]!),
    'model-unsupported',
    /2 graphs/,
  ],
  [
    'an operator outside the table',
    'network',
    (m) => {
      m.operatorCodes[0]!.builtin = 'LSTM';
    },
    'model-unsupported',
    /LSTM/,
  ],
  [
    'a custom operator',
    'network',
    (m) => {
      m.operatorCodes[0] = { builtin: 'CUSTOM', customCode: 'Evil\nOp', version: 1 };
    },
    'model-unsupported',
    /Evil Op/,
  ],
  [
    'a version of the future',
    'network',
    (m) => {
      m.operatorCodes[0]!.version = 6;
    },
    'model-unsupported',
    /CONV_2D of version 6/,
  ],
  [
    'int8 at version 1',
    'network',
    (m) => {
      m.operatorCodes[0]!.version = 1;
    },
    'model-malformed',
    /starts at version 3/,
  ],
  [
    'a zero scale',
    'network',
    (m) => {
      tensor(m, 1).quantization!.scale[0] = 0;
    },
    'model-malformed',
    /a scale of 0/,
  ],
  [
    'a scale that is no number',
    'network',
    (m) => {
      tensor(m, 1).quantization!.scale[0] = Number.NaN;
    },
    'model-malformed',
    /NaN/,
  ],
  [
    'a zero point out of range',
    'network',
    (m) => {
      tensor(m, 0).quantization!.zeroPoint[0] = 200;
    },
    'model-malformed',
    /200 is no int8/,
  ],
  [
    'weights with a zero point',
    'network',
    (m) => {
      tensor(m, 1).quantization!.zeroPoint[0] = 1;
    },
    'model-malformed',
    /zero point other than 0/,
  ],
  [
    'a weight of -128',
    'network',
    (m) => {
      m.buffers[1]![4] = 0x80;
    },
    'model-malformed',
    /-128/,
  ],
  [
    'a bias of another scale',
    'network',
    (m) => {
      tensor(m, 2).quantization!.scale[0]! *= 1.01;
    },
    'model-malformed',
    /bias scale/,
  ],
  [
    'activations without a scale',
    'network',
    (m) => {
      delete tensor(m, 0).quantization;
    },
    'model-malformed',
    /without a scale/,
  ],
  [
    'a reshape to another scale',
    'network',
    (m) => {
      tensor(m, 4).quantization!.scale[0] = 0.06;
    },
    'model-malformed',
    /must be equal/,
  ],
  [
    'a softmax of another scale',
    'network',
    (m) => {
      tensor(m, 7).quantization!.scale[0] = 0.01;
    },
    'model-malformed',
    /0\.00390625/,
  ],
  [
    'a shape that disagrees',
    'network',
    (m) => {
      tensor(m, 3).shape[1] = 4;
    },
    'model-malformed',
    /the runtime computes \[1,3,3,2\]/,
  ],
  [
    'options left out',
    'network',
    (m) => {
      graph(m).operators[0]!.options = {};
    },
    'model-malformed',
    /options are missing/,
  ],
  [
    'per-channel dense weights',
    'dense int8',
    (m) => {
      Object.assign(tensor(m, 1).quantization!, {
        scale: Array(5).fill(1),
        zeroPoint: Array(5).fill(0),
      });
    },
    'model-unsupported',
    /per-channel/,
  ],
  [
    'depthwise scales along dimension 0',
    'depthwise int8',
    (m) => {
      tensor(m, 1).quantization!.axis = 0;
    },
    'model-malformed',
    /scales along dimension 0/,
  ],
  ['a stride of 0', 'conv int8', set('strideH', 0), 'model-malformed', /strideH is 0/],
  ['a huge stride', 'conv float32', set('strideW', 2 ** 30), 'model-malformed', /strideW/],
  [
    'a dilation of 0',
    'conv float32',
    set('dilationWFactor', 0),
    'model-malformed',
    /dilationWFactor is 0/,
  ],
  ['a padding of 7', 'conv float32', set('padding', 7), 'model-malformed', /padding is 7/],
  [
    'an activation without a kernel',
    'conv float32',
    set('fusedActivationFunction', 5),
    'model-unsupported',
    /activation 5/,
  ],
  ['a pool of 0', 'MAX_POOL_2D int8', set('filterWidth', 0), 'model-malformed', /window of 0/],
  [
    'a depth multiplier that lies',
    'depthwise int8',
    set('depthMultiplier', 3),
    'model-malformed',
    /depth multiplier 3/,
  ],
  [
    'a convolution without bias',
    'conv float32',
    (m) => graph(m).operators[0]!.inputs.pop(),
    'model-malformed',
    /2 inputs/,
  ],
  ['an axis out of range', 'CONCATENATION float32', set('axis', 4), 'model-malformed', /axis 4/],
  ['a beta of 0', 'SOFTMAX int8', set('beta', 0), 'model-malformed', /beta is 0/],
  [
    'scales that overflow an addition',
    'ADD int8',
    (m) => {
      tensor(m, 0).quantization!.scale[0] = 1e6;
    },
    'model-malformed',
    /far too small/,
  ],
  [
    'padding known at run time',
    'PAD float32',
    (m) => {
      m.buffers[1] = new Uint8Array(0);
      graph(m).inputs.push(1);
    },
    'model-unsupported',
    /run time/,
  ],
];

for (const [what, name, change, code, message] of REFUSED) {
  test(`refuses ${what}`, (t) => {
    const model = sample(name);
    t.is(refusal(model), undefined);
    const error = refusal(changed(model, change));
    t.is(error?.code, code, error?.message);
    t.regex(error?.message ?? '', message);
    t.regex(error?.message ?? '', /^m\.tflite: [^\n]+$/);
  });
}

test('a name out of the file cannot break the one line of an error', (t) => {
  const model = changed(smallNetwork(), (m) => {
    tensor(m, 3).name = 'a\nb\u001b[2J\u202ec';
    tensor(m, 3).shape = [0];
  });
  t.regex(refusal(model)?.message ?? '', /^m\.tflite: tensor 3 "a b \[2J c" has shape/);
});

test('many small tensors are refused for their sum', (t) => {
  const model = changed(smallNetwork(), (m) => {
    const big = { ...tensor(m, 0), shape: [1, MAX_TENSOR_BYTES], buffer: 0 };
    for (let left = MAX_ACTIVATION_BYTES / MAX_TENSOR_BYTES; left > 0; left--) {
      graph(m).tensors.push(big);
    }
  });
  t.is(refusal(model)?.code, 'model-too-large');
});

test('SVDF runs with int16 state, and is refused with the int8 state that corrupts memory', (t) => {
  t.is(refusal(svdfModel('int8', 'int16')), undefined);
  const error = refusal(svdfModel('int8', 'int8'));
  t.is(error?.code, 'model-unsupported');
  t.regex(error?.message ?? '', /SVDF.*int8 state/);
});

test('the reference model that corrupts the heap of the runtime is refused by name', (t) => {
  const file = 'keyword_scrambled_8bit.tflite';
  const bytes = sharedModel(t, file);
  if (bytes === undefined) return;
  const error = t.throws(() => verifyModel(parseModel(bytes, file), file), {
    instanceOf: DunlinError,
  });
  t.is(error.code, 'model-unsupported');
  t.regex(error.message, /SVDF.*int8 state/);
});
