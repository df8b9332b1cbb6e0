import type { Clock } from '../../src/core/index.ts';

interface Sleeper {
  readonly untilMs: number;
  readonly wake: () => void;
}

/** Turns of the event loop without a new sleeper after which nothing else can be going on in memory. */
const QUIET_TURNS = 24;

/**
 * Time that passes only when nothing else happens: a timeout comes at once where its answer does not, and never
 * before an answer that comes.
 */
export class EagerClock implements Clock {
  #nowMs = 1_000_000;
  #quietTurns = 0;
  #isPumping = false;
  readonly #sleepers = new Set<Sleeper>();

  nowMs(): number {
    return this.#nowMs;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  /** Whatever happens on a line says so. */
  stir(): void {
    this.#quietTurns = 0;
  }

  sleep(durationMs: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const sleeper: Sleeper = {
        untilMs: this.#nowMs + durationMs,
        wake: () => {
          signal?.removeEventListener('abort', onAbort);
          resolve();
        },
      };
      const onAbort = (): void => {
        this.#sleepers.delete(sleeper);
        reject(signal?.reason);
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#sleepers.add(sleeper);
      this.#quietTurns = 0;
      this.#pump();
    });
  }

  #pump(): void {
    if (this.#isPumping) return;
    this.#isPumping = true;
    const turn = (): void => {
      if (this.#sleepers.size === 0) {
        this.#isPumping = false;
        return;
      }
      if (++this.#quietTurns >= QUIET_TURNS) this.#advance();
      setImmediate(turn);
    };
    setImmediate(turn);
  }

  #advance(): void {
    this.#quietTurns = 0;
    this.#nowMs = Math.max(
      this.#nowMs,
      Math.min(...[...this.#sleepers].map(({ untilMs }) => untilMs)),
    );
    for (const sleeper of [...this.#sleepers]) {
      if (sleeper.untilMs > this.#nowMs) continue;
      this.#sleepers.delete(sleeper);
      sleeper.wake();
    }
  }
}
