import { scratchBytes } from '../scratch.ts';
import {
  ARENA_ALIGNMENT,
  type ArenaBuffer,
  type ArenaOverlap,
  type ArenaPlan,
  alignUp,
  liveBytes,
  planArena,
} from './arena.ts';
import { type Overlap, overlapOf } from './overlap.ts';
import {
  inputsOf,
  isPool,
  isWeighted,
  type Operation,
  type Program,
  programValue,
  sizeOf,
} from './program.ts';

export interface Memory {
  readonly arenaBytes: number;
  /** What one operation needs at most if no output lies over an input: the floor of a plain planner. */
  readonly liveBytes: number;
  readonly placeOf: (id: number) => number;
  /** For each operation: where its scratch lies, and how many output rows a filling of it makes. */
  readonly scratch: readonly { readonly place: number; readonly bandRows: number }[];
  /** For each operation: what is in use while it runs, scratch too. */
  readonly usedBytes: readonly number[];
}

/** Past the end of an input that the engine reads in words: FULLY_CONNECTED with PAIRS. */
const READ_AHEAD_BYTES = 3;

/** Where each value is made and last read; inputs are there from the start, outputs to the end. */
class Lifetimes {
  readonly #program: Program;
  readonly #from = new Map<number, number>();
  readonly #to = new Map<number, number>();

  constructor(program: Program) {
    this.#program = program;
    for (const id of program.inputs) this.#note(id, 0);
    for (const [step, operation] of program.operations.entries()) {
      for (const id of [...inputsOf(operation), operation.output]) this.#note(id, step);
    }
    for (const id of program.outputs) this.#note(id, program.operations.length);
  }

  /** Values that lie in the arena, in the order of their first use. */
  get ids(): readonly number[] {
    return [...this.#from.keys()];
  }

  buffer(id: number): ArenaBuffer {
    const sizeBytes = sizeOf(programValue(this.#program, id));
    return { sizeBytes, from: this.#from.get(id)!, to: this.#to.get(id)! };
  }

  endsAt(id: number, step: number): boolean {
    return this.#to.get(id) === step;
  }

  #note(id: number, step: number): void {
    if (programValue(this.#program, id).values !== undefined) return;
    if (!this.#from.has(id)) this.#from.set(id, step);
    this.#to.set(id, step);
  }
}

/** Output rows of a depthwise convolution that one filling may make, the most first. */
function bandChoices(operation: Operation): number[] {
  if (operation.kind !== 'DEPTHWISE_CONV_2D') return [0];
  const choices = [operation.outH];
  for (let rows = 2 ** Math.floor(Math.log2(operation.outH)); rows >= 1; rows /= 2) {
    if (rows < operation.outH) choices.push(rows);
  }
  return choices;
}

const scratchOf = (operation: Operation, bandRows: number): number =>
  isWeighted(operation) || isPool(operation) ? scratchBytes({ ...operation, bandRows }) : 0;

/** What an operation by itself takes: its input and output, over each other where they may be, and its scratch. */
function ownBytes(program: Program, lifetimes: Lifetimes, step: number, bandRows: number): number {
  const operation = program.operations[step]!;
  const outputBytes = sizeOf(programValue(program, operation.output));
  const inputs = new Set(inputsOf(operation));
  const [input] = inputs;
  const inputBytes = [...inputs].reduce((sum, id) => sum + sizeOf(programValue(program, id)), 0);
  const overlap =
    input !== undefined && inputs.size === 1 && lifetimes.endsAt(input, step)
      ? overlapOf(program, operation, input, bandRows)
      : undefined;
  const lag = overlap === undefined ? outputBytes : overlap.kind === 'exact' ? 0 : overlap.lag;
  const both = Math.max(outputBytes, Math.max(0, Math.min(lag, outputBytes)) + inputBytes);
  return both + scratchOf(operation, bandRows);
}

/** The largest bands that do not make an operation the one that the arena's size depends on. */
function chooseBands(program: Program, lifetimes: Lifetimes): number[] {
  const choices = program.operations.map((operation, step) =>
    bandChoices(operation).map((bandRows) => ({
      bandRows,
      bytes: ownBytes(program, lifetimes, step, bandRows),
    })),
  );
  const least = Math.max(0, ...choices.map((of) => Math.min(...of.map(({ bytes }) => bytes))));
  return choices.map((of) => of.find(({ bytes }) => bytes <= least)!.bandRows);
}

const asArena = (input: number, output: number, overlap: Overlap): ArenaOverlap => ({
  input,
  output,
  lag: overlap.kind === 'exact' ? 'exact' : overlap.lag,
});

/** Outputs over inputs that end where the output begins. A value read twice at once stays by itself. */
function overlapsOf(
  program: Program,
  lifetimes: Lifetimes,
  bands: readonly number[],
  indexOf: (id: number) => number,
): ArenaOverlap[] {
  return program.operations.flatMap((operation, step) =>
    [...new Set(inputsOf(operation))].flatMap((id) => {
      if (programValue(program, id).values !== undefined || !lifetimes.endsAt(id, step)) return [];
      const overlap = overlapOf(program, operation, id, bands[step]);
      return overlap === undefined
        ? []
        : [asArena(indexOf(id), indexOf(operation.output), overlap)];
    }),
  );
}

/** Places for all values and scratches of a program. */
export function planMemory(program: Program): Memory {
  const lifetimes = new Lifetimes(program);
  const bands = chooseBands(program, lifetimes);
  const { ids } = lifetimes;
  const indices = new Map(ids.map((id, index) => [id, index]));
  const values = ids.map((id) => lifetimes.buffer(id));
  const scratches = program.operations.map(
    (operation, step): ArenaBuffer => ({
      sizeBytes: scratchOf(operation, bands[step]!),
      ...{ from: step, to: step },
    }),
  );
  const used = scratches.flatMap((scratch, step) => (scratch.sizeBytes > 0 ? [step] : []));
  const buffers = [...values, ...used.map((step) => scratches[step]!)];
  const overlaps = overlapsOf(program, lifetimes, bands, (id) => indices.get(id)!);
  const plan = planArena(buffers, overlaps);
  const scratchPlaces = new Map(
    used.map((step, index) => [step, plan.places[values.length + index]!]),
  );
  return {
    arenaBytes: withReadAhead(program, plan, (id) => plan.places[indices.get(id)!]!),
    liveBytes: liveBytes(values),
    placeOf: (id) => plan.places[indices.get(id)!]!,
    scratch: bands.map((bandRows, step) => ({ place: scratchPlaces.get(step) ?? 0, bandRows })),
    usedBytes: program.operations.map((_, step) => usedAt(buffers, plan, step)),
  };
}

/** Up to where the arena is in use at a step. */
function usedAt(buffers: readonly ArenaBuffer[], { places }: ArenaPlan, step: number): number {
  const ends = buffers.flatMap(({ sizeBytes, from, to }, index) =>
    from <= step && step <= to ? [places[index]! + sizeBytes] : [],
  );
  return Math.max(0, ...ends);
}

/** The arena's size with what is read, and not used, behind the inputs of fully connected layers. */
function withReadAhead(
  program: Program,
  { sizeBytes }: ArenaPlan,
  placeOf: (id: number) => number,
): number {
  const ends = program.operations.flatMap((operation) => {
    if (operation.kind !== 'FULLY_CONNECTED' || operation.inC % ARENA_ALIGNMENT === 0) return [];
    const input = programValue(program, operation.input);
    if (input.values !== undefined) return [];
    return [placeOf(operation.input) + sizeOf(input) + READ_AHEAD_BYTES];
  });
  return alignUp(Math.max(sizeBytes, ...ends));
}
