import type { CommandIo } from './command.ts';

/** A terminal's line is drawn again at most so often. */
const REDRAW_MS = 100;
const BAR_CELLS = 24;
const CLEAR_LINE = '\r\x1b[2K';

/** Progress on standard error: a bar that redraws itself on a terminal, else a line for each new task. */
export class ProgressLine {
  readonly #io: CommandIo;
  readonly #nowMs: () => number;
  #task = '';
  #startedMs = 0;
  #drawnMs = Number.NEGATIVE_INFINITY;

  constructor(io: CommandIo, nowMs: () => number) {
    this.#io = io;
    this.#nowMs = nowMs;
  }

  /**
   * @param detail in the place of counts and the time left, where the caller knows better; after them from a comma on
   */
  show(task: string, done: number, total: number, detail?: string): void {
    const nowMs = this.#nowMs();
    if (task !== this.#task) {
      this.#task = task;
      this.#startedMs = nowMs;
      this.#drawnMs = Number.NEGATIVE_INFINITY;
      if (!this.#io.interactive) this.#io.err(`${task}\n`);
    }
    if (!this.#io.interactive || (nowMs - this.#drawnMs < REDRAW_MS && done < total)) return;
    this.#drawnMs = nowMs;
    const share = total === 0 ? 0 : done / total;
    const cells = Math.round(share * BAR_CELLS);
    const bar = '█'.repeat(cells) + '░'.repeat(BAR_CELLS - cells);
    const more = detail === undefined || detail === '' || detail.startsWith(',');
    if (!more) {
      this.#io.err(`${CLEAR_LINE}${bar} ${task} ${detail}`);
      return;
    }
    const leftS = share === 0 ? undefined : ((nowMs - this.#startedMs) * (1 / share - 1)) / 1000;
    const left = leftS === undefined || leftS < 1 ? '' : `, ${leftS.toFixed(0)} s left`;
    this.#io.err(`${CLEAR_LINE}${bar} ${task} ${done}/${total}${left}${detail ?? ''}`);
  }

  /** Clears the bar, so that what follows stands on a line of its own. */
  end(): void {
    if (this.#io.interactive && this.#task !== '') this.#io.err(CLEAR_LINE);
    this.#task = '';
  }
}
