import { integerRange, operatorSpec, type TfliteOperator } from '../../../tflite/index.ts';
import type { ChannelPartition } from './channel-classes.ts';
import type { ChannelFlow } from './channel-flow.ts';
import { channelsOf } from './disjoint-channels.ts';
import { type RealConstant, realConstant } from './real-constant.ts';
import { type LayerFlow, weightPlaces } from './weight-places.ts';

/** ActivationFunctionType of schema.fbs: those that make zero of all that is negative. */
const RELU = 1;
const RELU6 = 3;

/**
 * Operators that make exactly zero of nothing but zeros. In float32 that is their definition. In integers a zero is the
 * zero point: kernels subtract the input's, rescale what is left, 0 to 0, and add the output's; pools, paddings,
 * interpolation and what moves values give the zero point that they read, which is the output's own; tables
 * (TANH, ELU, GELU) are filled from the real function. Fused activations all hold 0. Not LOGISTIC, EXP or COS, which
 * make something of zero; not DIV, where it may be divided by; not CAST, which leaves reals.
 */
const ZERO_OF_ZEROS = new Set(
  `RELU RELU6 RELU_N1_TO_1 LEAKY_RELU ELU GELU HARD_SWISH TANH ABS NEG SQRT SIN SQUARE FLOOR ROUND CEIL QUANTIZE
DEQUANTIZE AVERAGE_POOL_2D MAX_POOL_2D L2_POOL_2D RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR PAD PADV2 MIRROR_PAD MEAN
SUM REDUCE_MAX REDUCE_MIN ADD SUB MAXIMUM MINIMUM SQUARED_DIFFERENCE ADD_N CONCATENATION RESHAPE SQUEEZE
EXPAND_DIMS`.split(/\s+/),
);
/** One operand that is zero is enough. */
const ZERO_OF_ANY = new Set(['MUL', 'PRELU']);

/**
 * Which channels are exactly zero at every place for every input, as far as that is certain: a row of weights that are
 * zero, or that read nothing but zeros, whose bias comes out as zero; and what operators make of such channels that
 * keep a zero a zero. Activations are taken to be finite numbers, as everywhere in the optimizer.
 * @returns 1 for each such channel, by its number in `partition.elements`
 */
export function zeroChannels(partition: ChannelPartition): Uint8Array {
  const scan = new ZeroScan(partition);
  for (const [place, flow] of partition.flows.entries()) scan.follow(place, flow);
  return scan.zero;
}

class ZeroScan {
  readonly zero: Uint8Array;
  readonly #partition: ChannelPartition;
  readonly #constants = new Map<number, RealConstant>();

  constructor(partition: ChannelPartition) {
    this.#partition = partition;
    this.zero = new Uint8Array(partition.elements.count);
  }

  /** The graph is in order of execution: what an operator reads has been followed before. */
  follow(place: number, flow: ChannelFlow): void {
    const { graph, elements } = this.#partition;
    const operator = graph.subgraph.operators[place]!;
    const output = operator.outputs[0]!;
    if (flow.kind === 'fixed' || !elements.has(output)) return;
    const zeros =
      flow.kind === 'kept' ? this.#ofOperator(operator, flow) : this.#ofLayer(operator, flow);
    for (const [channel, isZero] of zeros.entries()) {
      if (isZero) this.zero[elements.element(output, channel)] = 1;
    }
  }

