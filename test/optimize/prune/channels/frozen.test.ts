import test from 'ava';
import { channelClasses, removeChannels } from '../../../../src/optimize/prune/channels/index.ts';
import type { TfliteModel } from '../../../../src/tflite/index.ts';
import { Layers, type Result } from './operator-cases.ts';

const IMAGE = [1, 4, 4, 8];
const OPTIONS = { padding: 0, strideW: 1, strideH: 1 };

interface FrozenCase {
  readonly name: string;
  /** Of a convolution's image and the model's input, both IMAGE; `frozen` where it is not that image. */
  readonly make: (
    layers: Layers,
    x: Result,
    input: Result,
  ) => { readonly outputs: readonly Result[]; readonly frozen?: Result };
  /** Why each channel is frozen; undefined for one that is not. */
  readonly reasons: readonly (RegExp | undefined)[];
}

const all = (reason: RegExp | undefined): (RegExp | undefined)[] => Array(8).fill(reason);

/** The image goes into one operator, and what that makes into a layer. */
function through(
  name: string,
  reason: RegExp,
  make: (layers: Layers, x: Result) => Result,
): FrozenCase {
  return {
    name,
    make: (layers, x) => ({ outputs: [layers.reader(make(layers, x))] }),
    reasons: all(reason),
  };
}

const CASES: readonly FrozenCase[] = [
  {
    name: 'an output of the model',
    make: (layers, x) => ({ outputs: [x, layers.reader(x)] }),
    reasons: all(/^it is an output of the model$/),
  },
  {
    name: 'added to an input of the model',
    make: (layers, x, input) => ({
      outputs: [layers.reader(layers.operator('ADD', [x.index, input.index], IMAGE))],
    }),
    reasons: all(/^it is an input of the model$/),
  },
  through(
    'SOFTMAX over channels',
    /^operator 1 \(SOFTMAX\) needs all of the channels/,
    (layers, x) => layers.operator('SOFTMAX', [x.index], IMAGE, { beta: 1 }),
  ),
  through('a slice', /^operator 1 \(SLICE\) needs all/, (layers, x) => {
    const [begin, size] = [layers.control(0, 0, 0, 0), layers.control(1, 2, 4, 8)];
    return layers.operator('SLICE', [x.index, begin, size], [1, 2, 4, 8]);
  }),
  through('a mean over channels', /^operator 1 \(MEAN\) reduces over channels$/, (layers, x) =>
    layers.operator('MEAN', [x.index, layers.control(1, -1)], [1, 4]),
  ),
  through('channels beside channels', /^operator 1 \(PAD\) pads channels/, (layers, x) => {
    const pads = layers.builder.control([4, 2], [0, 0, 0, 0, 0, 0, 0, 1]);
    return layers.operator('PAD', [x.index, pads], [1, 4, 4, 9]);
  }),
  through(
    'a single channel for all',
    /tensor \d+ "t\d+" would have no channel left$/,
    (layers, x) => layers.operator('RESHAPE', [x.index, layers.control(128, 1)], [128, 1]),
  ),
  {
    name: 'a shape across channels',
    make: (layers, x) => {
      const frozen = layers.convolution(x, 6, 1);
      const cut = layers.operator('RESHAPE', [frozen.index, layers.control(24, 4)], [24, 4]);
      return { outputs: [layers.reader(cut)], frozen };
    },
    reasons: all(/^operator 2 \(RESHAPE\) cuts across channels$/).slice(0, 6),
  },
  {
    name: 'rows of weights across channels',
    make: (layers, x) => {
      const inputs = [x.index, layers.constant([3, 4]), -1];
      return { outputs: [layers.operator('FULLY_CONNECTED', inputs, [32, 3])] };
    },
    reasons: all(/^operator 1 \(FULLY_CONNECTED\) cuts across channels$/),
  },
  through('shared weights', /^operator 1 \(CONV_2D\) shares its weights$/, (layers, x) => {
    const shared = [layers.constant([8, 1, 1, 8]), layers.constant([8])];
    const one = layers.operator('CONV_2D', [x.index, ...shared], IMAGE, OPTIONS);
    return layers.operator('CONV_2D', [one.index, ...shared], IMAGE, OPTIONS);
  }),
  through(
    'a constant in two roles',
    /^operator 1 \(CONV_2D\) reads a constant that something else reads differently$/,
    (layers, x) => {
      const shared = layers.constant([8]);
      const inputs = [x.index, layers.constant([8, 1, 1, 8]), shared];
      const one = layers.operator('CONV_2D', inputs, IMAGE, OPTIONS);
      return layers.operator('MUL', [one.index, shared], IMAGE);
    },
  ),
  through('computed weights', /^operator 2 \(CONV_2D\) computes its weights/, (layers, x) => {
    const weights = layers.operator('EXP', [layers.constant([4, 1, 1, 8])], [4, 1, 1, 8]);
    const inputs = [x.index, weights.index, layers.constant([4])];
    return layers.operator('CONV_2D', inputs, [1, 4, 4, 4], OPTIONS);
  }),
  through('a computed bias', /^operator 2 \(CONV_2D\) computes its weights/, (layers, x) => {
    const bias = layers.operator('EXP', [layers.constant([4])], [4]);
    const inputs = [x.index, layers.constant([4, 1, 1, 8]), bias.index];
    return layers.operator('CONV_2D', inputs, [1, 4, 4, 4], OPTIONS);
  }),
  through('a computed operand', /^operator 1 \(EXP\) reads what has no channels$/, (layers, x) => {
    const factors = layers.operator('EXP', [layers.constant([8])], [8]);
    return layers.operator('MUL', [x.index, factors.index], IMAGE);
  }),
  {
    name: 'a channel that is spread over all',
    make: (layers, x, input) => {
      const frozen = layers.convolution(input, 1, 1);
      const scaled = layers.operator('MUL', [x.index, frozen.index], IMAGE);
      return { outputs: [layers.reader(scaled)], frozen };
    },
    reasons: [/^operator 2 \(MUL\) spreads it over all channels$/],
  },
  {
    name: 'nothing but what is spread over all',
    make: (layers, x, input) => {
      const scale = layers.convolution(input, 1, 1);
      const frozen = layers.operator('MUL', [layers.constant([8]), scale.index], IMAGE);
      return { outputs: [layers.reader(frozen), layers.reader(x)], frozen };
    },
    reasons: all(/^no weights compute it$/),
  },
  {
    name: 'the constant part of a CONCATENATION, and nothing beside it',
    make: (layers, x) => {
      const parts = [layers.constant([1, 4, 4, 2]), x.index, layers.constant([1, 4, 4, 1])];
      const frozen = layers.operator('CONCATENATION', parts, [1, 4, 4, 11], { axis: 3 });
      return { outputs: [layers.reader(frozen)], frozen };
    },
    reasons: Array.from({ length: 11 }, (_, channel) =>
      channel < 2 || channel === 10 ? /^operator 1 \(CONCATENATION\) fills it/ : undefined,
    ),
  },
  {
    name: 'nothing',
    make: (layers, x) => ({ outputs: [layers.reader(x)] }),
    reasons: all(undefined),
  },
];

