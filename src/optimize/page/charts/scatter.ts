import { type TradePoint, tradeFront } from '../figures.ts';
import { count, decibels, shorten, type Unit } from '../format.ts';
import { html, type Markup } from '../html.ts';
import { magnitudeScale } from '../scale.ts';
import { ACROSS, across, axisTitles, chart, coordinate, NARROW_PLOT_PX, xAxis } from '../svg.ts';
import { decibelAxis } from './decibel-axis.ts';
import { placeLabels } from './labels.ts';

export interface ScatterPoint extends TradePoint {
  readonly name: string;
  readonly pareto: boolean;
  readonly chosen: boolean;
}

export interface Scatter {
  readonly id: string;
  readonly title: string;
  /** What the points cost: "file size". */
  readonly cost: string;
  readonly unit: Unit;
  readonly write: (cost: number) => string;
  readonly points: readonly ScatterPoint[];
}

const HEIGHT_PX = 260;
const TICK_COUNT = 4;
const MAX_LABEL_CHARACTERS = 18;

interface Placed extends ScatterPoint {
  readonly xPercent: number;
  readonly yPx: number;
}

/** Cost across, closeness upwards: the best stand at the top left. */
export function scatterChart(scatter: Scatter): Markup {
  const { id, title, cost, unit, write, points } = scatter;
  const x = magnitudeScale(
    points.map((point) => point.cost / unit.divisor),
    ACROSS,
    TICK_COUNT,
  );
  const axis = decibelAxis(
    points.map((point) => point.sqnrDb),
    HEIGHT_PX,
  );
  const placed = points.map((point) => ({
    ...point,
    xPercent: x.position(point.cost / unit.divisor),
    yPx: axis.y(point.sqnrDb),
  }));
  const flat = `${cost}, ${unit.name}${x.kind === 'log' ? ' (log scale)' : ''}`;
  const said = points.map(
    (point) => `${point.name}: ${write(point.cost)}, ${decibels(point.sqnrDb)}`,
  );
  return chart(
    {
      id,
      title,
      description: `One point a variant. ${said.join('; ')}.`,
      caption: html`Up and to the left is better. The line joins the variants that no other beats in
both; filled points are on the front of size, latency and error together.`,
      heightPx: HEIGHT_PX,
      padding: 'axes',
    },
    [
      xAxis(x, HEIGHT_PX, count),
      axis.marks,
      axisTitles('SQNR, dB', flat, HEIGHT_PX),
      frontLine(tradeFront(placed)),
      placed.map((point) => mark(point, `${point.name}: ${write(point.cost)}`)),
      labels(placed),
    ],
  );
}

/** Steps, not slopes: between two variants there is nothing to be had but the cheaper one. */
function frontLine(front: readonly Placed[]): Markup[] {
  return front.slice(1).map((point, index) => {
    const [from, to] = [across(front[index]!.xPercent), across(point.xPercent)];
    const [low, high] = [coordinate(front[index]!.yPx), coordinate(point.yPx)];
    return html`<line class="front" x1="${from}" y1="${low}" x2="${to}" y2="${low}"/>\
<line class="front" x1="${to}" y1="${low}" x2="${to}" y2="${high}"/>
`;
  });
}

function mark(point: Placed, text: string): Markup {
  const [x, y] = [across(point.xPercent), coordinate(point.yPx)];
  const ring = point.chosen && html`<circle class="ring" cx="${x}" cy="${y}" r="9"/>`;
  const style = point.pareto ? 'point' : 'point hollow';
  return html`${ring}<circle class="${style}" cx="${x}" cy="${y}" r="5">\
<title>${text}, ${decibels(point.sqnrDb)}</title></circle>
`;
}

function labels(placed: readonly Placed[]): Markup[] {
  const texts = placed.map((point) => shorten(point.name, MAX_LABEL_CHARACTERS));
  const places = placeLabels(
    placed.map(({ xPercent, yPx }, index) => ({
      xPx: (xPercent / 100) * NARROW_PLOT_PX,
      yPx,
      text: texts[index]!,
    })),
    NARROW_PLOT_PX,
    HEIGHT_PX,
  );
  return placed.map((point, index) => {
    const { dxPx, dyPx, anchor } = places[index]!;
    const style = point.chosen ? 'name chosen' : 'name';
    return html`<text class="${style} ${anchor}" x="${across(point.xPercent)}" dx="${dxPx}" \
y="${coordinate(point.yPx)}" dy="${dyPx}">${texts[index]}</text>
`;
  });
}
