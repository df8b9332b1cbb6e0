import test from 'ava';
import { DunlinError } from '../../../src/core/index.ts';
import { type FloatModel, openFloatModel } from '../../../src/optimize/float-model.ts';
import { Network } from '../../../src/optimize/train/network.ts';
import {
  Graph,
  serializeModel,
  type TfliteModel,
  tensorTypeToNumber,
} from '../../../src/tflite/index.ts';
import { ModelBuilder } from '../../tflite/model-builder.ts';

const TANH = 4;
const numbers = (count: number): number[] => Array.from({ length: count }, (_, i) => i / count);

/** The verifier has a word of its own for some of what follows. */
function unverified(model: TfliteModel): FloatModel {
  const graph = new Graph(model, 'net.tflite');
  return { what: graph.what, model, graph, subgraph: graph.subgraph };
}

function refusalOf(model: TfliteModel): DunlinError {
  const float = unverified(model);
  try {
    new Network(float, 2);
  } catch (error) {
    if (error instanceof DunlinError) return error;
    throw error;
  }
  throw new Error('it is not refused');
}

/** Each by the layer that is named and the reason. */
function refused(): [TfliteModel, RegExp][] {
  const start = () => {
    const b = new ModelBuilder();
    return { b, input: b.tensor([1, 4]), output: b.tensor([1, 4]) };
  };
  const unknown = start();
  const exp = unknown.b.tensor([1, 4]);
  unknown.b.operator('RELU', [unknown.input], [exp]).operator('EXP', [exp], [unknown.output]);
  const computed = start();
  const [square, weights] = [computed.b.tensor([1, 16]), computed.b.tensor([4, 4])];
  const dense = computed.b.tensor([16, 4], { data: numbers(64) });
  computed.b
    .operator('FULLY_CONNECTED', [computed.input, dense, -1], [square])
    .operator('RESHAPE', [square, computed.b.control([2], [4, 4])], [weights])
    .operator('FULLY_CONNECTED', [computed.input, weights, -1], [computed.output]);
  const tanh = start();
  const term = tanh.b.tensor([4], { data: numbers(4) });
  tanh.b.operator('ADD', [tanh.input, term], [tanh.output], { fusedActivationFunction: TANH });
  const places = start();
  const index = places.b.tensor([1], { type: 'int32' });
  const outputType = tensorTypeToNumber('int32');
  places.b.operator('ARG_MAX', [places.input, places.b.control([], [1])], [index], { outputType });
  const constant = start();
  const [row, folded] = [
    constant.b.tensor([1, 4], { data: numbers(4) }),
    constant.b.tensor([1, 4]),
  ];
  const square4 = constant.b.tensor([4, 4], { data: numbers(16) });
  constant.b
    .operator('FULLY_CONNECTED', [row, square4, -1], [folded])
    .operator('ADD', [constant.input, folded], [constant.output]);
  const twice = start();
  const shared = twice.b.tensor([4, 4], { data: numbers(16) });
  const [wide, summed] = [twice.b.tensor([1, 4]), twice.b.tensor([4, 4])];
  twice.b
    .operator('FULLY_CONNECTED', [twice.input, shared, -1], [wide])
    .operator('ADD', [wide, shared], [summed]);
  const axes = new ModelBuilder();
  const [image, once, end] = [
    axes.tensor([1, 3, 3, 2]),
    axes.tensor([1, 3, 3, 2]),
    axes.tensor([1, 3, 3, 1]),
  ];
  const kernel = axes.tensor([1, 2, 2, 2], { data: numbers(8) });
  const [two, one] = [axes.tensor([2], { data: [0, 0] }), axes.tensor([1], { data: [0] })];
  const window = { padding: 0, strideW: 1, strideH: 1 };
  axes
    .operator('DEPTHWISE_CONV_2D', [image, kernel, two], [once], { ...window, depthMultiplier: 1 })
    .operator('CONV_2D', [once, kernel, one], [end], window);
  const grouped = new ModelBuilder();
  const [channels, group, mixed] = [
    grouped.tensor([1, 2, 2, 4]),
    grouped.tensor([2, 1, 1, 2], { data: numbers(4) }),
    grouped.tensor([1, 2, 2, 2]),
  ];
  const zeros = grouped.tensor([2], { data: [0, 0] });
  grouped.operator('CONV_2D', [channels, group, zeros], [mixed], window);
  return [
    [grouped.build([channels], [mixed]), /operator 0 \(CONV_2D\) .*grouped convolution/],
    [unknown.b.build([unknown.input], [unknown.output]), /operator 1 \(EXP\) .*no gradient/],
    [
      computed.b.build([computed.input], [computed.output]),
      /operator 2 \(FULLY_CONNECTED\) .*weights are computed/,
    ],
    [tanh.b.build([tanh.input], [tanh.output]), /operator 0 \(ADD\) .*fused activation/],
    [places.b.build([places.input], [index]), /operator 0 \(ARG_MAX\) .*no gradient/],
    [
      constant.b.build([constant.input], [constant.output]),
      /operator 0 \(FULLY_CONNECTED\) .*constant/,
    ],
    [
      twice.b.build([twice.input], [summed]),
      /operator 0 \(FULLY_CONNECTED\) .*read as values elsewhere/,
    ],
    [
      axes.build([image], [end]),
      /operator 1 \(CONV_2D\) .*other output channels in operator 0 \(DEPTHWISE_CONV_2D\)/,
    ],
  ];
}

test('what cannot be trained is refused by its name, with the way out', (t) => {
  for (const [model, reason] of refused()) {
    const { code, message } = refusalOf(model);
    t.is(code, 'model-unsupported');
    t.regex(message, /^net\.tflite: /);
    t.regex(message, reason);
    t.regex(message, /leave --finetune out/);
  }
});

test('a model that takes more memory than there is', (t) => {
  const b = new ModelBuilder();
  const [input, output] = [b.tensor([1, 64, 64, 8]), b.tensor([1, 64, 64, 8])];
  const model = b.operator('RELU', [input], [output]).build([input], [output]);
  const float = openFloatModel(serializeModel(model), 'net.tflite');
  const error = t.throws(() => new Network(float, 10_000), { instanceOf: DunlinError });
  t.is(error.code, 'model-too-large');
  t.regex(error.message, /^net\.tflite: .*leave --finetune out/);
});
