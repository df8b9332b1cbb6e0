import type { Graph, TfliteOperator } from '../../../tflite/index.ts';
import { int8Scheme } from '../../quantize/int8-schemes.ts';
import type { ConstantRoles } from './constant-roles.ts';
import { channelsOf } from './disjoint-channels.ts';

/** Channels of an input that stand and fall with channels of the output: pair `at` of `count`. Tensors by index. */
export interface Tie {
  readonly input: number;
  readonly output: number;
  readonly count: number;
  readonly inputOf: (at: number) => number;
  readonly outputOf: (at: number) => number;
}

/** Channels that have to stay, `count` of them from `first` on. */
export interface FixedRange {
  readonly tensor: number;
  readonly first: number;
  readonly count: number;
  readonly reason: string;
}

/** An operator with weights; tensors by index. */
export interface Layer {
  readonly input: number;
  readonly output: number;
  readonly weights: number;
  /** -1 without one. */
  readonly bias: number;
  readonly weightsPosition: number;
  readonly biasPosition: number;
  /** Dimension of the weights that output channels lie along. */
  readonly channelAxis: number;
}

/** How an operator goes through channels, which are the last dimension of a tensor. */
export type ChannelFlow =
  /** Output channels are made of those that they are tied to; `operands`: positions of constants cut with them. */
  | {
      readonly kind: 'kept';
      readonly ties: readonly Tie[];
      readonly operands: readonly number[];
      readonly fixed: readonly FixedRange[];
    }
  /** Each input channel has filters of its own; weights are [1, h, w, in x multiplier]. */
  | { readonly kind: 'depthwise'; readonly tie: Tie; readonly layer: Layer }
  /** Every output channel is made of all of the input's by a row of weights [out, …, in]. */
  | { readonly kind: 'mixed'; readonly layer: Layer }
  /** It has to do with places as well: no channel on either side may go. The reason follows the operator's name. */
  | { readonly kind: 'fixed'; readonly reason: string };

type Rule = (graph: Graph, operator: TfliteOperator) => ChannelFlow;

const fixed = (reason: string): ChannelFlow => ({ kind: 'fixed', reason });
const kept = (...ties: readonly Tie[]): ChannelFlow => ({
  kind: 'kept',
  ties,
  operands: [],
  fixed: [],
});
const itself = (at: number): number => at;

function sameTie(graph: Graph, input: number, output: number): Tie {
  const count = channelsOf(graph.tensor(input));
  return { input, output, count, inputOf: itself, outputOf: itself };
}

/** One channel in, the same channel out. */
const unary: Rule = (graph, { inputs, outputs }) => kept(sameTie(graph, inputs[0]!, outputs[0]!));

/** Operands of one number or of one channel are spread over all channels. */
const elementwise: Rule = (graph, { inputs, outputs }) => {
  const output = outputs[0]!;
  const channels = channelsOf(graph.tensor(output));
  const ties: Tie[] = [];
  const operands: number[] = [];
  const spread: FixedRange[] = [];
  for (const [position, index] of inputs.entries()) {
    const tensor = graph.tensor(index);
    const own = channelsOf(tensor);
    if (graph.isConstant(tensor)) {
      if (own === channels && tensor.shape.length > 0) operands.push(position);
    } else if (own === channels) {
      ties.push(sameTie(graph, index, output));
    } else {
      const reason = 'spreads it over all channels';
      spread.push({ tensor: index, first: 0, count: own, reason });
    }
  }
  return { kind: 'kept', ties, operands, fixed: spread };
};

const padded: Rule = (graph, operator) => {
  const pads = graph.values(graph.tensor(operator.inputs[1]!));
  return pads.slice(-2).every((pad) => pad === 0)
    ? unary(graph, operator)
    : fixed('pads channels with channels');
};

const reduced: Rule = (graph, operator) => {
  const rank = graph.tensor(operator.inputs[0]!).shape.length;
  const axes = graph.values(graph.tensor(operator.inputs[1]!));
  return axes.some((axis) => axis === -1 || axis === rank - 1)
    ? fixed('reduces over channels')
    : unary(graph, operator);
};

/** Along channels one input lies after the other; along another dimension they share their channels. */
const concatenated: Rule = (graph, operator) => {
  const { inputs, outputs, options } = operator;
  const output = outputs[0]!;
  const rank = graph.tensor(output).shape.length;
  const axis = Number(options['axis']);
  if (axis !== -1 && axis !== rank - 1) return elementwise(graph, operator);
  const ties: Tie[] = [];
  const constants: FixedRange[] = [];
  let first = 0;
  for (const index of inputs) {
    const from = first;
    const tie = sameTie(graph, index, output);
    if (graph.isConstant(graph.tensor(index))) {
      const reason = 'fills it from a constant';
      constants.push({ tensor: output, first, count: tie.count, reason });
    } else {
      ties.push({ ...tie, outputOf: (at) => from + at });
    }
    first += tie.count;
  }
  return { kind: 'kept', ties, operands: [], fixed: constants };
};

