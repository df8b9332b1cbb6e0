import { clearScreenDown, moveCursor } from 'node:readline';
import { styleText } from 'node:util';
import type { StepResult } from './tour.ts';

/** What the panel under the steps shows. */
export interface TourStatus {
  readonly brokerName: string;
  readonly brokerRunning: boolean;
  readonly agentPid: number | undefined;
  readonly activeVersion: string;
  readonly activePath: string;
  readonly update: string;
  readonly chunksPresent: number;
  readonly chunksTotal: number;
  readonly lastLabel: string;
  readonly lastConfidence: number;
  /** Confidence of the latest windows, 0 to 1. */
  readonly recent: readonly number[];
  readonly inferences: number;
  readonly received: number;
  readonly waiting: number;
}

/** Where the tour is shown: a terminal that is redrawn, or plain lines. */
export interface TourView {
  /** A step begins. */
  begin(title: string): void;
  note(text: string): void;
  end(result: StepResult): void;
  refresh(status: TourStatus): void;
  close(): void;
}

type Write = (text: string) => void;

export class PlainView implements TourView {
  readonly #write: Write;

  constructor(write: Write) {
    this.#write = write;
  }

  begin(title: string): void {
    this.#write(`${title}\n`);
  }

  note(text: string): void {
    this.#write(`    ${text}\n`);
  }

  end(result: StepResult): void {
    this.#write(`  ${result.ok ? 'ok' : 'FAILED'}: ${result.reason}\n`);
  }

  refresh(): void {}
  close(): void {}
}

const BAR_CELLS = 24;
const MIN_WIDTH = 40;
const DEFAULT_WIDTH = 80;
const SPARK = '▁▂▃▄▅▆▇█';
const SPARK_CELLS = 48;

/** Steps scroll by above; a panel of what the fleet sees stands below. */
export class LiveView implements TourView {
  readonly #stream: NodeJS.WriteStream;
  #panelLines = 0;
  #status: TourStatus | undefined;

  constructor(stream: NodeJS.WriteStream) {
    this.#stream = stream;
  }

  begin(title: string): void {
    this.#line(styleText('bold', title));
  }

  note(text: string): void {
    const width = this.#width() - 5;
    const shown = text.length > width ? `${text.slice(0, width - 1)}…` : text;
    this.#line(styleText('dim', `    ${shown}`));
  }

  end(result: StepResult): void {
    const mark = result.ok ? styleText('green', '✔') : styleText('red', '✘');
    this.#line(`  ${mark} ${result.reason}`);
  }

  refresh(status: TourStatus): void {
    this.#status = status;
    this.#erase();
    this.#draw();
  }

  close(): void {
    this.#erase();
    this.#status = undefined;
  }

  #line(text: string): void {
    this.#erase();
    this.#stream.write(`${text}\n`);
    this.#draw();
  }

  #erase(): void {
    if (this.#panelLines === 0) return;
    moveCursor(this.#stream, 0, -this.#panelLines);
    this.#stream.write('\r');
    clearScreenDown(this.#stream);
    this.#panelLines = 0;
  }

  #width(): number {
    return Math.max(MIN_WIDTH, this.#stream.columns ?? DEFAULT_WIDTH) - 1;
  }

  #draw(): void {
    if (this.#status === undefined) return;
    const lines = panel(this.#status).map((line) => line.slice(0, this.#width()));
    this.#stream.write(`${styleText('cyan', lines.join('\n'))}\n`);
    this.#panelLines = lines.length;
  }
}

function panel(status: TourStatus): string[] {
  const { chunksPresent, chunksTotal } = status;
  const filled = chunksTotal === 0 ? 0 : Math.round((chunksPresent / chunksTotal) * BAR_CELLS);
  const bar = '█'.repeat(filled).padEnd(BAR_CELLS, '░');
  const spark = status.recent
    .slice(-SPARK_CELLS)
    .map((value) => SPARK[Math.min(SPARK.length - 1, Math.floor(value * SPARK.length))])
    .join('');
  const agent = status.agentPid === undefined ? 'killed' : `pid ${status.agentPid}`;
  const broker = status.brokerRunning ? status.brokerName : `${status.brokerName} killed`;
  return [
    '─'.repeat(72),
    ` broker ${broker} · agent ${agent} · model v${status.activeVersion} on ${status.activePath}`,
    ` update ${bar} ${chunksPresent}/${chunksTotal} chunks  ${status.update}`,
    ` now    ${status.lastLabel.padEnd(14)} ${(status.lastConfidence * 100).toFixed(0).padStart(3)} %  ${spark}`,
    ` ${status.inferences} inferences · ${status.received} messages received · ${status.waiting} waiting`,
  ];
}

/** The table at the end. */
export function stepTable(steps: readonly StepResult[]): string {
  const nameWidth = Math.max(...steps.map(({ name }) => name.length));
  const rows = steps.map(({ name, ok, reason }) =>
    [`${ok ? ' ok ' : 'FAIL'}`, name.padEnd(nameWidth), reason].join('  '),
  );
  return `${rows.join('\n')}\n`;
}
