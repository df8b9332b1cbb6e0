import { type TradePoint, tradeFront } from '../figures.ts';
import { decibels, shorten, type Unit } from '../format.ts';
import { html, type Markup } from '../html.ts';
import { magnitudeScale } from '../scale.ts';
import { ACROSS, across, axisTitles, chart, coordinate, NARROW_PLOT_PX, xAxis } from '../svg.ts';
import { decibelAxis } from './decibel-axis.ts';
import { type Box, placeLabels } from './labels.ts';

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

const HEIGHT_PX = 280;
const TICK_COUNT = 4;
const LABEL_HEIGHT_PX = 12;
const MAX_LABEL_CHARACTERS = 16;
/** Labels further off than this get a line to their point. */
const LEADER_FROM_PX = 24;

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
  const front = tradeFront(placed);
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
      xAxis(x, HEIGHT_PX),
      axis.marks,
      axisTitles('SQNR, dB', flat, HEIGHT_PX),
      steps(front).map(frontLine),
      placed.map((point) => mark(point, `${point.name}: ${write(point.cost)}`)),
      labels(placed, steps(front)),
    ],
  );
}

interface Step {
  readonly fromPercent: number;
  readonly toPercent: number;
  readonly lowPx: number;
  readonly highPx: number;
}

/** Steps, not slopes: between two variants there is nothing to be had but the cheaper one. */
function steps(front: readonly Placed[]): Step[] {
  return front.slice(1).map((point, index) => ({
    fromPercent: front[index]!.xPercent,
    toPercent: point.xPercent,
    lowPx: front[index]!.yPx,
    highPx: point.yPx,
  }));
}

function frontLine({ fromPercent, toPercent, lowPx, highPx }: Step): Markup {
  const [from, to] = [across(fromPercent), across(toPercent)];
  const [low, high] = [coordinate(lowPx), coordinate(highPx)];
  return html`<line class="front" x1="${from}" y1="${low}" x2="${to}" y2="${low}"/>\
<line class="front" x1="${to}" y1="${low}" x2="${to}" y2="${high}"/>
`;
}

function narrow(percent: number): number {
  return (percent / 100) * NARROW_PLOT_PX;
}

/** The step's two lines as labels must keep off them. */
function stepBoxes({ fromPercent, toPercent, lowPx, highPx }: Step): Box[] {
  const [left, right] = [narrow(fromPercent), narrow(toPercent)];
  return [
    { left, right, top: lowPx - 1, bottom: lowPx + 1 },
    { left: right - 1, right: right + 1, top: highPx, bottom: lowPx },
  ];
}

function mark(point: Placed, text: string): Markup {
  const [x, y] = [across(point.xPercent), coordinate(point.yPx)];
  const ring = point.chosen && html`<circle class="ring" cx="${x}" cy="${y}" r="9"/>`;
  const style = point.pareto ? 'point' : 'point hollow';
  return html`${ring}<circle class="${style}" cx="${x}" cy="${y}" r="5">\
<title>${text}, ${decibels(point.sqnrDb)}</title></circle>
`;
}

function labels(placed: readonly Placed[], front: readonly Step[]): Markup[] {
  const texts = placed.map((point) => shorten(point.name, MAX_LABEL_CHARACTERS));
  const places = placeLabels(
    placed.map(({ xPercent, yPx }, index) => ({
      xPx: narrow(xPercent),
      yPx,
      text: texts[index]!,
    })),
    NARROW_PLOT_PX,
    HEIGHT_PX,
    front.flatMap(stepBoxes),
  );
  return placed.map((point, index) => {
    const { dxPx, dyPx, anchor } = places[index]!;
    const style = point.chosen ? 'name chosen' : 'name';
    const isFar = Math.hypot(dxPx, dyPx) > LEADER_FROM_PX;
    const nearEdgePx = dyPx < 0 ? dyPx : dyPx - LABEL_HEIGHT_PX;
    const leader = html`<svg x="${across(point.xPercent)}" y="${coordinate(point.yPx)}">\
<line class="leader" x1="0" y1="0" x2="${dxPx}" y2="${nearEdgePx}"/></svg>`;
    return html`${isFar && leader}<text class="${style} ${anchor}" \
x="${across(point.xPercent)}" dx="${dxPx}" \
y="${coordinate(point.yPx)}" dy="${dyPx}">${texts[index]}</text>
`;
  });
}
