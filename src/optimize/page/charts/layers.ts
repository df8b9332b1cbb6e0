import type { LayerError } from '../../report-document.ts';
import { layerSqnrDb, worstLayers } from '../figures.ts';
import { count, decibels } from '../format.ts';
import { html, type Markup } from '../html.ts';
import { extent, linearScale, type Scale } from '../scale.ts';
import { ACROSS, across, axisTitles, chart, coordinate, NARROW_PLOT_PX, xAxis } from '../svg.ts';
import { firstAlias } from '../tensor-name.ts';
import { type DecibelAxis, decibelAxis } from './decibel-axis.ts';
import { type Box, placeLabels } from './labels.ts';

const HEIGHT_PX = 280;
const TICK_COUNT = 6;
/** Points closer than this run into one another; the plot scrolls instead. */
const MIN_PX_PER_LAYER = 3;
const MAX_WIDTH_PX = 12_000;
/** Above so many layers, the points are drawn smaller. */
const MANY_LAYERS = 60;
const DOT_PX = 3;

/** Error per layer in order of execution: everything so far as a line, each layer's own as points. */
export function layerChart(id: string, variant: string, layers: readonly LayerError[]): Markup {
  const ordered = layers.toSorted((a, b) => a.operator - b.operator);
  const [first, last] = extent(ordered.map((layer) => layer.operator));
  const x = linearScale({
    low: first - 0.5,
    high: last + 0.5,
    range: ACROSS,
    tickCount: TICK_COUNT,
    exactEnds: true,
    minStep: 1,
  });
  const values = ordered.flatMap(({ accumulatedSqnrDb, ownSqnrDb }) =>
    ownSqnrDb === undefined ? [accumulatedSqnrDb] : [accumulatedSqnrDb, ownSqnrDb],
  );
  const hasOwn = ordered.some((layer) => layer.ownSqnrDb !== undefined);
  const axis = decibelAxis(values, HEIGHT_PX);
  const worst = worstLayers(ordered);
  const said = worst.map(
    (layer) => `operator ${layer.operator} ${layer.name}, ${decibels(layerSqnrDb(layer))}`,
  );
  return chart(
    {
      id,
      title: `Error per layer of ${variant}`,
      description: `SQNR of ${count(layers.length)} layers. Worst: ${said.join('; ') || 'none'}.`,
      caption: html`<span class="key first">accumulated</span>\
${hasOwn && html` <span class="key second">own</span>`}`,
      heightPx: HEIGHT_PX,
      minWidthPx: Math.min(ordered.length * MIN_PX_PER_LAYER, MAX_WIDTH_PX),
      padding: 'axes',
    },
    [
      xAxis(x, HEIGHT_PX),
      axis.marks,
      axisTitles('SQNR, dB (higher is better)', 'operator, in order of execution', HEIGHT_PX),
      accumulatedLine(ordered, x, axis),
      ordered.map((layer) => layerMarks(layer, x, axis, ordered.length > MANY_LAYERS)),
      callouts(worst, x, axis, obstacles(ordered, x, axis)),
    ],
  );
}

/** Broken where a layer is identical: there is no slope to or from a value without a number. */
function accumulatedLine(layers: readonly LayerError[], x: Scale, axis: DecibelAxis): Markup {
  const commands = layers.map(({ operator, accumulatedSqnrDb }, index) => {
    const before = layers[index - 1]?.accumulatedSqnrDb ?? null;
    const joined = (before === null) === (accumulatedSqnrDb === null) && index > 0;
    const [left, top] = [x.position(operator), axis.y(accumulatedSqnrDb)];
    return `${joined ? 'L' : 'M'}${coordinate(left)} ${coordinate(top)}`;
  });
  return html`<svg class="stretch" width="100%" height="${HEIGHT_PX}" \
viewBox="0 0 100 ${HEIGHT_PX}" preserveAspectRatio="none">\
<path class="line" d="${commands.join('')}"/></svg>
`;
}

function layerMarks(layer: LayerError, x: Scale, axis: DecibelAxis, small: boolean): Markup {
  const { operator, name, tensor, accumulatedSqnrDb, ownSqnrDb } = layer;
  const left = across(x.position(operator));
  const text = `${count(operator)} ${name} ${firstAlias(tensor)}`;
  const circle = (series: string, what: string, sqnrDb: number | null): Markup =>
    html`<circle class="dot ${series}" cx="${left}" cy="${coordinate(axis.y(sqnrDb))}" \
r="${small ? 2 : DOT_PX}"><title>${text}: ${what} ${decibels(sqnrDb)}</title></circle>`;
  return html`${circle('first', 'accumulated', accumulatedSqnrDb)}\
${ownSqnrDb !== undefined && circle('second', 'own', ownSqnrDb)}
`;
}

/** Points and line as ranks must keep off them, on the narrowest plot. */
function obstacles(layers: readonly LayerError[], x: Scale, axis: DecibelAxis): Box[] {
  if (layers.length > MANY_LAYERS) return [];
  const box = (operator: number, yPx: number): Box => {
    const xPx = (x.position(operator) / 100) * NARROW_PLOT_PX;
    return { left: xPx - DOT_PX, right: xPx + DOT_PX, top: yPx - DOT_PX, bottom: yPx + DOT_PX };
  };
  return layers.flatMap(({ operator, accumulatedSqnrDb, ownSqnrDb }, index) => {
    const yPx = axis.y(accumulatedSqnrDb);
    const next = layers[index + 1];
    const columns = next === undefined ? 0 : next.operator - operator;
    const down = next === undefined ? 0 : axis.y(next.accumulatedSqnrDb) - yPx;
    return [
      ...[0, 0.25, 0.5, 0.75].map((share) => box(operator + share * columns, yPx + share * down)),
      ...(ownSqnrDb === undefined ? [] : [box(operator, axis.y(ownSqnrDb))]),
    ];
  });
}

/** Rings with the rank that the list of worst layers gives. */
function callouts(
  worst: readonly LayerError[],
  x: Scale,
  axis: DecibelAxis,
  taken: readonly Box[],
): Markup[] {
  const spots = worst.map((layer, index) => ({
    xPercent: x.position(layer.operator),
    xPx: (x.position(layer.operator) / 100) * NARROW_PLOT_PX,
    yPx: axis.y(layerSqnrDb(layer)),
    text: String(index + 1),
  }));
  const places = placeLabels(spots, NARROW_PLOT_PX, HEIGHT_PX, taken);
  return spots.map(({ xPercent, yPx, text }, index) => {
    const { dxPx, dyPx, anchor } = places[index]!;
    const [left, top] = [across(xPercent), coordinate(yPx)];
    return html`<circle class="worst" cx="${left}" cy="${top}" r="7"/>\
<text class="worst-rank ${anchor}" x="${left}" dx="${dxPx}" y="${top}" dy="${dyPx}">${text}</text>
`;
  });
}
