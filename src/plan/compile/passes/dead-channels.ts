import {
  inputsOf,
  isBinary,
  isPool,
  isWeighted,
  type Operation,
  type Program,
  programValue,
  tapsOf,
  type Value,
  type WeightedOperation,
} from '../program.ts';
import { ChannelSpaces, channelsOf, channelUse } from './channel-spaces.ts';
import { type ConstantChannels, constantChannels, contribution } from './constant-channels.ts';

/** Every round may take away what only the channels of the round before made use of. */
const MAX_ROUNDS = 64;

/** Which channels of a value stay, in their order. */
type Kept = readonly number[];

/** The facts of one round, by the first value of each space. */
class Round {
  readonly program: Program;
  readonly spaces: ChannelSpaces;
  readonly known: ReadonlyMap<number, ConstantChannels>;
  /** Whether a channel must stay. */
  readonly #needed = new Map<number, boolean[]>();

  constructor(program: Program) {
    this.program = program;
    this.spaces = new ChannelSpaces(program);
    this.known = constantChannels(program);
    for (const id of [...program.inputs, ...program.outputs]) this.#needAll(id);
    for (const operation of program.operations) this.#note(operation);
  }

  /** At least one channel, so that shapes stay shapes. */
  keptOf(id: number): Kept {
    const count = channelsOf(programValue(this.program, id));
    const needed = this.#of(id);
    const kept = [...Array(count).keys()].filter((channel) => needed[channel]);
    return kept.length === 0 ? [0] : kept;
  }

  #of(id: number): boolean[] {
    const space = this.spaces.of(id);
    const found = this.#needed.get(space);
    if (found !== undefined) return found;
    const none = new Array<boolean>(channelsOf(programValue(this.program, id))).fill(false);
    this.#needed.set(space, none);
    return none;
  }

  #needAll(id: number): void {
    if (programValue(this.program, id).values === undefined) this.#of(id).fill(true);
  }

  #note(operation: Operation): void {
    const use = channelUse(this.program, operation);
    if (use === 'fixed') {
      for (const id of [...inputsOf(operation), operation.output]) this.#needAll(id);
    } else if (use === 'mixed' && isWeighted(operation)) {
      this.#noteRows(operation);
    }
  }

  /** A channel with a weight on it is needed, unless it is constant and can go into the bias. */
  #noteRows(operation: WeightedOperation): void {
    const taps = tapsOf(operation);
    const known = this.known.get(operation.input)!;
    const { zeroPoint } = programValue(this.program, operation.input);
    const needed = this.#of(operation.input);
    for (const [index, weight] of operation.weights.entries()) {
      const channel = (index % taps) % known.length;
      if (contribution(operation, zeroPoint, weight, known[channel]) === undefined) {
        needed[channel] = true;
      }
    }
  }
}

const pick = <T extends Int8Array | Int32Array>(values: T, kept: Kept): T =>
  values.length === 1 ? values : (values.filter((_, index) => kept.includes(index)) as T);

/** Rows of the outputs that stay, without the taps of the inputs that go; what those gave is in the bias. */
function shrinkRows(round: Round, operation: WeightedOperation): WeightedOperation {
  const { program } = round;
  const rows = round.keptOf(operation.output);
  const taps = tapsOf(operation);
  const known = round.known.get(operation.input)!;
  const columns = new Set(round.keptOf(operation.input));
  const { zeroPoint } = programValue(program, operation.input);
  const stays = [...Array(taps).keys()].filter((tap) => columns.has(tap % known.length));
  const weights = new Int8Array(rows.length * stays.length);
  const bias = pick(operation.bias, rows);
  for (const [row, channel] of rows.entries()) {
    for (let tap = 0; tap < taps; tap++) {
      const from = tap % known.length;
      if (columns.has(from)) continue;
      const weight = operation.weights[channel * taps + tap]!;
      bias[row] = bias[row]! + contribution(operation, zeroPoint, weight, known[from])!;
    }
    for (const [at, tap] of stays.entries()) {
      weights[row * stays.length + at] = operation.weights[channel * taps + tap]!;
    }
  }
  const inC = (operation.inC / known.length) * columns.size;
  return { ...operation, ...shrunkChannels(operation, rows), inC, weights, bias };
}

function shrunkChannels(
  { multipliers, shifts }: WeightedOperation,
  rows: Kept,
): Pick<WeightedOperation, 'outC' | 'multipliers' | 'shifts'> {
  return {
    outC: rows.length,
    multipliers: pick(multipliers, rows),
    shifts: pick(shifts, rows),
  };
}

function shrink(round: Round, operation: Operation): Operation {
  const use = channelUse(round.program, operation);
  if (use === 'fixed') return operation;
  const kept = round.keptOf(operation.output);
  if (isWeighted(operation)) {
    if (use === 'mixed') return shrinkRows(round, operation);
    const taps = tapsOf(operation);
    const weights = operation.weights.filter((_, at) => kept.includes(Math.floor(at / taps)));
    const bias = pick(operation.bias, kept);
    return { ...operation, ...shrunkChannels(operation, kept), inC: kept.length, weights, bias };
  }
  if (isPool(operation)) return { ...operation, inC: kept.length, outC: kept.length };
  if (isBinary(operation)) {
    const shapeOf = (shape: readonly number[]): readonly number[] =>
      (shape.at(-1) ?? 1) === 1 ? shape : [...shape.slice(0, -1), kept.length];
    return { ...operation, aShape: shapeOf(operation.aShape), bShape: shapeOf(operation.bShape) };
  }
  if (operation.kind !== 'MEAN') return operation;
  const channels = channelsOf(programValue(round.program, operation.output));
  return { ...operation, inner: (operation.inner / channels) * kept.length };
}

/** Values with fewer channels; constants that are an operand of what has fewer, too. */
function shrinkValues(round: Round): Map<number, Value> {
  const { program } = round;
  const values = new Map(program.values);
  const cut = (id: number, kept: Kept): void => {
    const value = programValue(program, id);
    if (channelsOf(value) === kept.length || channelsOf(value) === 1) return;
    const shape = [...value.shape.slice(0, -1), kept.length];
    const rest = value.values === undefined ? {} : { values: pick(value.values, kept) };
    values.set(id, { ...value, ...rest, shape });
  };
  for (const operation of program.operations) {
    const kept = round.keptOf(operation.output);
    cut(operation.output, kept);
    if (!isBinary(operation) || channelUse(program, operation) !== 'kept') continue;
    for (const id of inputsOf(operation)) {
      if (programValue(program, id).values !== undefined) cut(id, kept);
    }
  }
  return values;
}

const totalChannels = ({ values, operations }: Program): number =>
  operations.reduce((sum, { output }) => sum + channelsOf(values.get(output)!), 0);

/**
 * Takes out channels that nobody reads with a weight other than 0, and those that are one number everywhere, which
 * goes into the biases that they feed: lossless, since what is left computes the same. A channel that is constant
 * stays where a window may reach past the image, unless the number is the zero point.
 */
export function removeDeadChannels(program: Program): {
  readonly program: Program;
  readonly deadChannels: number;
} {
  let current = program;
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const facts = new Round(current);
    const operations = current.operations.map((operation) => shrink(facts, operation));
    const next = { ...current, operations, values: shrinkValues(facts) };
    if (totalChannels(next) === totalChannels(current)) break;
    current = next;
  }
  return { program: current, deadChannels: totalChannels(program) - totalChannels(current) };
}
