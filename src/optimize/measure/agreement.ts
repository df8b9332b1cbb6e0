import type { Agreement } from '../report-document.ts';

/** Results of a model over many inputs, row by row: a row is the last dimension, one answer of a classifier. */
export interface Rows {
  readonly count: number;
  readonly width: number;
  /** A batch, or a sequence, gives several for one input. */
  readonly perInput: number;
  /** Row-major. */
  readonly values: Float32Array;
}

export function rowOf({ values, width }: Rows, row: number): Float32Array {
  return values.subarray(row * width, (row + 1) * width);
}

/** Index of the largest value, the first of equals. */
export function argmax(values: ArrayLike<number>): number {
  let best = 0;
  for (let index = 1; index < values.length; index++)
    if (values[index]! > values[best]!) best = index;
  return best;
}

/** Signal and error of values that come a piece at a time. */
export class ErrorSum {
  signal = 0;
  error = 0;
  maxAbsError = 0;

  add(reference: ArrayLike<number>, found: ArrayLike<number>): void {
    for (let index = 0; index < reference.length; index++) {
      const wanted = reference[index]!;
      const miss = found[index]! - wanted;
      if (!Number.isFinite(miss)) {
        // No number where float has one: nothing could be worse, and a report holds numbers only.
        this.error = Number.POSITIVE_INFINITY;
        this.maxAbsError = Number.MAX_VALUE;
        continue;
      }
      this.signal += wanted * wanted;
      this.error += miss * miss;
      if (Math.abs(miss) > this.maxAbsError) this.maxAbsError = Math.abs(miss);
    }
  }

  /** 10 log10 of signal over error, to a hundredth of a decibel; null without any error. */
  get sqnrDb(): number | null {
    return decibels(this.signal, this.error);
  }
}

/** Silence with an error on it has no ratio to speak of: this stands for it. */
const LEAST_DB = -99;

export function decibels(signal: number, error: number): number | null {
  if (error === 0) return null;
  if (signal === 0 || error === Number.POSITIVE_INFINITY) return LEAST_DB;
  return Math.max(LEAST_DB, Math.round(1000 * Math.log10(signal / error)) / 100);
}

/** How close results are to the reference's, row by row. */
export function agreementOf(reference: Rows, found: Rows): Agreement {
  const sum = new ErrorSum();
  const classes = new Map<number, { same: number; all: number }>();
  let same = 0;
  for (let row = 0; row < reference.count; row++) {
    const [wanted, got] = [rowOf(reference, row), rowOf(found, row)];
    sum.add(wanted, got);
    const name = argmax(wanted);
    const entry = classes.get(name) ?? { same: 0, all: 0 };
    entry.all += 1;
    if (argmax(got) === name) {
      entry.same += 1;
      same += 1;
    }
    classes.set(name, entry);
  }
  const shares = [...classes.values()].map((entry) => entry.same / entry.all);
  return {
    sqnrDb: sum.sqnrDb,
    maxAbsError: sum.maxAbsError,
    top1: same / Math.max(reference.count, 1),
    top1ByClass: shares.reduce((total, share) => total + share, 0) / Math.max(shares.length, 1),
    // Whatever it always says, it is right about one class and wrong about the others.
    constantPredictor: 1 / Math.max(shares.length, 1),
  };
}

/** Share of rows whose largest value is at the label. */
export function accuracyOf(rows: Rows, labels: Int32Array): number {
  let right = 0;
  for (let row = 0; row < rows.count; row++)
    if (argmax(rowOf(rows, row)) === labels[row]) right += 1;
  return right / Math.max(rows.count, 1);
}
