/** Where every buffer lies in the arena: pure, and the same for the same input. */

/** Places are multiples of this. */
export const ARENA_ALIGNMENT = 4;

export interface ArenaBuffer {
  readonly sizeBytes: number;
  /** First and last step that it is needed at, both included. */
  readonly from: number;
  readonly to: number;
}

/** Buffers (by index) that may lie over each other although both are needed at one step. */
export interface ArenaOverlap {
  readonly input: number;
  readonly output: number;
  /** place of output + lag <= place of input; or both the same. */
  readonly lag: number | 'exact';
}

export interface ArenaPlan {
  readonly places: readonly number[];
  readonly sizeBytes: number;
}

/** Orders that are tried beside the two obvious ones. */
const MAX_TRIALS = 400;
/** Work that trials may take: pairs of buffers, all trials together. */
const MAX_PAIR_CHECKS = 4_000_000;

export const alignUp = (value: number): number =>
  Math.ceil(value / ARENA_ALIGNMENT) * ARENA_ALIGNMENT;
const alignDown = (value: number): number => Math.floor(value / ARENA_ALIGNMENT) * ARENA_ALIGNMENT;

/** What two buffers that are needed at once ask of each other. */
class Conflicts {
  readonly #buffers: readonly ArenaBuffer[];
  /** By the one buffer times their number, plus the other. */
  readonly #overlaps: ReadonlyMap<number, ArenaOverlap>;
  /** For each buffer the others that are needed when it is. */
  readonly atOnce: readonly (readonly number[])[];

  constructor(buffers: readonly ArenaBuffer[], overlaps: readonly ArenaOverlap[]) {
    this.#buffers = buffers;
    this.#overlaps = new Map(
      overlaps.flatMap((overlap) => [
        [this.#key(overlap.input, overlap.output), overlap] as const,
        [this.#key(overlap.output, overlap.input), overlap] as const,
      ]),
    );
    this.atOnce = buffers.map((one, own) =>
      [...buffers.keys()].filter((index) => {
        const other = buffers[index]!;
        return index !== own && one.from <= other.to && other.from <= one.to;
      }),
    );
  }

  #key(a: number, b: number): number {
    return a * this.#buffers.length + b;
  }

  overlap(a: number, b: number): ArenaOverlap | undefined {
    return this.#overlaps.get(this.#key(a, b));
  }

  /** Whether a buffer may lie at `place` with another at its own. */
  fits(buffer: number, place: number, other: number, otherPlace: number): boolean {
    const end = place + this.#buffers[buffer]!.sizeBytes;
    const otherEnd = otherPlace + this.#buffers[other]!.sizeBytes;
    if (end <= otherPlace || otherEnd <= place) return true;
    const overlap = this.overlap(buffer, other);
    if (overlap === undefined) return false;
    const input = overlap.input === buffer ? place : otherPlace;
    const output = overlap.output === buffer ? place : otherPlace;
    return overlap.lag === 'exact' ? input === output : output + overlap.lag <= input;
  }

  /** Places for a buffer that touch another one's. */
  candidates(buffer: number, other: number, otherPlace: number): number[] {
    const { sizeBytes } = this.#buffers[buffer]!;
    const end = alignUp(otherPlace + this.#buffers[other]!.sizeBytes);
    const before = alignDown(otherPlace - sizeBytes);
    const overlap = this.overlap(buffer, other);
    if (overlap === undefined) return [end, before];
    if (overlap.lag === 'exact') return [end, before, otherPlace];
    const over =
      overlap.input === buffer
        ? alignUp(otherPlace + overlap.lag)
        : alignDown(otherPlace - overlap.lag);
    return [end, before, over, otherPlace];
  }
}

/**
 * Puts buffers one by one at the lowest place that is free.
 * @returns undefined if it takes more than `mostBytes`
 */
function place(
  buffers: readonly ArenaBuffer[],
  conflicts: Conflicts,
  order: readonly number[],
  mostBytes = Number.POSITIVE_INFINITY,
): ArenaPlan | undefined {
  const places = new Array<number>(buffers.length).fill(0);
  const isPlaced = new Array<boolean>(buffers.length).fill(false);
  let sizeBytes = 0;
  for (const buffer of order) {
    const others = conflicts.atOnce[buffer]!.filter((other) => isPlaced[other]);
    const isFree = (candidate: number): boolean =>
      others.every((other) => conflicts.fits(buffer, candidate, other, places[other]!));
    let found = isFree(0) ? 0 : Number.POSITIVE_INFINITY;
    for (const other of others) {
      for (const candidate of conflicts.candidates(buffer, other, places[other]!)) {
        if (candidate >= 0 && candidate < found && isFree(candidate)) found = candidate;
      }
    }
    places[buffer] = found;
    isPlaced[buffer] = true;
    sizeBytes = Math.max(sizeBytes, found + buffers[buffer]!.sizeBytes);
    if (sizeBytes > mostBytes) return undefined;
  }
  return { places, sizeBytes: alignUp(sizeBytes) };
}

/** Numbers that are the same every time (Numerical Recipes' linear congruential generator). */
function generator(): (below: number) => number {
  let state = 1;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** The least that any plan without overlaps takes: what is needed at one step. */
export function liveBytes(buffers: readonly ArenaBuffer[]): number {
  const steps = buffers.flatMap(({ from, to }) => [from, to]);
  const at = (step: number): number =>
    buffers.reduce(
      (sum, { sizeBytes, from, to }) => (from <= step && step <= to ? sum + sizeBytes : sum),
      0,
    );
  return Math.max(0, ...steps.map(at));
}

/**
 * Places for all buffers so that none is written over while it is needed, but where an overlap allows
 * it. Tries the largest first, the longest needed first, and then exchanges what came out best.
 */
export function planArena(
  buffers: readonly ArenaBuffer[],
  overlaps: readonly ArenaOverlap[],
): ArenaPlan {
  const conflicts = new Conflicts(buffers, overlaps);
  const bySize = [...buffers.keys()].sort((a, b) => buffers[b]!.sizeBytes - buffers[a]!.sizeBytes);
  const byTime = [...buffers.keys()].sort((a, b) => buffers[a]!.from - buffers[b]!.from);
  const starts = [bySize, byTime, byTime.toReversed()];
  const plans = starts.map((order) => ({ order, plan: place(buffers, conflicts, order)! }));
  let best = plans.reduce((a, b) => (b.plan.sizeBytes < a.plan.sizeBytes ? b : a));
  const random = generator();
  const pairs = Math.max(1, buffers.length ** 2);
  const trials = Math.min(MAX_TRIALS, Math.floor(MAX_PAIR_CHECKS / pairs));
  for (let trial = 0; trial < trials && buffers.length > 1; trial++) {
    const order = [...best.order];
    const [a, b] = [random(order.length), random(order.length)];
    order.splice(b, 0, ...order.splice(a, 1));
    const plan = place(buffers, conflicts, order, best.plan.sizeBytes);
    if (plan !== undefined) best = { order, plan };
  }
  return best.plan;
}
