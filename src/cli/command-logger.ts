import { createLogger, type Logger, systemClock } from '../core/index.ts';
import type { CommandIo } from './command.ts';

/** Warnings and errors, as text on standard error. */
export function commandLogger(io: CommandIo): Logger {
  return createLogger({
    level: 'warn',
    format: 'text',
    nowMs: systemClock.nowMs,
    write: (line) => io.err(`${line}\n`),
  });
}
