import { DunlinError } from '../core/index.ts';

const DAY_MS = 24 * 60 * 60 * 1000;
const MAX_DAYS = 3650;

/** Collects an option that may be given several times. */
export function collect(value: string, before: readonly string[]): string[] {
  return [...before, value];
}

/** @throws `usage` */
export function numberValue(text: string, option: string): number {
  const value = Number(text);
  if (text.trim() !== '' && Number.isFinite(value)) return value;
  throw new DunlinError(`${option}: "${text}" is not a number`, { code: 'usage' });
}

/** @throws `usage` */
export function integerValue(text: string, option: string): number {
  const value = numberValue(text, option);
  if (Number.isSafeInteger(value) && value > 0) return value;
  throw new DunlinError(`${option}: "${text}" is no whole number above 0`, { code: 'usage' });
}

const MAX_COUNTER = 2 ** 32 - 1;

/** Of an image: 32 bits without sign. @throws `usage` */
export function counterValue(text: string, option: string): number {
  const value = numberValue(text, option);
  if (Number.isSafeInteger(value) && value >= 0 && value <= MAX_COUNTER) return value;
  throw new DunlinError(`${option}: "${text}" is no whole number from 0 to ${MAX_COUNTER}`, {
    code: 'usage',
  });
}

/** A lifetime in days, fractions allowed, as milliseconds. @throws `usage` */
export function daysMs(text: string, option: string): number {
  const days = numberValue(text, option);
  if (days > 0 && days <= MAX_DAYS) return days * DAY_MS;
  throw new DunlinError(`${option}: "${text}" is no number of days up to ${MAX_DAYS}`, {
    code: 'usage',
  });
}
