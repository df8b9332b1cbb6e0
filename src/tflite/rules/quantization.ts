import type { TfliteTensor } from '../model.ts';
import type { OperatorView } from './operator-view.ts';

/** Bias scale against input scale x weight scale: converters differ in the last bits of float32. */
const BIAS_SCALE_TOLERANCE = 1e-3;
/** Scales that must be equal; TFLite compares pooling scales with an absolute 1e-6. */
const SAME_SCALE_TOLERANCE = 1e-5;
/** A requantization factor outside this is a shift past the 31 bits the kernels have. */
const MIN_MULTIPLIER = 2 ** -40;
const MAX_MULTIPLIER = 2 ** 16;
/** fused_activation_function: NONE, RELU, RELU_N1_TO_1, RELU6; the rest has no kernel. */
const MAX_ACTIVATION = 3;

const near = (a: number, b: number, tolerance: number): boolean =>
  Math.abs(a - b) <= tolerance * Math.abs(b);

export function isInteger8(tensor: TfliteTensor): boolean {
  return tensor.type === 'int8' || tensor.type === 'uint8';
}

/** Scale and zero point of a tensor that has one of each. */
export function perTensor(
  view: OperatorView,
  tensor: TfliteTensor,
): { readonly scale: number; readonly zeroPoint: number } {
  const { scale, zeroPoint } = tensor.quantization ?? { scale: [], zeroPoint: [] };
  if (scale.length !== 1) {
    view.fail(
      scale.length === 0
        ? `a ${tensor.type} tensor without a scale`
        : `per-channel quantization where one scale is taken`,
    );
  }
  return { scale: scale[0]!, zeroPoint: zeroPoint[0]! };
}

export function requireActivation(view: OperatorView): void {
  const value = view.number('fusedActivationFunction');
  if (value < 0 || value > MAX_ACTIVATION) view.unsupported(`fused activation ${value}`);
}

/** The factor between two integer scales must be one that fixed-point kernels can hold. */
export function requireMultiplier(view: OperatorView, multiplier: number): void {
  if (!(multiplier >= MIN_MULTIPLIER && multiplier <= MAX_MULTIPLIER)) {
    view.fail(`its scales are too far apart (factor ${multiplier.toPrecision(3)})`);
  }
}

/** An operator that only moves values: its output has the input's parameters. */
export function requireSameQuantization(
  view: OperatorView,
  a: TfliteTensor,
  b: TfliteTensor,
): void {
  if (!isInteger8(a)) return;
  const from = perTensor(view, a);
  const to = perTensor(view, b);
  if (!near(from.scale, to.scale, SAME_SCALE_TOLERANCE) || from.zeroPoint !== to.zeroPoint) {
    view.fail(
      `input scale ${from.scale} zero point ${from.zeroPoint} and output scale ${to.scale} ` +
        `zero point ${to.zeroPoint} must be equal`,
    );
  }
}

/** As {@link requireSameQuantization}, for kernels that take no two scales that differ in a bit. */
export function requireIdenticalQuantization(
  view: OperatorView,
  ...tensors: readonly TfliteTensor[]
): void {
  const [first, ...others] = tensors;
  if (first === undefined || !isInteger8(first)) return;
  const { scale, zeroPoint } = perTensor(view, first);
  for (const other of others) {
    const found = perTensor(view, other);
    view.require(
      found.scale === scale && found.zeroPoint === zeroPoint,
      `scale ${scale} zero point ${zeroPoint} and scale ${found.scale} zero point ` +
        `${found.zeroPoint} must be equal`,
    );
  }
}

/** An output whose parameters the kernel has built in. */
export function requireFixedQuantization(
  view: OperatorView,
  scale: number,
  zeroPoint: Readonly<Record<string, number>>,
): void {
  const { output } = view;
  if (!isInteger8(output)) return;
  const found = perTensor(view, output);
  const expected = zeroPoint[output.type];
  if (found.scale !== scale || found.zeroPoint !== expected) {
    view.fail(
      `output scale ${found.scale} zero point ${found.zeroPoint}, where the runtime computes ` +
        `${scale} and ${expected}`,
    );
  }
}

/** Any rescaling of one input to the output. */
export function requireRescale(view: OperatorView): void {
  if (!isInteger8(view.input(0)) || !isInteger8(view.output)) return;
  const input = perTensor(view, view.input(0));
  requireMultiplier(view, input.scale / perTensor(view, view.output).scale);
}

/** Weights, bias and output of CONV_2D and its like. `channelAxis`: where output channels lie. */
export interface WeightedLayer {
  readonly input: TfliteTensor;
  readonly weights: TfliteTensor;
  readonly bias: TfliteTensor | undefined;
  readonly channelAxis: number;
  readonly channels: number;
  readonly perChannel: boolean;
}

export function requireWeightedQuantization(view: OperatorView, layer: WeightedLayer): void {
  const { input, weights, bias } = layer;
  if (!isInteger8(weights)) return;
  if (!view.graph.isConstant(weights)) view.unsupported('integer weights that are computed');
  const scales = requireWeightScales(view, layer);
  if (!isInteger8(input)) return;
  const { scale: inputScale } = perTensor(view, input);
  const { scale: outputScale } = perTensor(view, view.output);
  for (const scale of scales) requireMultiplier(view, (inputScale * scale) / outputScale);
  if (bias !== undefined) requireBias(view, layer, bias, inputScale, scales);
}

function requireWeightScales(view: OperatorView, layer: WeightedLayer): readonly number[] {
  const { weights, channelAxis, channels } = layer;
  const { scale, zeroPoint, axis } = weights.quantization ?? view.fail('weights without a scale');
  if (scale.length > 1) {
    if (!layer.perChannel || weights.type !== 'int8') {
      view.unsupported('per-channel weights of this operator');
    }
    view.require(
      axis === channelAxis && scale.length === channels,
      `weights have ${scale.length} scales along dimension ${axis}, not ${channels} along ${channelAxis}`,
    );
  }
  if (weights.type === 'int8') {
    view.require(
      zeroPoint.every((zero) => zero === 0),
      'int8 weights with a zero point other than 0',
    );
    view.require(
      !view.graph.data(weights).includes(0x80),
      'an int8 weight of -128, which kernels assume away; weights go from -127 to 127',
    );
  }
  return scale;
}

function requireBias(
  view: OperatorView,
  layer: WeightedLayer,
  bias: TfliteTensor,
  inputScale: number,
  weightScales: readonly number[],
): void {
  if (!view.graph.isConstant(bias)) view.unsupported('an integer bias that is computed');
  const { scale, zeroPoint } = bias.quantization ?? view.fail('a bias without a scale');
  view.require(
    zeroPoint.every((zero) => zero === 0),
    'a bias with a zero point other than 0',
  );
  view.require(
    scale.length === weightScales.length || scale.length === layer.channels,
    `${scale.length} bias scales for ${layer.channels} channels`,
  );
  for (const [channel, found] of scale.entries()) {
    const expected = inputScale * (weightScales[channel] ?? weightScales[0]!);
    if (!near(found, expected, BIAS_SCALE_TOLERANCE)) {
      view.fail(`bias scale ${found} of channel ${channel}, not input x weight scale ${expected}`);
    }
  }
}
