/** Numbers remembered out of order before the oldest gap is given up as lost. */
const MAX_HELD_SEQUENCES = 100_000;

/**
 * De-duplicates one device's messages by their outbox number: delivery is at least once, numbers have
 * no gaps. `missing` is what was sent and has not arrived.
 */
export class SequenceTracker {
  /** Everything up to here has arrived. */
  #complete = 0;
  readonly #beyond = new Set<number>();
  #highest = 0;
  #duplicates = 0;

  /** @returns false for a message that was there already */
  accept(sequence: number): boolean {
    if (sequence <= this.#complete || this.#beyond.has(sequence)) {
      this.#duplicates += 1;
      return false;
    }
    this.#beyond.add(sequence);
    this.#highest = Math.max(this.#highest, sequence);
    this.#advance();
    if (this.#beyond.size > MAX_HELD_SEQUENCES) {
      this.#complete = Math.min(...this.#beyond) - 1;
      this.#advance();
    }
    return true;
  }

  get receivedCount(): number {
    return this.#complete + this.#beyond.size;
  }

  get duplicateCount(): number {
    return this.#duplicates;
  }

  get highest(): number {
    return this.#highest;
  }

  get missingCount(): number {
    return this.#highest - this.receivedCount;
  }

  #advance(): void {
    while (this.#beyond.delete(this.#complete + 1)) this.#complete += 1;
  }
}
