import { type Static, Type } from '../core/index.ts';

const MAX_BOUNDS = 64;

/** Cumulative-free histogram: `counts[i]` values were <= `bounds[i]`, the last count is the rest. */
export const HistogramReport = Type.Object(
  {
    bounds: Type.Array(Type.Number(), { maxItems: MAX_BOUNDS }),
    counts: Type.Array(Type.Integer({ minimum: 0 }), { maxItems: MAX_BOUNDS + 1 }),
    count: Type.Integer({ minimum: 0 }),
    sum: Type.Number(),
    max: Type.Number(),
  },
  { additionalProperties: false },
);
export type HistogramReport = Static<typeof HistogramReport>;

/** 20 µs to about 10 s, four steps an octave's pair: enough for an Edge TPU and for a Pi's CPU. */
export const LATENCY_BOUNDS_US: readonly number[] = Array.from({ length: 39 }, (_, index) =>
  Math.round(20 * Math.SQRT2 ** index),
);
export const CONFIDENCE_BOUNDS: readonly number[] = [
  0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1,
];

export class Histogram {
  readonly #bounds: readonly number[];
  readonly #counts: number[];
  #count = 0;
  #sum = 0;
  #max = 0;

  /** @param bounds ascending upper bounds, inclusive */
  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.#counts = new Array(bounds.length + 1).fill(0);
  }

  add(value: number): void {
    const found = this.#bounds.findIndex((bound) => value <= bound);
    const bucket = found === -1 ? this.#bounds.length : found;
    this.#counts[bucket]! += 1;
    this.#count += 1;
    this.#sum += value;
    this.#max = Math.max(this.#max, value);
  }

  get count(): number {
    return this.#count;
  }

  /** The upper bound of the bucket that holds the q-quantile; 0 when empty. */
  quantile(q: number): number {
    let left = Math.ceil(q * this.#count);
    for (const [index, count] of this.#counts.entries()) {
      left -= count;
      if (left <= 0) return Math.min(this.#bounds[index] ?? this.#max, this.#max);
    }
    return this.#max;
  }

  report(): HistogramReport {
    return {
      bounds: [...this.#bounds],
      counts: [...this.#counts],
      count: this.#count,
      sum: this.#sum,
      max: this.#max,
    };
  }
}
