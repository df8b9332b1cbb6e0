import { shorten, type Unit } from '../format.ts';
import { html, type Markup } from '../html.ts';
import { linearScale } from '../scale.ts';
import { ACROSS, across, axisTitles, chart, xAxis } from '../svg.ts';

export interface Bar {
  readonly label: string;
  readonly series: 'first' | 'second';
  readonly value: number;
  /** How far values spread upwards; a thin line from the bar's end. */
  readonly upTo?: number;
  readonly text: string;
}

export interface BarGroup {
  readonly name: string;
  readonly chosen: boolean;
  readonly bars: readonly Bar[];
}

/** An upright line at a limit. */
export interface Limit {
  readonly value: number;
  readonly text: string;
}

export interface Bars {
  readonly id: string;
  readonly title: string;
  readonly caption: string;
  readonly axis: string;
  readonly unit: Unit;
  readonly groups: readonly BarGroup[];
  readonly limits: readonly Limit[];
}

const NAME_PX = 20;
const TEXT_PX = 15;
const BAR_PX = 8;
/** A bar, its line of text, and what parts it from the next. */
const ROW_PX = TEXT_PX + BAR_PX + 5;
const GROUP_GAP_PX = 12;
/** A line at the top for each limit's name. */
const LIMIT_PX = 18;
const TICK_COUNT = 4;
const MAX_NAME_CHARACTERS = 36;
/** A limit further off than this would press the bars into the left end; it is left to the caption. */
const MAX_LIMIT_RATIO = 1.5;

/** Bars from zero, grouped by variant; their figures stand above them, where no bar can cover them. */
export function barChart(bars: Bars): Markup {
  const { id, title, axis, unit, groups } = bars;
  const largest = groups
    .flatMap((group) => group.bars)
    .reduce((most, bar) => Math.max(most, bar.value, bar.upTo ?? 0), 0);
  const near = bars.limits.filter((limit) => limit.value <= largest * MAX_LIMIT_RATIO);
  const far = bars.limits.filter((limit) => !near.includes(limit));
  const high = near.reduce((most, limit) => Math.max(most, limit.value), largest);
  const x = linearScale({
    low: 0,
    high: high > 0 ? high / unit.divisor : 1,
    range: ACROSS,
    tickCount: TICK_COUNT,
  });
  const place = (value: number): string => across(x.position(value / unit.divisor));
  const said = groups.map(
    (group) => `${group.name}: ${group.bars.map((bar) => `${bar.label} ${bar.text}`).join(', ')}`,
  );
  const { marks, heightPx } = stack(groups, place, near.length * LIMIT_PX);
  return chart(
    {
      id,
      title,
      description: `${said.join('; ')}.`,
      caption: [bars.caption, far.map((limit) => ` The ${limit.text} lies beyond the chart.`)],
      heightPx,
      padding: 'bare',
    },
    [
      xAxis(x, heightPx),
      axisTitles('', `${axis}, ${unit.name}`, heightPx),
      near.map((limit, index) =>
        limitLine(limit, x.position(limit.value / unit.divisor), index, heightPx),
      ),
      marks,
    ],
  );
}

function stack(
  groups: readonly BarGroup[],
  place: (value: number) => string,
  topPx: number,
): { readonly marks: Markup[]; readonly heightPx: number } {
  const marks: Markup[] = [];
  let y = topPx;
  for (const group of groups) {
    const style = group.chosen ? 'name chosen' : 'name';
    const name = shorten(group.name, MAX_NAME_CHARACTERS);
    marks.push(html`<text class="${style}" x="0" y="${y + 14}">${name}</text>
`);
    y += NAME_PX;
    for (const bar of group.bars) {
      marks.push(row(bar, y, place));
      y += ROW_PX;
    }
    y += GROUP_GAP_PX;
  }
  return { marks, heightPx: y };
}

function row(bar: Bar, top: number, place: (value: number) => string): Markup {
  const [y, middle] = [top + TEXT_PX, top + TEXT_PX + BAR_PX / 2];
  const spread =
    bar.upTo !== undefined &&
    html`<line class="spread ${bar.series}" x1="${place(bar.value)}" x2="${place(bar.upTo)}" \
y1="${middle}" y2="${middle}"/>`;
  return html`<text class="figure" x="0" y="${y - 4}">${bar.label} ${bar.text}</text>\
<rect class="bar ${bar.series}" x="0" y="${y}" width="${place(bar.value)}" height="${BAR_PX}"/>\
${spread}
`;
}

/** The text leans to the side that has room. */
function limitLine(limit: Limit, percent: number, index: number, heightPx: number): Markup {
  const x = across(percent);
  const isRight = percent > 50;
  return html`<line class="limit" x1="${x}" x2="${x}" y1="${index * LIMIT_PX}" y2="${heightPx}"/>\
<text class="limit-name ${isRight ? 'end' : 'start'}" x="${x}" dx="${isRight ? -5 : 5}" \
y="${index * LIMIT_PX + 11}">${limit.text}</text>
`;
}
