import { invalid } from './fail.ts';
import { FLOAT32_BYTES, MAX_SAMPLE_BYTES, MAX_SAMPLES } from './sample-set.ts';

/** `count` of `totalCount` indices, evenly spread, the first among them. */
export function spreadIndices(totalCount: number, count: number): number[] {
  return Array.from({ length: count }, (_, index) => Math.floor((index * totalCount) / count));
}

/**
 * Which of a file's samples are taken: all, or `maxCount` evenly spread.
 * @throws `input-invalid` when there are none, or more than one set may hold
 */
export function takeIndices(
  what: string,
  totalCount: number,
  elementCount: number,
  maxCount = totalCount,
): number[] {
  const count = Math.min(totalCount, maxCount);
  if (count === 0) throw invalid(what, 'holds no samples');
  checkAmount(what, count, elementCount);
  return spreadIndices(totalCount, count);
}

/** @throws `input-invalid` when so many samples are more than one set may hold */
export function checkAmount(what: string, count: number, elementCount: number): void {
  if (count > MAX_SAMPLES) throw invalid(what, `more than ${MAX_SAMPLES} samples; take fewer`);
  if (count * elementCount * FLOAT32_BYTES > MAX_SAMPLE_BYTES) {
    throw invalid(
      what,
      `samples of ${elementCount} values, ${count} or more of them, need more than ` +
        `${MAX_SAMPLE_BYTES} bytes; take fewer`,
    );
  }
}