function modelOf({ make }: FrozenCase): { model: TfliteModel; frozen: number } {
  const layers = new Layers();
  const input = { index: layers.builder.tensor(IMAGE), shape: IMAGE };
  const x = layers.convolution(input, 8, 3);
  const { outputs, frozen = x } = make(layers, x, input);
  const model = layers.builder.build(
    [input.index],
    outputs.map(({ index }) => index),
  );
  return { model, frozen: frozen.index };
}

for (const plan of CASES) {
  test(`frozen: ${plan.name}`, (t) => {
    const { model, frozen } = modelOf(plan);
    const partition = channelClasses(model, 'model');
    t.is(partition.graph.tensor(frozen).shape.at(-1), plan.reasons.length);
    for (const [channel, reason] of plan.reasons.entries()) {
      const found = partition.of(frozen, channel)!;
      if (reason === undefined) t.is(found.frozen, undefined);
      else {
        t.regex(found.frozen ?? '', reason);
        t.throws(() => removeChannels(model, 'a.tflite', [found]), {
          code: 'model-unsupported',
          message: /^a\.tflite: class \d+ has to stay: /,
        });
      }
    }
  });
}

test('frozen: what a signature names', (t) => {
  const { model, frozen } = modelOf(CASES.at(-1)!);
  const named: TfliteModel = {
    ...model,
    signatures: [{ key: 'k', subgraph: 0, inputs: [], outputs: [{ name: 'x', tensor: frozen }] }],
  };
  t.is(channelClasses(named, 'model').of(frozen, 0)!.frozen, 'a signature names it');
});

test('a scalar and what is tied to it', (t) => {
  const layers = new Layers();
  const input = { index: layers.builder.tensor([1, 8]), shape: [1, 8] };
  const x = layers.operator(
    'FULLY_CONNECTED',
    [input.index, layers.constant([1, 8]), layers.constant([1])],
    [1, 1],
  );
  const scalar = layers.operator('SQUEEZE', [x.index], []);
  const wide = layers.operator('MUL', [scalar.index, input.index], [1, 8]);
  const model = layers.builder.build([input.index], [wide.index]);
  const partition = channelClasses(model, 'model');
  t.is(partition.of(scalar.index, 0), undefined);
  t.regex(partition.of(x.index, 0)!.frozen!, /SQUEEZE\) makes what has no channels/);
});

test('classes of another model are refused', (t) => {
  const { model } = modelOf(CASES.at(-1)!);
  const other = modelOf(CASES[0]!).model;
  const { classes } = channelClasses(model, 'model');
  const taken = classes.filter(({ frozen }) => frozen === undefined).slice(0, 1);
  t.is(taken.length, 1);
  const shifted = taken.map((found) => ({ ...found, id: found.id + 1 }));
  for (const strange of [shifted, taken.map((found) => ({ ...found, id: 1e6 }))]) {
    t.throws(() => removeChannels(model, 'model', strange), { message: /none of its channels/ });
  }
  t.throws(() => removeChannels(other, 'model', taken), { code: 'model-unsupported' });
});
