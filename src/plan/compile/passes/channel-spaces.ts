import { elementCount } from '../../../tflite/index.ts';
import {
  inputsOf,
  isBinary,
  isPool,
  isWeighted,
  type Operation,
  type Program,
  programValue,
  type Value,
} from '../program.ts';

/** How an operation goes through channels, which are the last dimension of a value. */
export type Channels =
  /** Every output channel is made of the same channel of the inputs. */
  | 'kept'
  /** Output channels are made of all of the input's by rows of weights. */
  | 'mixed'
  /** It has to do with places as well: none may be taken away on either side. */
  | 'fixed';

export const channelsOf = ({ shape }: Value): number => shape.at(-1) ?? 1;

/** A constant that is one number, or one for each channel, in the shape of its own as in the one that is read. */
const isPerChannel = (value: Value, shape: readonly number[], channels: number): boolean => {
  const count = elementCount(value.shape);
  const isRow = channelsOf(value) === channels && shape.at(-1) === channels;
  return count === 1 || (count === channels && isRow);
};

function isLinkedOperand(
  program: Program,
  id: number,
  shape: readonly number[],
  output: Value,
): boolean {
  const value = programValue(program, id);
  if (value.values !== undefined) {
    // Whoever else reads it may need channels that go here.
    const readers = program.operations.filter((reader) => inputsOf(reader).includes(id));
    return readers.length === 1 && isPerChannel(value, shape, channelsOf(output));
  }
  return (
    elementCount(shape) === elementCount(output.shape) && channelsOf(value) === channelsOf(output)
  );
}

/** What an operation does with the channels of the values that it reads. */
export function channelUse(program: Program, operation: Operation): Channels {
  const output = programValue(program, operation.output);
  if (isBinary(operation)) {
    const { a, b, aShape, bShape } = operation;
    const linked =
      isLinkedOperand(program, a, aShape, output) && isLinkedOperand(program, b, bShape, output);
    return linked ? 'kept' : 'fixed';
  }
  if (operation.kind === 'MOVE' || operation.kind === 'SOFTMAX') return 'fixed';
  const input = programValue(program, operation.input);
  if (input.values !== undefined) return 'fixed';
  const channels = channelsOf(input);
  if (operation.kind === 'CONV_2D') return operation.inC === channels ? 'mixed' : 'fixed';
  if (operation.kind === 'FULLY_CONNECTED')
    return operation.inC % channels === 0 ? 'mixed' : 'fixed';
  const isSame = channelsOf(output) === channels;
  if (operation.kind === 'MEAN') {
    return isSame && operation.inner % channels === 0 ? 'kept' : 'fixed';
  }
  if (isPool(operation) || isWeighted(operation)) {
    return isSame && operation.inC === channels ? 'kept' : 'fixed';
  }
  return isSame ? 'kept' : 'fixed';
}

/** Values whose channels stand and fall together, by the smallest id among them. */
export class ChannelSpaces {
  readonly #parents = new Map<number, number>();

  constructor(program: Program) {
    for (const operation of program.operations) {
      if (channelUse(program, operation) !== 'kept') continue;
      const inputs = isBinary(operation) ? [operation.a, operation.b] : [];
      if ('input' in operation) inputs.push(operation.input);
      for (const id of inputs) {
        if (programValue(program, id).values === undefined) this.#join(id, operation.output);
      }
    }
  }

  of(id: number): number {
    const parent = this.#parents.get(id) ?? id;
    return parent === id ? id : this.of(parent);
  }

  #join(a: number, b: number): void {
    const [one, other] = [this.of(a), this.of(b)];
    this.#parents.set(Math.max(one, other), Math.min(one, other));
  }
}
