import { count, tickWriter } from './format.ts';
import { html, type Markup, type Piece } from './html.ts';
import type { Scale } from './scale.ts';

/**
 * The frame of every chart. Across, marks stand at percentages of the plot, so that a chart is as wide as its column
 * while its letters keep their size; down, at pixels. Labels of axes lie outside the svg's box, in the plot's padding.
 */

/** Positions across, in percent; y runs from `heightPx` up to 0. */
export const ACROSS: readonly [number, number] = [0, 100];

/** Labels are placed for a plot this wide, the narrowest on a telephone; a wider one only parts them further. */
export const NARROW_PLOT_PX = 249;

/** Coordinates with digits enough for a thousandth of a pixel. */
export function coordinate(value: number): number {
  return Number(value.toFixed(3));
}

export function across(percent: number): string {
  return `${coordinate(percent)}%`;
}

export interface ChartFrame {
  /** Unique on the page. */
  readonly id: string;
  readonly title: string;
  /** What the chart shows, in words, for who cannot see it. */
  readonly description: string;
  /** How to read it; stands above the plot. */
  readonly caption?: Piece;
  readonly heightPx: number;
  /** How wide it must be to be legible; scrolls in its own box where the page is narrower. */
  readonly minWidthPx?: number;
  /** `axes` leaves room for labels on the left and below; `bare` does not. */
  readonly padding: 'axes' | 'bare';
}

export function chart(frame: ChartFrame, marks: Piece): Markup {
  const { id, title, description, caption, heightPx, minWidthPx = 0, padding } = frame;
  return html`<figure class="chart" id="${id}">
<figcaption><h3>${title}</h3>${caption !== undefined && html`<p>${caption}</p>`}</figcaption>
<div class="scroll"><div class="plot ${padding}" style="min-width:${minWidthPx}px">
${drawing({ id, title, description, heightPx }, marks)}
</div></div></figure>
`;
}

export type Drawing = Pick<ChartFrame, 'id' | 'title' | 'description' | 'heightPx'>;

/** An svg by itself, with its name and description. */
export function drawing({ id, title, description, heightPx }: Drawing, marks: Piece): Markup {
  return html`<svg role="img" width="100%" height="${coordinate(heightPx)}" \
aria-labelledby="${id}-title ${id}-desc">\
<title id="${id}-title">${title}</title><desc id="${id}-desc">${description}</desc>
${marks}</svg>`;
}

/** Lines up and down at a scale's ticks, with their numbers below. */
export function xAxis(scale: Scale, heightPx: number): Markup[] {
  const write = scale.kind === 'log' ? count : tickWriter(scale.ticks);
  return scale.ticks.map((tick) => {
    const x = across(scale.position(tick));
    return html`<line class="grid" x1="${x}" x2="${x}" y1="0" y2="${heightPx}"/>\
<text class="tick middle" x="${x}" y="${heightPx + 18}">${write(tick)}</text>
`;
  });
}

/** One line across at a height, with its number on the left. */
export function yTick(yPx: number, text: string, style = 'grid'): Markup {
  const y = coordinate(yPx);
  return html`<line class="${style}" x1="0" x2="100%" y1="${y}" y2="${y}"/>\
<text class="tick end" x="0" dx="-8" y="${y}" dy="4">${text}</text>
`;
}

/** What the axes show: the upright one above its numbers, the flat one below its right end. */
export function axisTitles(upright: string, flat: string, heightPx: number): Markup {
  return html`<text class="axis" x="0" dx="-72" y="-14">${upright}</text>\
<text class="axis end" x="100%" y="${heightPx + 38}">${flat}</text>
`;
}