/** Values keep their order: rows of channels are put side by side, or taken apart, or are cut across. */
const reshaped: Rule = (graph, { inputs, outputs }) => {
  const [input, output] = [inputs[0]!, outputs[0]!];
  const [from, to] = [channelsOf(graph.tensor(input)), channelsOf(graph.tensor(output))];
  if (to % from === 0) {
    return kept({ input, output, count: to, inputOf: (at) => at % from, outputOf: itself });
  }
  if (from % to === 0) {
    return kept({ input, output, count: from, inputOf: itself, outputOf: (at) => at % to });
  }
  return fixed('cuts across channels');
};

function layerOf(graph: Graph, operator: TfliteOperator): Layer | string {
  const scheme = int8Scheme(graph.code(operator).builtin)!;
  const { position, biasPosition, channelAxis } = scheme.weights!;
  const input = operator.inputs[scheme.activations[0] as number]!;
  const weights = operator.inputs[position]!;
  const bias = operator.inputs[biasPosition] ?? -1;
  const computed = [weights, bias].some(
    (index) => index !== -1 && !graph.isConstant(graph.tensor(index)),
  );
  if (computed) return 'computes its weights or its bias';
  if (graph.isConstant(graph.tensor(input))) return 'reads a constant';
  const output = operator.outputs[0]!;
  return {
    ...{ input, output, weights, bias, channelAxis },
    ...{ weightsPosition: position, biasPosition },
  };
}

const mixed: Rule = (graph, operator) => {
  const layer = layerOf(graph, operator);
  if (typeof layer === 'string') return fixed(layer);
  // FULLY_CONNECTED takes the values of an input in rows of its own length.
  const depth = channelsOf(graph.tensor(layer.weights));
  return depth % channelsOf(graph.tensor(layer.input)) === 0
    ? { kind: 'mixed', layer }
    : fixed('cuts across channels');
};

const depthwise: Rule = (graph, operator) => {
  const layer = layerOf(graph, operator);
  if (typeof layer === 'string') return fixed(layer);
  const { input, output } = layer;
  const count = channelsOf(graph.tensor(output));
  const multiplier = count / channelsOf(graph.tensor(input));
  const inputOf = (at: number): number => Math.floor(at / multiplier);
  return {
    kind: 'depthwise',
    layer,
    tie: { input, output, count, inputOf, outputOf: itself },
  };
};

const named = (rule: Rule, names: string): [string, Rule][] =>
  names.split(' ').map((name) => [name, rule]);

const RULES: ReadonlyMap<string, Rule> = new Map([
  ...named(unary, 'RELU RELU6 RELU_N1_TO_1 LEAKY_RELU ELU GELU HARD_SWISH LOGISTIC TANH'),
  ...named(unary, 'ABS NEG EXP LOG SQRT RSQRT SIN COS SQUARE FLOOR ROUND CEIL'),
  ...named(unary, 'QUANTIZE DEQUANTIZE CAST'),
  ...named(unary, 'AVERAGE_POOL_2D MAX_POOL_2D L2_POOL_2D RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR'),
  ...named(padded, 'PAD PADV2 MIRROR_PAD'),
  ...named(reduced, 'MEAN SUM REDUCE_MAX REDUCE_MIN'),
  ...named(elementwise, 'ADD SUB MUL DIV POW MAXIMUM MINIMUM SQUARED_DIFFERENCE PRELU ADD_N'),
  ...named(concatenated, 'CONCATENATION'),
  ...named(reshaped, 'RESHAPE SQUEEZE EXPAND_DIMS'),
  ...named(depthwise, 'DEPTHWISE_CONV_2D'),
  ...named(mixed, 'CONV_2D FULLY_CONNECTED TRANSPOSE_CONV'),
]);

/** What an operator of a verified model does with channels; operators without a rule need all that they read. */
export function channelFlow(
  graph: Graph,
  operator: TfliteOperator,
  roles: ConstantRoles,
): ChannelFlow {
  const rule = RULES.get(graph.code(operator).builtin);
  if (rule === undefined) return fixed('needs all of the channels that it reads');
  const obstacle = roles.obstacle(operator);
  return obstacle === undefined ? rule(graph, operator) : fixed(obstacle);
}
