import type { Command } from 'commander';

/** What a command may touch of the process around it. */
export interface CommandIo {
  /** Writes text to standard output; for results. */
  readonly out: (text: string) => void;
  /** Writes text to standard error; for progress and warnings. */
  readonly err: (text: string) => void;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Whether standard error is a terminal that progress may redraw. */
  readonly interactive: boolean;
  /** Aborted by SIGINT and SIGTERM. */
  readonly signal: AbortSignal;
}

/** One file a command: makes the commander command with its options, help and action. */
export type CommandFactory = (io: CommandIo) => Command;
