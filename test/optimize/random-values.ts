/** Numbers from a seed: the same in every run. Mulberry32 (T. Ettinger, public domain). */
export class RandomValues {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 0;
  }

  /** 0 up to, and without, 1. */
  unit(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  }

  /** Evenly from `low` up to, and without, `high`. */
  between(low: number, high: number): number {
    return low + (high - low) * this.unit();
  }

  /** A whole number from `low` to `high`, both included. */
  whole(low: number, high: number): number {
    return low + Math.floor(this.unit() * (high - low + 1));
  }

  pick<T>(list: readonly T[]): T {
    return list[this.whole(0, list.length - 1)]!;
  }

  chance(share: number): boolean {
    return this.unit() < share;
  }

  /** Normally distributed (Box and Muller). */
  normal(deviation: number): number {
    return (
      deviation * Math.sqrt(-2 * Math.log(1 - this.unit())) * Math.cos(this.between(0, 2 * Math.PI))
    );
  }

  normals(count: number, deviation: number): number[] {
    return Array.from({ length: count }, () => this.normal(deviation));
  }
}
