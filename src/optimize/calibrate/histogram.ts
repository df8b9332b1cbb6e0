/** Bins over both signs. A one-sided range fills at least a quarter of them: four for each int8 step. */
const BINS = 8192;
const HALF = BINS / 2;

export interface Bins {
  /** Middle of each bin that holds values, ascending; 0 stands for exact zeros. */
  readonly centers: Float64Array;
  readonly counts: Float64Array;
}

/**
 * Counts values in equal bins whose width is a power of two and doubles when a value falls outside. What it holds
 * depends on the values alone, not on their order, and two of them can be added.
 */
export class Histogram {
  min = Number.POSITIVE_INFINITY;
  max = Number.NEGATIVE_INFINITY;
  count = 0;
  /** First value that is not finite; nothing is counted after it. */
  notFinite: number | undefined;
  #zeros = 0;
  #width = 0;
  #counts: Float64Array<ArrayBufferLike> = new Float64Array(0);

  add(values: Float32Array): void {
    let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    for (let index = 0; index < values.length; index++) {
      const value = values[index]!;
      if (value < low) low = value;
      if (value > high) high = value;
      if (value - value !== 0) this.notFinite ??= value;
    }
    if (this.notFinite !== undefined || values.length === 0) return;
    this.min = Math.min(this.min, low);
    this.max = Math.max(this.max, high);
    this.count += values.length;
    this.#reach(Math.max(-low, high));
    const perBin = this.#width === 0 ? 0 : 1 / this.#width;
    const counts = this.#counts;
    for (let index = 0; index < values.length; index++) {
      const value = values[index]!;
      if (value === 0) this.#zeros++;
      else counts[Math.floor(value * perBin) + HALF]!++;
    }
  }

  merge(other: Histogram): void {
    this.notFinite ??= other.notFinite;
    this.min = Math.min(this.min, other.min);
    this.max = Math.max(this.max, other.max);
    this.count += other.count;
    this.#zeros += other.#zeros;
    if (other.#width === 0) return;
    this.#reach(other.#width * (HALF - 1));
    const ratio = other.#width / this.#width;
    for (let bin = 0; bin < BINS; bin++) {
      const found = other.#counts[bin]!;
      if (found > 0) this.#counts[Math.floor((bin - HALF) * ratio) + HALF]! += found;
    }
  }

  bins(): Bins {
    const centers: number[] = [];
    const counts: number[] = [];
    for (let bin = 0; bin < this.#counts.length; bin++) {
      if (bin === HALF && this.#zeros > 0) {
        centers.push(0);
        counts.push(this.#zeros);
      }
      if (this.#counts[bin] === 0) continue;
      const middle = (bin - HALF + 0.5) * this.#width;
      // The outermost values are known better than their bins.
      centers.push(Math.min(Math.max(middle, this.min), this.max));
      counts.push(this.#counts[bin]!);
    }
    if (this.#counts.length === 0 && this.#zeros > 0) {
      centers.push(0);
      counts.push(this.#zeros);
    }
    return { centers: Float64Array.from(centers), counts: Float64Array.from(counts) };
  }

  /** Widens the bins until `magnitude` falls inside. */
  #reach(magnitude: number): void {
    if (magnitude === 0) return;
    const needed = 2 ** Math.ceil(Math.log2(magnitude / (HALF - 1)));
    if (this.#width === 0) {
      this.#width = needed;
      this.#counts = new Float64Array(BINS);
      return;
    }
    if (needed <= this.#width) return;
    const ratio = this.#width / needed;
    const wider = new Float64Array(BINS);
    for (let bin = 0; bin < BINS; bin++) {
      const found = this.#counts[bin]!;
      if (found > 0) wider[Math.floor((bin - HALF) * ratio) + HALF]! += found;
    }
    this.#counts = wider;
    this.#width = needed;
  }
}
