import {
  INT8_MAX,
  INT8_MIN,
  type Multiplier,
  quantizeMultiplier,
  roundHalfAway,
} from './fixed-point.ts';
import type { Affine, Node } from './node.ts';

/** schema.fbs, ActivationFunctionType. */
const RELU = 1;
const RELU_N1_TO_1 = 2;
const RELU6 = 3;

export interface ActivationRange {
  readonly min: number;
  readonly max: number;
}

/** A real number in steps of a tensor; the division is float32's, as in the kernels. */
export function quantizeReal(real: number, { scale, zeroPoint }: Affine): number {
  return zeroPoint + roundHalfAway(Math.fround(real / scale));
}

/** CalculateActivationRangeQuantized of tensorflow/lite/kernels/kernel_util.cc. */
export function activationRange(activation: number, output: Affine): ActivationRange {
  const lower = (real: number): number => Math.max(INT8_MIN, quantizeReal(real, output));
  const upper = (real: number): number => Math.min(INT8_MAX, quantizeReal(real, output));
  switch (activation) {
    case RELU:
      return { min: lower(0), max: INT8_MAX };
    case RELU6:
      return { min: lower(0), max: upper(6) };
    case RELU_N1_TO_1:
      return { min: lower(-1), max: upper(1) };
    default:
      return { min: INT8_MIN, max: INT8_MAX };
  }
}

export function fusedRange(node: Node, output: Affine): ActivationRange {
  return activationRange(node.number('fusedActivationFunction'), output);
}

/** The factor from one tensor's steps to another's, in float64. */
export function rescaleMultiplier(from: Affine, to: Affine): Multiplier {
  return quantizeMultiplier(from.scale / to.scale);
}

/** Multipliers of output channels, laid out for inner loops. */
export interface ChannelMultipliers {
  readonly values: Int32Array;
  readonly shifts: Int32Array;
}

/**
 * PopulateConvolutionQuantizationParams of kernel_util.cc: input scale x weight scale / output scale
 * in float64, one for each channel even where the weights share one scale.
 */
export function channelMultipliers(
  input: Affine,
  weightScales: readonly number[],
  output: Affine,
  channels: number,
): ChannelMultipliers {
  const factors = Array.from({ length: channels }, (_, channel) => {
    const weightScale = weightScales.length === 1 ? weightScales[0]! : weightScales[channel]!;
    return quantizeMultiplier((input.scale * weightScale) / output.scale);
  });
  return {
    values: Int32Array.from(factors, ({ value }) => value),
    shifts: Int32Array.from(factors, ({ shift }) => shift),
  };
}
