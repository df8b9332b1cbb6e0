import {
  clamp,
  INT8_MAX,
  INT8_MIN,
  inputRadius,
  multiplyByMultiplier,
  quantizeMultiplier,
  roundingDivideByPowerOfTwo,
} from '../fixed-point.ts';
import type { Affine, Kernel, Node } from '../node.ts';
import { activationRange, quantizeReal } from '../parameters.ts';
import { logisticFixed, tanhFixed } from '../transcendental.ts';

/** Arguments of LOGISTIC and TANH have so many integer bits: from 16 on they count as infinite. */
const INPUT_INTEGER_BITS = 4;
/** LOGISTIC's output has 8 fractional bits, TANH's 7. */
const LOGISTIC_SHIFT = 23;
const TANH_SHIFT = 24;
/** schema.fbs, ActivationFunctionType. */
const RELU = 1;

/** An int8 function of one int8 value, as the values for -128 to 127. */
export type Table = Int8Array;

const tabulate = (f: (value: number) => number): Table =>
  Int8Array.from({ length: INT8_MAX - INT8_MIN + 1 }, (_, index) => f(index + INT8_MIN));

/** Requantize of reference/requantize.h, within a range of the output. */
function requantized(node: Node, multiplier: number, min: number, max: number): Table {
  const input = node.input(0);
  const output = node.output();
  const { value: factor, shift } = quantizeMultiplier(multiplier);
  return tabulate((value) => {
    const scaled = multiplyByMultiplier(value - input.zeroPoint, factor, shift);
    return clamp(scaled + output.zeroPoint, min, max);
  });
}

/** PrepareQuantizeReference of tensorflow/lite/micro/kernels/quantize_common.cc. */
const quantize = (node: Node): Table => {
  const multiplier = node.input(0).scale / node.output().scale;
  return requantized(node, multiplier, INT8_MIN, INT8_MAX);
};

/** CalculateReluOpData of micro/kernels/activations_common.cc: the ratio is a float32. */
const relu = (node: Node): Table => {
  const output = node.output();
  const { min, max } = activationRange(RELU, output);
  return requantized(node, Math.fround(node.input(0).scale / output.scale), min, max);
};

/** Relu6Prepare and Relu6Quantized there: values are clipped and keep their scale, whatever the output's is. */
const relu6 = (node: Node): Table => {
  const input = node.input(0);
  const output = node.output();
  if (input.scale !== output.scale || input.zeroPoint !== output.zeroPoint) {
    node.unsupported('an output of other quantization than its input');
  }
  const six = clamp(quantizeReal(6, input), INT8_MIN, INT8_MAX);
  return tabulate((value) => clamp(value, input.zeroPoint, six));
};

/** The argument in fixed point, or which end of the output it is past. */
function fixedArgument(node: Node, input: Affine): (value: number) => number {
  const real = input.scale * 2 ** (31 - INPUT_INTEGER_BITS);
  const { value: factor, shift } = quantizeMultiplier(real);
  // A radius of 2^31 and more is computed by a shift that C leaves undefined.
  if (shift < 0) node.unsupported(`an input scale of ${input.scale}`);
  const radius = inputRadius(INPUT_INTEGER_BITS, shift);
  return (value) => {
    const step = value - input.zeroPoint;
    if (step <= -radius) return Number.NEGATIVE_INFINITY;
    return step >= radius ? Number.POSITIVE_INFINITY : multiplyByMultiplier(step, factor, shift);
  };
}

/** A curve that ends at the int8 range's ends. */
function curve(node: Node, ofArgument: (fixed: number) => number): Table {
  const argument = fixedArgument(node, node.input(0));
  return tabulate((value) => {
    const fixed = argument(value);
    if (!Number.isFinite(fixed)) return fixed < 0 ? INT8_MIN : INT8_MAX;
    return clamp(ofArgument(fixed), INT8_MIN, INT8_MAX);
  });
}

/** Logistic of reference/integer_ops/logistic.h; its output is 1/256 and -128. */
const logistic = (node: Node): Table =>
  curve(
    node,
    (fixed) =>
      roundingDivideByPowerOfTwo(logisticFixed(fixed, INPUT_INTEGER_BITS), LOGISTIC_SHIFT) +
      INT8_MIN,
  );

/** Tanh of reference/integer_ops/tanh.h; its output is 1/128 and 0. */
const tanh = (node: Node): Table =>
  curve(node, (fixed) =>
    roundingDivideByPowerOfTwo(tanhFixed(fixed, INPUT_INTEGER_BITS), TANH_SHIFT),
  );

/** By the schema's names: how each is worked out for a node. */
export const UNARY_TABLES: ReadonlyMap<string, (node: Node) => Table> = new Map([
  ['LOGISTIC', logistic],
  ['QUANTIZE', quantize],
  ['RELU', relu],
  ['RELU6', relu6],
  ['TANH', tanh],
]);

/** Looks every value up. */
export const lookUp =
  (tableOf: (node: Node) => Table): Kernel =>
  (node) => {
    const input = node.input(0);
    const output = node.output();
    const table = tableOf(node);
    return () => {
      for (let index = 0; index < output.values.length; index++) {
        output.values[index] = table[input.values[index]! - INT8_MIN]!;
      }
    };
  };
