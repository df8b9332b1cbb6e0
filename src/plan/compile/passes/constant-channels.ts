import { clamp, INT8_MAX, INT8_MIN, multiplyByMultiplier } from '../../reference/fixed-point.ts';
import { sumOf } from '../../reference/kernels/elementwise.ts';
import {
  type BinaryOperation,
  type Geometry,
  isBinary,
  isPool,
  isWeighted,
  type Operation,
  type Program,
  programValue,
  tapsOf,
  type WeightedOperation,
} from '../program.ts';
import { channelsOf, channelUse } from './channel-spaces.ts';

/** For each channel of a value what all of its elements are; undefined where they are not all one. */
export type ConstantChannels = readonly (number | undefined)[];

/** Whether every window lies wholly inside the image. */
export function isUnpadded(geometry: Geometry): boolean {
  const along = (out: number, stride: number, kernel: number, dilation: number): number =>
    (out - 1) * stride + (kernel - 1) * dilation + 1;
  const { padTop, padLeft, inH, inW } = geometry;
  const { outH, strideH, kernelH, dilationH, outW, strideW, kernelW, dilationW } = geometry;
  return (
    padTop === 0 &&
    padLeft === 0 &&
    along(outH, strideH, kernelH, dilationH) <= inH &&
    along(outW, strideW, kernelW, dilationW) <= inW
  );
}

/** What a channel comes to if its least and its largest sum come to the same. */
function sameOutput(
  program: Program,
  operation: WeightedOperation,
  channel: number,
  least: number,
  most: number,
): number | undefined {
  const at = operation.multipliers.length === 1 ? 0 : channel;
  const [multiplier, shift] = [operation.multipliers[at]!, operation.shifts[at]!];
  const room = 2 ** (31 - Math.max(0, shift));
  // Past it sums wrap, and what lies between two of them is anything.
  if (least < -room || most >= room) return undefined;
  const { zeroPoint } = programValue(program, operation.output);
  const outputOf = (sum: number): number =>
    clamp(multiplyByMultiplier(sum, multiplier, shift) + zeroPoint, operation.min, operation.max);
  const output = outputOf(least);
  return output === outputOf(most) ? output : undefined;
}

/** What a constant channel adds to a sum, whatever the window covers; undefined if that depends on the place. */
export function contribution(
  operation: WeightedOperation,
  zeroPoint: number,
  weight: number,
  value: number | undefined,
): number | undefined {
  if (weight === 0) return 0;
  if (value === undefined || (value !== zeroPoint && !isUnpadded(operation))) return undefined;
  return weight * (value - zeroPoint);
}

/** What a tap can add to a sum, wherever its window lies: beside the image it adds nothing. */
function partOf(
  operation: WeightedOperation,
  zeroPoint: number,
  weight: number,
  value: number | undefined,
): readonly [least: number, most: number] {
  const known = contribution(operation, zeroPoint, weight, value);
  if (known !== undefined) return [known, known];
  const [low, high] = value === undefined ? [INT8_MIN, INT8_MAX] : [value, value];
  const ends = [0, weight * (low - zeroPoint), weight * (high - zeroPoint)];
  return [Math.min(...ends), Math.max(...ends)];
}

/** Channels whose least and largest possible sums come to the same output, as those that an activation cuts off. */
function ofWeighted(
  program: Program,
  operation: WeightedOperation,
  inputs: ConstantChannels,
): ConstantChannels {
  const taps = tapsOf(operation);
  const { zeroPoint } = programValue(program, operation.input);
  const isDepthwise = operation.kind === 'DEPTHWISE_CONV_2D';
  const multiplier = operation.outC / operation.inC;
  return Array.from({ length: operation.outC }, (_, channel) => {
    let [least, most] = [operation.bias[channel]!, operation.bias[channel]!];
    for (let tap = 0; tap < taps; tap++) {
      const from = isDepthwise ? Math.floor(channel / multiplier) : tap % inputs.length;
      const weight = operation.weights[channel * taps + tap]!;
      const [low, high] = partOf(operation, zeroPoint, weight, inputs[from]);
      least += low;
      most += high;
    }
    return sameOutput(program, operation, channel, least, most);
  });
}

/** A channel of a constant operand, which has one number or one for each channel. */
export const operandAt = (values: Int8Array, channel: number): number =>
  values.length === 1 ? values[0]! : values[channel]!;

function ofBinary(
  program: Program,
  operation: BinaryOperation,
  known: KnownChannels,
): ConstantChannels {
  const output = programValue(program, operation.output);
  const operand = (id: number, channel: number): number | undefined => {
    const { values } = programValue(program, id);
    return values === undefined ? known.get(id)?.[channel] : operandAt(values, channel);
  };
  return Array.from({ length: channelsOf(output) }, (_, channel) => {
    const [a, b] = [operand(operation.a, channel), operand(operation.b, channel)];
    if (a === undefined || b === undefined) return undefined;
    const left = a - programValue(program, operation.a).zeroPoint;
    const right = b - programValue(program, operation.b).zeroPoint;
    const steps =
      operation.kind === 'MUL'
        ? multiplyByMultiplier(left * right, operation.by.output.value, operation.by.output.shift)
        : sumOf(operation.by, left, right, operation.kind === 'SUB');
    return clamp(steps + output.zeroPoint, operation.min, operation.max);
  });
}

type KnownChannels = ReadonlyMap<number, ConstantChannels>;

function ofOperation(
  program: Program,
  operation: Operation,
  known: KnownChannels,
): ConstantChannels {
  const output = programValue(program, operation.output);
  const nothing = new Array<undefined>(channelsOf(output)).fill(undefined);
  if (channelUse(program, operation) === 'fixed' || operation.kind === 'MOVE') return nothing;
  if (isBinary(operation)) return ofBinary(program, operation, known);
  const inputs = known.get(operation.input)!;
  if (isWeighted(operation)) return ofWeighted(program, operation, inputs);
  return inputs.map((value) => {
    if (value === undefined || operation.kind === 'SOFTMAX') return undefined;
    if (operation.kind === 'LOOKUP') return operation.table[value - INT8_MIN]!;
    if (isPool(operation)) return clamp(value, operation.min, operation.max);
    const { reduced, multiplier, shift } = operation;
    const steps = (value - programValue(program, operation.input).zeroPoint) * reduced;
    const scaled = multiplyByMultiplier(steps, multiplier, shift);
    return clamp(scaled + output.zeroPoint, INT8_MIN, INT8_MAX);
  });
}

/** What is known of every computed value's channels without running the model. */
export function constantChannels(program: Program): KnownChannels {
  const known = new Map<number, ConstantChannels>();
  for (const id of program.inputs) {
    known.set(id, new Array<undefined>(channelsOf(programValue(program, id))).fill(undefined));
  }
  for (const operation of program.operations) {
    known.set(operation.output, ofOperation(program, operation, known));
  }
  return known;
}
