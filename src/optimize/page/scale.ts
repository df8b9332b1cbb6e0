/** From values to positions, with ticks at round numbers. Pure; the charts put every mark where these say. */

export interface Scale {
  readonly kind: 'linear' | 'log';
  readonly low: number;
  readonly high: number;
  /** Ascending, round, within `low` and `high`. */
  readonly ticks: readonly number[];
  /** Where a value stands in the range; values outside stand at its ends. */
  position(value: number): number;
}

export interface ScaleOptions {
  /** Smallest and largest value to show. */
  readonly low: number;
  readonly high: number;
  /** Positions of `low` and `high`; the first may be the larger one, as it is for heights in SVG. */
  readonly range: readonly [number, number];
  /** About how many ticks. */
  readonly tickCount: number;
}

export interface LinearOptions extends ScaleOptions {
  /** Ends at the values given, not at the next round ones. */
  readonly exactEnds?: boolean;
  /** No finer than this: 1 where only whole numbers mean something. */
  readonly minStep?: number;
}

/** Beyond these, sums and steps would leave what a double can hold. */
const MAX_VALUE = 1e300;
const MIN_SPAN = 1e-290;
/** A narrower domain is widened: its ticks would differ in digits that nobody reads. */
const MIN_RELATIVE_SPAN = 1e-6;
/** Digits that survive the sums, and no more, so that 3 × 0.1 is 0.3. */
const TICK_DIGITS = 12;

function clamp(value: number, low: number, high: number): number {
  return Math.min(Math.max(value, low), high);
}

function round(value: number): number {
  return Number(value.toPrecision(TICK_DIGITS));
}

/**
 * The step of 1, 2 or 5 times a power of ten that gives about `tickCount` steps. The bounds between them are the
 * geometric means, as in Wilkinson's and d3's ticks.
 */
export function niceStep(span: number, tickCount: number): number {
  const rough = span / tickCount;
  const power = 10 ** Math.floor(Math.log10(rough));
  const mantissa = rough / power;
  if (mantissa >= Math.sqrt(50)) return 10 * power;
  if (mantissa >= Math.sqrt(10)) return 5 * power;
  return (mantissa >= Math.sqrt(2) ? 2 : 1) * power;
}

/** A domain with some extent, around the same middle. */
function widen(low: number, high: number): [number, number] {
  const size = Math.max(Math.abs(low), Math.abs(high));
  if (high - low >= Math.max(size * MIN_RELATIVE_SPAN, MIN_SPAN)) return [low, high];
  const half = size === 0 ? 0.5 : Math.max(size * MIN_RELATIVE_SPAN, MIN_SPAN);
  return [low - half, high + half];
}

function multiplesOf(step: number, low: number, high: number): number[] {
  const [first, last] = [Math.ceil(low / step - 1e-9), Math.floor(high / step + 1e-9)];
  const length = Math.max(last - first + 1, 0);
  return Array.from({ length }, (_, index) => round((first + index) * step));
}

export function linearScale(options: LinearOptions): Scale {
  const { range, tickCount, exactEnds = false, minStep = 0 } = options;
  const [from, to] = widen(
    clamp(options.low, -MAX_VALUE, MAX_VALUE),
    clamp(options.high, -MAX_VALUE, MAX_VALUE),
  );
  const step = Math.max(niceStep(to - from, tickCount), minStep);
  const low = exactEnds ? from : round(Math.floor(from / step + 1e-9) * step);
  const high = exactEnds ? to : round(Math.ceil(to / step - 1e-9) * step);
  const position = (value: number): number => {
    const share = (clamp(value, low, high) - low) / (high - low);
    return range[0] + share * (range[1] - range[0]);
  };
  return { kind: 'linear', low, high, ticks: multiplesOf(step, low, high), position };
}

/** 1, 2 and 5 times the powers of ten from the one at or below `low` to the one at or above `high`. */
function decadeSteps(low: number, high: number): number[] {
  const [first, last] = [Math.floor(Math.log10(low)), Math.ceil(Math.log10(high))];
  const steps: number[] = [];
  for (let power = first; power <= last; power++) {
    for (const factor of [1, 2, 5]) steps.push(round(factor * 10 ** power));
  }
  const from = steps.findLastIndex((step) => step <= low * (1 + 1e-9));
  const to = steps.findIndex((step) => step >= high * (1 - 1e-9));
  return steps.slice(Math.max(from, 0), to < 0 ? undefined : to + 1);
}

/** For values above zero; the domain ends at 1, 2 or 5 times a power of ten. */
export function logScale(options: ScaleOptions): Scale {
  const { range, tickCount } = options;
  const from = clamp(options.low, 1 / MAX_VALUE, MAX_VALUE);
  const to = clamp(options.high, from, MAX_VALUE);
  const steps = decadeSteps(from, to <= from * (1 + MIN_RELATIVE_SPAN) ? from * 2 : to);
  const [low, high] = [steps[0]!, steps.at(-1)!];
  const extentOfLogs = Math.log(high) - Math.log(low);
  const decades = steps.filter((step) => Number.isInteger(round(Math.log10(step))));
  const stride = Math.ceil(decades.length / tickCount);
  const ticks =
    steps.length <= tickCount + 1 || decades.length < 2
      ? steps
      : decades.filter((_, index) => index % stride === 0);
  const position = (value: number): number => {
    const share = (Math.log(clamp(value, low, high)) - Math.log(low)) / extentOfLogs;
    return range[0] + clamp(share, 0, 1) * (range[1] - range[0]);
  };
  return { kind: 'log', low, high, ticks, position };
}

/** Above this ratio, a linear axis from zero would press the small values into one spot. */
const LOG_FROM_RATIO = 20;

/** For sizes and times: linear from zero, or logarithmic where the values are far apart. */
export function magnitudeScale(
  values: readonly number[],
  range: readonly [number, number],
  tickCount: number,
): Scale {
  const [low, high] = extent(values);
  if (low > 0 && high / low >= LOG_FROM_RATIO) return logScale({ low, high, range, tickCount });
  return linearScale({ low: 0, high: high > 0 ? high : 1, range, tickCount });
}

/** Smallest and largest; 0 and 0 for no values. A loop: spread arguments have a limit. */
export function extent(values: readonly number[]): [number, number] {
  let [low, high] = [values[0] ?? 0, values[0] ?? 0];
  for (const value of values) {
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  return [low, high];
}
