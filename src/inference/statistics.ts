/**
 * Nearest-rank percentile of unordered values.
 * @param share between 0 and 1: 0.5 is the median
 * @returns NaN for no values
 */
export function percentile(values: ArrayLike<number>, share: number): number {
  if (values.length === 0) return Number.NaN;
  const sorted = Float64Array.from(values).sort();
  const rank = Math.ceil(share * sorted.length) - 1;
  return sorted[Math.min(Math.max(rank, 0), sorted.length - 1)]!;
}
