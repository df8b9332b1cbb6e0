import type { Calibration } from '../calibrate/calibrate.ts';
import { Histogram } from '../calibrate/histogram.ts';
import { chooseRange, type RangeMethod } from '../calibrate/ranges.ts';
import { type Affine, affineOf, type Range, rangeOf, sameAffine } from './affine.ts';
import { ALWAYS_ZERO } from './tensor-places.ts';

/**
 * So many times as wide may a range become for those who read a tensor. Two bits of the eight are
 * worth a QUANTIZE; for less, its own rounding often costs as much as it saves.
 */
const MOST_WIDER = 4;
/** Of a QUANTIZE's input to its output: what the verifier takes, less what scales change by later. */
const FACTORS = { least: 2 ** -30, most: 2 ** 8 };

/** Tensors that share parameters: disjoint sets, each with at most one pair that a kernel has built in. */
export class TensorGroups {
  readonly #calibration: Calibration;
  readonly #parents = new Map<number, number>();
  readonly #fixed = new Map<number, Affine>();
  readonly #members = new Map<number, number[]>();
  /** Width of the narrowest range in a group whose steps are of use to somebody. */
  readonly #relied = new Map<number, number>();

  constructor(calibration: Calibration) {
    this.#calibration = calibration;
    for (const tensor of calibration.keys()) this.#members.set(tensor, [tensor]);
  }

  fix(tensor: number, affine: Affine): void {
    this.#fixed.set(tensor, affine);
  }

  join(a: number, b: number): void {
    const [left, right] = [this.#root(a), this.#root(b)];
    if (left === right) return;
    const fixed = this.#fixed.get(left) ?? this.#fixed.get(right);
    if (fixed !== undefined && !(this.#accepts(left, fixed) && this.#accepts(right, fixed))) return;
    this.#members.set(left, [...this.members(left), ...this.members(right)]);
    this.#parents.set(right, left);
    if (fixed !== undefined) this.#fixed.set(left, fixed);
    this.#relied.set(left, Math.min(this.#reliedOn(left), this.#reliedOn(right)));
  }

  /** Joins a tensor with one that it is moved into, unless that makes steps coarse for others. */
  meet(output: number, source: number): void {
    const [left, right] = [this.#root(output), this.#root(source)];
    const fixed = this.#fixed.get(left) ?? this.#fixed.get(right);
    const joint = fixed === undefined ? this.#seen(left, right) : rangeOf(fixed);
    const relied = Math.min(this.#reliedOn(left), this.#reliedOn(right));
    const factor = this.spanOf(right) / this.spanOf(left);
    const apart = factor < FACTORS.least || factor > FACTORS.most;
    if (joint.high - joint.low <= MOST_WIDER * relied || apart) this.join(output, source);
  }

  /** Somebody computes with a tensor, in the steps that its group has so far. */
  rely(tensor: number): void {
    const root = this.#root(tensor);
    const span = this.spanOf(root);
    if (span > 0) this.#relied.set(root, Math.min(this.#reliedOn(root), span));
  }

  /** Steps finer than those of a range this wide are of no use to those who rely on a tensor. */
  relax(tensor: number, span: number): void {
    const root = this.#root(tensor);
    this.#relied.set(root, Math.max(this.#reliedOn(root), span));
  }

  /** Width of the range of a tensor's group. */
  spanOf(tensor: number): number {
    const root = this.#root(tensor);
    const fixed = this.#fixed.get(root);
    const { low, high } = fixed === undefined ? this.#seen(root) : rangeOf(fixed);
    return high - low;
  }

  members(tensor: number): readonly number[] {
    return this.#members.get(this.#root(tensor)) ?? [tensor];
  }

  /** What gets other parameters together with a tensor: it alone, where its group's are built into a kernel. */
  free(tensor: number): readonly number[] {
    return this.#fixed.has(this.#root(tensor)) ? [tensor] : this.members(tensor);
  }

  affines(method: RangeMethod): Map<number, Affine> {
    const found = new Map<number, Affine>();
    for (const tensor of this.#calibration.keys()) {
      const root = this.#root(tensor);
      if (!found.has(root)) found.set(root, this.#fixed.get(root) ?? this.#choose(root, method));
      found.set(tensor, found.get(root)!);
    }
    return found;
  }

  #reliedOn(root: number): number {
    return this.#relied.get(root) ?? Number.POSITIVE_INFINITY;
  }

  #choose(root: number, method: RangeMethod): Affine {
    const range = chooseRange(this.#histogram(root), method);
    return range.low === range.high ? ALWAYS_ZERO : affineOf(range);
  }

  #histogram(root: number): Histogram {
    const merged = new Histogram();
    for (const member of this.members(root)) {
      const statistics = this.#calibration.get(member);
      if (statistics !== undefined) merged.merge(statistics.histogram);
    }
    return merged;
  }

  /** All that calibration saw of groups, and 0. */
  #seen(...roots: readonly number[]): Range {
    let [low, high] = [0, 0];
    for (const member of roots.flatMap((root) => this.members(root))) {
      const { min = 0, max = 0 } = this.#calibration.get(member)?.histogram ?? {};
      low = Math.min(low, min);
      high = Math.max(high, max);
    }
    return { low, high };
  }

  /** A group with nothing built in is accepted only for one step more than its range: a clipped sum is a wrong one. */
  #accepts(root: number, affine: Affine): boolean {
    const own = this.#fixed.get(root);
    if (own !== undefined) return sameAffine(own, affine);
    const { low, high } = rangeOf(affine);
    const seen = this.#seen(root);
    return seen.low >= low - affine.scale && seen.high <= high + affine.scale;
  }

  #root(tensor: number): number {
    let root = tensor;
    for (
      let parent = this.#parents.get(root);
      parent !== undefined;
      parent = this.#parents.get(root)
    ) {
      root = parent;
    }
    return root;
  }
}
