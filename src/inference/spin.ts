/** After so many waits in vain in a row, one in this many is tried without sleeping. */
const MAX_SKIPS = 64;

/**
 * Whether waiting without sleeping is worth it. Where every core has work, it only keeps the other side from running:
 * each wait in vain doubles the number of waits that sleep at once, one that pays ends that.
 */
export class SpinJudge {
  #skips = 0;
  #skipsLeft = 0;

  /** Asked before each wait. */
  worth(): boolean {
    if (this.#skipsLeft === 0) return true;
    this.#skipsLeft -= 1;
    return false;
  }

  /** Told after each wait that did not sleep at once. */
  note(paid: boolean): void {
    this.#skips = paid ? 0 : Math.min(MAX_SKIPS, Math.max(1, this.#skips * 2));
    this.#skipsLeft = this.#skips;
  }
}
