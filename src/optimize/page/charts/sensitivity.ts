import type { Pruning } from '../../report-document.ts';
import { decibels, percent, shorten } from '../format.ts';
import { html, type Markup } from '../html.ts';
import { linearScale } from '../scale.ts';
import { ACROSS, across, coordinate, drawing } from '../svg.ts';
import { firstAlias, tensorName } from '../tensor-name.ts';
import type { DecibelAxis } from './decibel-axis.ts';

type Layer = Pruning['layers'][number];
export type SensitivityPoint = Layer['sensitivity'][number];

export const SENSITIVITY_HEIGHT_PX = 140;
const DOT_PX = 2.5;
const MAX_NAME_CHARACTERS = 40;
/** Shares go from 0 to 1 in every layer, so that curves can be laid beside one another. */
const SHARES = linearScale({ low: 0, high: 1, range: ACROSS, tickCount: 2 });

/** One layer's curve over the same axes as all others'. */
export function sensitivityFigure(
  id: string,
  { layer, sensitivity }: Layer,
  axis: DecibelAxis,
  asked: number,
): Markup {
  const points = sensitivity.toSorted((a, b) => a.share - b.share);
  const said = points.map(({ share, sqnrDb }) => `${percent(share)}: ${decibels(sqnrDb)}`);
  const near = nearest(points, asked);
  const title = `Sensitivity of ${shorten(firstAlias(layer), MAX_NAME_CHARACTERS)}`;
  const description = `SQNR by the share of this layer that is pruned: ${said.join('; ')}.`;
  const at = near && `${decibels(near.sqnrDb)} with ${percent(near.share)} pruned`;
  return html`<figure class="multiple" id="${id}">
<div class="plot small">
${drawing({ id, title, description, heightPx: SENSITIVITY_HEIGHT_PX }, [
  shareTicks(),
  axis.marks,
  askedLine(asked),
  curve(points, axis),
])}
</div><figcaption><b>${tensorName(layer, MAX_NAME_CHARACTERS)}</b><span>${at}</span>\
</figcaption></figure>
`;
}

/** The measured point nearest to a share; of two as near the one of more. */
export function nearest(
  points: readonly SensitivityPoint[],
  share: number,
): SensitivityPoint | undefined {
  const distance = (point: SensitivityPoint): number => Math.abs(point.share - share);
  return points.toSorted((a, b) => distance(a) - distance(b) || b.share - a.share)[0];
}

/** The most sensitive first: those with the least SQNR where about the share that was asked for is pruned. */
export function bySensitivity(layers: readonly Layer[], asked: number): Layer[] {
  const rank = ({ sensitivity }: Layer): number =>
    nearest(sensitivity, asked)?.sqnrDb ?? Number.MAX_VALUE;
  return layers
    .filter(({ sensitivity }) => sensitivity.length > 0)
    .toSorted((a, b) => rank(a) - rank(b));
}

function shareTicks(): Markup[] {
  return SHARES.ticks.map((tick) => {
    const x = across(SHARES.position(tick));
    return html`<line class="grid" x1="${x}" x2="${x}" y1="0" y2="${SENSITIVITY_HEIGHT_PX}"/>\
<text class="tick middle" x="${x}" y="${SENSITIVITY_HEIGHT_PX + 16}">${percent(tick)}</text>
`;
  });
}

function askedLine(asked: number): Markup {
  const x = across(SHARES.position(asked));
  return html`<line class="chosen-share" x1="${x}" x2="${x}" y1="0" y2="${SENSITIVITY_HEIGHT_PX}"/>
`;
}

/** Broken where the layer's pruning changes nothing: there is no slope from a value without a number. */
function curve(points: readonly SensitivityPoint[], axis: DecibelAxis): Markup {
  const commands = points.map(({ share, sqnrDb }, index) => {
    const before = points[index - 1];
    const joined = before !== undefined && (before.sqnrDb === null) === (sqnrDb === null);
    return `${joined ? 'L' : 'M'}${coordinate(SHARES.position(share))} ${coordinate(axis.y(sqnrDb))}`;
  });
  const dots = points.map(
    ({ share, sqnrDb }) => html`<circle class="dot first" cx="${across(SHARES.position(share))}" \
cy="${coordinate(axis.y(sqnrDb))}" r="${DOT_PX}"><title>${percent(share)}: ${decibels(sqnrDb)}</title></circle>
`,
  );
  return html`<svg class="stretch" width="100%" height="${SENSITIVITY_HEIGHT_PX}" \
viewBox="0 0 100 ${SENSITIVITY_HEIGHT_PX}" preserveAspectRatio="none">\
<path class="line" d="${commands.join('')}"/></svg>
${dots}`;
}
