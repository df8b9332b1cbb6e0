import { type Affine, affineOf, INT8_HIGH, INT8_LOW, type Range } from '../quantize/affine.ts';
import type { Bins, Histogram } from './histogram.ts';

/** How the range of an activation is chosen from what calibration saw. */
export type RangeMethod = 'mse' | 'minmax' | 'percentile';
export const RANGE_METHODS: readonly RangeMethod[] = ['mse', 'minmax', 'percentile'];

/**
 * `percentile` leaves this share of the values out at each end, however large they are: no
 * histogram tells a value that carries the signal from one that a sensor got wrong. Runs of the
 * model do (`quantizeInt8`).
 */
const PERCENTILE_TAIL = 1e-4;
/** `mse` tries ends from 100 % down to this share of the extreme, in steps of `MSE_STEP`. */
const MSE_LEAST = 0.3;
const MSE_STEP = 0.02;
/** Each end in turn, so often. */
const MSE_ROUNDS = 2;

/** @returns a range that holds 0; low = high = 0 where nothing but zero was seen */
export function chooseRange(histogram: Histogram, method: RangeMethod): Range {
  const seen = { low: Math.min(histogram.min, 0), high: Math.max(histogram.max, 0) };
  if (histogram.count === 0 || seen.low === seen.high) return { low: 0, high: 0 };
  if (method === 'minmax') return seen;
  const bins = histogram.bins();
  return method === 'percentile' ? percentileRange(bins, seen) : leastErrorRange(bins, seen);
}

function percentileRange({ centers, counts }: Bins, seen: Range): Range {
  const total = counts.reduce((sum, count) => sum + count, 0);
  const cut = total * PERCENTILE_TAIL;
  const end = (indices: Iterable<number>, extreme: number): number => {
    let passed = 0;
    for (const index of indices) {
      passed += counts[index]!;
      if (passed > cut) return passed === counts[index] ? extreme : centers[index]!;
    }
    return extreme;
  };
  const low = end(counts.keys(), seen.low);
  const high = end([...counts.keys()].reverse(), seen.high);
  return { low: Math.min(low, 0), high: Math.max(high, 0) };
}

/** Least sum of squared errors over the histogram: an end is pulled in where clipping costs less than coarse steps. */
function leastErrorRange(bins: Bins, seen: Range): Range {
  let best = seen;
  let least = squaredError(bins, affineOf(best));
  for (let round = 0; round < MSE_ROUNDS; round++) {
    for (const end of ['low', 'high'] as const) {
      if (seen[end] === 0) continue;
      for (let share = 1; share >= MSE_LEAST; share -= MSE_STEP) {
        const candidate = { ...best, [end]: seen[end] * share };
        const error = squaredError(bins, affineOf(candidate));
        if (error < least) {
          least = error;
          best = candidate;
        }
      }
    }
  }
  return best;
}

function squaredError({ centers, counts }: Bins, { scale, zeroPoint }: Affine): number {
  const perStep = 1 / scale;
  const [lowest, highest] = [INT8_LOW - zeroPoint, INT8_HIGH - zeroPoint];
  let sum = 0;
  for (let bin = 0; bin < centers.length; bin++) {
    const steps = Math.round(centers[bin]! * perStep);
    const kept = steps < lowest ? lowest : steps > highest ? highest : steps;
    const error = kept * scale - centers[bin]!;
    sum += counts[bin]! * error * error;
  }
  return sum;
}
