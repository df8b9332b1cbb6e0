/** Every number of the page is written here, so that the same figure reads the same wherever it stands. */

const KILO = 1e3;
const MEGA = 1e6;
export const NOTHING = '–';
/** Between a figure and its unit no line breaks. */
const SPACE = '\u00a0';

/** A unit that fits a set of values: divide by `divisor`, write `name`. */
export interface Unit {
  readonly name: string;
  readonly divisor: number;
}

const grouped = new Intl.NumberFormat('en-US', { maximumFractionDigits: 12 });
const threeDigits = new Intl.NumberFormat('en-US', { maximumSignificantDigits: 3 });

/** A typographic minus is as wide as a plus, so that columns line up. */
function withMinus(text: string): string {
  return text.replace('-', '\u2212');
}

function fixed(value: number, digits: number): string {
  const format = { minimumFractionDigits: digits, maximumFractionDigits: digits };
  return withMinus(value.toLocaleString('en-US', format));
}

/** Three significant digits, in powers of ten where plain digits would not be read. */
export function significant(value: number): string {
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-4 || size >= 1e7)) return withMinus(value.toExponential(2));
  return size >= 1000 ? fixed(value, 0) : withMinus(threeDigits.format(value));
}

/** Three digits with their zeros, for figures that carry a unit: 7.10, 71.0, 710. */
function threeFigures(value: number): string {
  const size = Math.abs(value);
  if (size >= 99.95) return fixed(value, 0);
  return fixed(value, size >= 9.995 ? 1 : 2);
}

export function count(value: number): string {
  return withMinus(grouped.format(value));
}

export function plural(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}

export function byteUnit(largestBytes: number): Unit {
  if (largestBytes >= MEGA) return { name: 'MB', divisor: MEGA };
  return largestBytes >= KILO ? { name: 'kB', divisor: KILO } : { name: 'B', divisor: 1 };
}

export function bytes(value: number): string {
  const unit = byteUnit(value);
  const scaled = value / unit.divisor;
  return `${unit.divisor === 1 ? count(value) : threeFigures(scaled)}${SPACE}${unit.name}`;
}

export function timeUnit(largestUs: number): Unit {
  if (largestUs >= 1e6) return { name: 's', divisor: 1e6 };
  return largestUs >= 1000 ? { name: 'ms', divisor: 1000 } : { name: 'µs', divisor: 1 };
}

export function duration(valueUs: number): string {
  const unit = timeUnit(valueUs);
  return `${threeFigures(valueUs / unit.divisor)}${SPACE}${unit.name}`;
}

/** Writes an axis's numbers with the same digits after the point: 0.8, 1.0, 1.2. */
export function tickWriter(ticks: readonly number[]): (tick: number) => string {
  const largest = ticks.reduce((most, tick) => Math.max(most, Math.abs(tick)), 0);
  if (largest < 1e-3 || largest >= 1e7) return significant;
  const digits = ticks.map((tick) => String(tick).split('.')[1]?.length ?? 0);
  const most = Math.max(...digits);
  return (tick) => (tick === 0 ? '0' : fixed(tick, most));
}

/** Multiply-accumulates, of which small models have thousands and large ones billions. */
export function operations(value: number): string {
  if (value >= 1e9) return `${threeFigures(value / 1e9)}${SPACE}G`;
  if (value >= 1e6) return `${threeFigures(value / 1e6)}${SPACE}M`;
  return value >= 1e4 ? `${threeFigures(value / 1e3)}${SPACE}k` : count(value);
}

/** A share as a percentage that says 0 or 100 only where it is exactly that. */
export function percent(share: number): string {
  if (share === 0) return '0%';
  if (share === 1) return '100%';
  if (share > 0 && share < 0.0005) return '<0.1%';
  if (share < 1 && share > 0.9995) return '>99.9%';
  return `${fixed(share * 100, 1)}%`;
}

/** A difference of two shares, in percentage points. */
export function points(difference: number): string {
  const value = Math.abs(difference * 100) < 0.005 ? 0 : difference * 100;
  return value === 0 && difference !== 0
    ? `<0.01${SPACE}points`
    : `${fixed(value, 2)}${SPACE}points`;
}

/** A ratio of signal to error; null where there is no error at all. */
export function decibels(value: number | null): string {
  return value === null ? 'identical' : `${fixed(value, 1)}${SPACE}dB`;
}

/** A small share, such as that of the signal that an error is, to three figures. */
export function smallShare(share: number): string {
  if (share === 0) return '0%';
  return share < 0.00005 ? '<0.01%' : `${threeFigures(share * 100)}%`;
}

/** The share of the signal that the error is, from decibels of power: 20 dB is a tenth. */
export function errorShare(sqnrDb: number): string {
  return sqnrDb < 0 ? 'more than all' : smallShare(10 ** (-sqnrDb / 20));
}

/** `value` as a multiple of `reference`: 0.27 ×. */
export function multiple(value: number, reference: number): string {
  if (!(reference > 0)) return NOTHING;
  const ratio = value / reference;
  return `${ratio < 0.095 ? significant(ratio) : threeFigures(ratio)}×`;
}

export function shape(dimensions: readonly number[]): string {
  return dimensions.length === 0 ? 'scalar' : dimensions.map(String).join('×');
}

export function yesNo(value: boolean): string {
  return value ? 'yes' : 'no';
}

/** ISO 8601 to minutes; what is not a date stays as it is. */
export function date(text: string): string {
  const time = new Date(text);
  if (Number.isNaN(time.getTime())) return text;
  return `${time.toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}

/** Cuts the middle out of a long name: the ends of tensor names tell them apart. */
export function shorten(text: string, maxCharacters: number): string {
  const characters = [...text];
  if (characters.length <= maxCharacters) return text;
  const tail = Math.floor((maxCharacters - 1) / 2);
  const head = maxCharacters - 1 - tail;
  return `${characters.slice(0, head).join('')}…${characters.slice(-tail).join('')}`;
}
