import { html, type Markup } from '../html.ts';
import { across, coordinate } from '../svg.ts';

const HEIGHT_PX = 8;

/**
 * A bar in a table's row, whose figure stands beside it in words: so it is not read out.
 * @param value from 0 to `high`
 * @param mark where a line stands across, such as what the value is held against
 */
export function barCell(
  value: number,
  high: number,
  series: 'first' | 'second',
  mark?: number,
): Markup {
  const place = (at: number): string => across(100 * Math.min(Math.max(at / high, 0), 1));
  const line =
    mark !== undefined &&
    html`<line class="mark" x1="${place(mark)}" x2="${place(mark)}" y1="-3" \
y2="${coordinate(HEIGHT_PX + 3)}"/>`;
  return html`<td class="bar-cell"><svg aria-hidden="true" width="100%" height="${HEIGHT_PX}">\
<rect class="bar track" width="100%" height="${HEIGHT_PX}"/>\
<rect class="bar ${series}" width="${place(value)}" height="${HEIGHT_PX}"/>${line}</svg></td>`;
}
