import type { Region, TrainingMemory } from '../memory.ts';
import { counted, NOTHING, type Numbered } from './numbered.ts';

/** Floats that are moved from places of one array to places of another, in blocks as long as they all go. */
export class BlockMoves {
  readonly #memory: TrainingMemory;
  readonly #count: number;
  readonly #block: number;
  readonly #froms: Region;
  readonly #tos: Region;

  /** Element i of the target comes from place i of `sources`. */
  static gather(memory: TrainingMemory, { places }: Numbered): BlockMoves {
    const tos = counted(places.length).filter((place) => places[place] !== NOTHING);
    return new BlockMoves(
      memory,
      places.filter((place) => place !== NOTHING),
      tos,
    );
  }

  /** Element i of the source goes to place i of `targets`. */
  static scatter(memory: TrainingMemory, { places }: Numbered): BlockMoves {
    return new BlockMoves(memory, counted(places.length), places);
  }

  private constructor(memory: TrainingMemory, froms: Int32Array, tos: Int32Array) {
    this.#memory = memory;
    this.#block = blockLength(froms, tos);
    this.#count = froms.length / this.#block;
    this.#froms = memory.integers(everyNth(froms, this.#block));
    this.#tos = memory.integers(everyNth(tos, this.#block));
  }

  copy(from: number, to: number): void {
    const [froms, tos] = [this.#froms.address, this.#tos.address];
    this.#memory.kernels.copyBlocks(this.#count, this.#block, froms, tos, from, to);
  }

  /** Adds what `copy` would have moved to where it came from. */
  addBack(to: number, from: number): void {
    const [froms, tos] = [this.#froms.address, this.#tos.address];
    this.#memory.kernels.addBlocks(this.#count, this.#block, tos, froms, to, from);
  }
}

/** The longest block that all runs of neighbours are whole numbers of. */
function blockLength(froms: Int32Array, tos: Int32Array): number {
  let [block, run] = [0, 1];
  for (let index = 1; index <= froms.length; index++) {
    const follows =
      index < froms.length &&
      froms[index] === froms[index - 1]! + 1 &&
      tos[index] === tos[index - 1]! + 1;
    if (follows) run += 1;
    else [block, run] = [divisor(run, block), 1];
  }
  return Math.max(block, 1);
}

function everyNth(list: Int32Array, step: number): Int32Array {
  const found = new Int32Array(list.length / step);
  for (let index = 0; index < found.length; index++) found[index] = list[index * step]!;
  return found;
}

function divisor(a: number, b: number): number {
  return b === 0 ? a : divisor(b, a % b);
}
