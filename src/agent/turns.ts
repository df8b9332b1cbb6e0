/** One at a time, in the order of asking: a serial line, the transfers. */
export class Turns {
  #last: Promise<unknown> = Promise.resolve();
  #waiting = 0;

  /** Somebody has the turn, or waits for it. */
  get isTaken(): boolean {
    return this.#waiting > 0;
  }

  /** Whose signal is aborted by then does not get the turn. */
  async run<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    this.#waiting += 1;
    const turn = this.#last.then(() => {
      signal?.throwIfAborted();
      return work();
    });
    this.#last = turn.catch(() => {});
    try {
      return await turn;
    } finally {
      this.#waiting -= 1;
    }
  }
}