  #isZero(tensor: number, channel: number): boolean {
    const { elements } = this.#partition;
    return elements.has(tensor) && this.zero[elements.element(tensor, channel)] === 1;
  }

  #constant(index: number): RealConstant {
    const found = this.#constants.get(index) ?? realConstant(this.#partition.graph, index);
    this.#constants.set(index, found);
    return found;
  }

  #ofLayer(operator: TfliteOperator, flow: LayerFlow): boolean[] {
    const { graph } = this.#partition;
    const { input, output, weights, bias } = flow.layer;
    const zeros = new Array<boolean>(channelsOf(graph.tensor(output))).fill(true);
    const values = realConstant(graph, weights);
    const { outputOf, inputOf } = weightPlaces(graph, flow);
    for (let index = 0; index < values.length; index++) {
      if (values.isZero(index)) continue;
      // 0 x infinity is no zero.
      const silent = Number.isFinite(values.at(index)) && this.#isZero(input, inputOf(index));
      if (!silent) zeros[outputOf(index)] = false;
    }
    if (bias === -1) return zeros;
    const added = graph.values(graph.tensor(bias));
    return zeros.map((isZero, channel) => isZero && this.#endsInZero(operator, added[channel]!));
  }

  /**
   * Whether a sum of nothing but its bias comes out as exactly zero. Rescaling an integer that is negative gives none
   * that is positive, so that it ends at the zero point where the activation, or the type, begins there.
   */
  #endsInZero({ options, outputs }: TfliteOperator, bias: number): boolean {
    if (!(bias < 0)) return bias === 0;
    const activation = options['fusedActivationFunction'];
    if (activation === RELU || activation === RELU6) return true;
    const { type, quantization } = this.#partition.graph.tensor(outputs[0]!);
    const least = integerRange(type)?.[0];
    return least !== undefined && quantization?.zeroPoint[0] === least;
  }

  #ofOperator(
    operator: TfliteOperator,
    flow: Extract<ChannelFlow, { kind: 'kept' }>,
  ): readonly boolean[] {
    const { graph } = this.#partition;
    const { builtin } = graph.code(operator);
    const channels = channelsOf(graph.tensor(operator.outputs[0]!));
    const never = new Array<boolean>(channels).fill(false);
    if (ZERO_OF_ANY.has(builtin))
      return never.map((_, channel) => this.#product(operator, channel));
    if (!ZERO_OF_ZEROS.has(builtin) || !this.#isExact(operator)) return never;
    const tied = new Uint8Array(channels);
    const loud = new Uint8Array(channels);
    for (const { input, count, inputOf, outputOf } of flow.ties) {
      for (let at = 0; at < count; at++) {
        tied[outputOf(at)] = 1;
        if (!this.#isZero(input, inputOf(at))) loud[outputOf(at)] = 1;
      }
    }
    const others = this.#untied(operator, flow);
    return never.map(
      (_, channel) =>
        tied[channel] === 1 &&
        loud[channel] === 0 &&
        others.every((index) => this.#operandIsZero(index, channel, channels)),
    );
  }

  /** Constants, and what is spread over all channels. */
  #untied(
    operator: TfliteOperator,
    { ties }: Extract<ChannelFlow, { kind: 'kept' }>,
  ): readonly number[] {
    const { control = [] } = operatorSpec(this.#partition.graph.code(operator).builtin) ?? {};
    return operator.inputs.filter(
      (index, position) =>
        index !== -1 && !control.includes(position) && ties.every(({ input }) => input !== index),
    );
  }

  /** Of slopes that are zero a PRELU makes zero of negative values alone: only its input counts. */
  #product(operator: TfliteOperator, channel: number): boolean {
    const { graph } = this.#partition;
    const channels = channelsOf(graph.tensor(operator.outputs[0]!));
    const { inputs } = operator;
    const factors = graph.code(operator).builtin === 'PRELU' ? inputs.slice(0, 1) : inputs;
    const finite = inputs.every(
      (index) => !graph.isConstant(graph.tensor(index)) || this.#isFinite(index),
    );
    return finite && factors.some((index) => this.#operandIsZero(index, channel, channels));
  }

  #isFinite(index: number): boolean {
    const values = this.#constant(index);
    for (let at = 0; at < values.length; at++) if (!Number.isFinite(values.at(at))) return false;
    return true;
  }

  /** Whether what an operand gives for one of the output's channels is zero. */
  #operandIsZero(index: number, channel: number, channels: number): boolean {
    const { graph } = this.#partition;
    const tensor = graph.tensor(index);
    const own = channelsOf(tensor);
    const from = own === channels ? channel : 0;
    if (!graph.isConstant(tensor)) return this.#isZero(index, from);
    const values = this.#constant(index);
    for (let at = from; at < values.length; at += own) if (!values.isZero(at)) return false;
    return true;
  }

  /**
   * MEAN takes the input's zero point off after it has been rescaled, and rounds twice for that: zero ends at the
   * output's zero point for certain where there is nothing to rescale (kernels/internal/reference/integer_ops/mean.h).
   */
  #isExact(operator: TfliteOperator): boolean {
    const { graph } = this.#partition;
    if (graph.code(operator).builtin !== 'MEAN') return true;
    const [from, to] = [operator.inputs[0]!, operator.outputs[0]!].map(
      (index) => graph.tensor(index).quantization,
    );
    if (graph.tensor(operator.inputs[0]!).type === 'float32') return true;
    return from?.zeroPoint[0] === 0 || from?.scale[0] === to?.scale[0];
  }
}
