import { tickWriter } from '../format.ts';
import type { Markup } from '../html.ts';
import { extent, linearScale } from '../scale.ts';
import { yTick } from '../svg.ts';

/** SQNR upwards. "Identical" has no number, so it has a line of its own above the numbers. */
export interface DecibelAxis {
  readonly marks: readonly Markup[];
  y(sqnrDb: number | null): number;
}

/** Between the line of what is identical and the highest number. */
const IDENTICAL_BAND_PX = 46;
const IDENTICAL_Y_PX = 10;
const PX_PER_TICK = 44;
/** Less than this is not blown up to the whole height: nobody chooses by a tenth of a decibel. */
const MIN_SPAN_DB = 10;

export function decibelAxis(values: readonly (number | null)[], heightPx: number): DecibelAxis {
  const numbers = values.filter((value) => value !== null);
  const hasIdentical = numbers.length < values.length;
  const [low, high] = extent(numbers);
  const slack = Math.max(MIN_SPAN_DB - (high - low), 0) / 2;
  const top = hasIdentical ? IDENTICAL_BAND_PX : 0;
  const tickCount = Math.max(2, Math.round((heightPx - top) / PX_PER_TICK));
  const scale = linearScale({
    low: low - slack,
    high: high + slack,
    range: [heightPx, top],
    tickCount,
  });
  const ticks = numbers.length === 0 ? [] : scale.ticks;
  const write = tickWriter(ticks);
  return {
    marks: [
      ...ticks.map((tick) => yTick(scale.position(tick), write(tick))),
      ...(hasIdentical ? [yTick(IDENTICAL_Y_PX, 'identical', 'grid identical')] : []),
    ],
    y: (sqnrDb) => (sqnrDb === null ? IDENTICAL_Y_PX : scale.position(sqnrDb)),
  };
}
