export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** A message, or a function that makes one when the level is wanted. */
export type LogMessage = string | (() => string);
export type LogFields = Readonly<Record<string, string | number | boolean | null | undefined>>;

export interface Logger {
  debug(message: LogMessage, fields?: LogFields): void;
  info(message: LogMessage, fields?: LogFields): void;
  warn(message: LogMessage, fields?: LogFields): void;
  error(message: LogMessage, fields?: LogFields): void;
  /** A logger whose lines carry the room's name. */
  child(room: string): Logger;
}

export interface LoggerOptions {
  readonly level: LogLevel;
  /** Takes one line without its newline. */
  readonly write: (line: string) => void;
  readonly nowMs: () => number;
  /** `json`: one object a line; `text`: for people. */
  readonly format: 'json' | 'text';
}

export function createLogger(options: LoggerOptions, room = 'dunlin'): Logger {
  const threshold = LOG_LEVELS.indexOf(options.level);
  const log = (level: LogLevel, message: LogMessage, fields: LogFields = {}): void => {
    if (LOG_LEVELS.indexOf(level) < threshold) return;
    const text = typeof message === 'string' ? message : message();
    const time = new Date(options.nowMs()).toISOString();
    if (options.format === 'json') {
      options.write(JSON.stringify({ time, level, room, message: text, ...fields }));
      return;
    }
    const tail = Object.entries(fields)
      .filter(([, value]) => value !== undefined)
      .map(([key, value]) => ` ${key}=${String(value)}`)
      .join('');
    options.write(`${time} ${level.padEnd(5)} ${room}: ${text}${tail}`);
  };
  return {
    debug: (message, fields) => log('debug', message, fields),
    info: (message, fields) => log('info', message, fields),
    warn: (message, fields) => log('warn', message, fields),
    error: (message, fields) => log('error', message, fields),
    child: (name) => createLogger(options, name),
  };
}

/** For callers that want no log. */
export const silentLogger: Logger = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
  child: () => silentLogger,
};
