import type { WeightSummary } from '../../report-document.ts';
import { count, percent, shape, significant } from '../format.ts';
import { html, type Markup } from '../html.ts';
import { extent } from '../scale.ts';
import { across, coordinate, drawing } from '../svg.ts';
import { firstAlias, tensorName } from '../tensor-name.ts';

const HEIGHT_PX = 56;
const MAX_NAME_CHARACTERS = 48;

/** One tensor's weights: a small chart with its range below, then what the counts do not show. */
export function histogramFigure(id: string, summary: WeightSummary): Markup {
  const { tensor, operator, histogram, sparsity, saturated } = summary;
  const { low, high, counts } = histogram;
  const [, most] = extent(counts);
  const description = `${count(counts.length)} equal bins from ${significant(low)} to \
${significant(high)}; the fullest holds ${count(most)} weights.`;
  return html`<figure class="histogram" id="${id}">
${drawing({ id, title: `Weights of ${firstAlias(tensor)}`, description, heightPx: HEIGHT_PX }, [
  zeroLine(low, high),
  most > 0 && bins(counts, most),
])}
<div class="range"><span>${significant(low)}</span><span>${significant(high)}</span></div>
<figcaption><b>${tensorName(tensor, MAX_NAME_CHARACTERS)}</b>\
<span>${operator} · ${shape(summary.shape)}</span>
<span>${percent(sparsity)} zero</span>\
${saturated !== undefined && html`<span>${percent(saturated)} saturated</span>`}
</figcaption></figure>
`;
}

/** The outline of all bins as one path: with thousands of layers, a rectangle a bin would weigh megabytes. */
function bins(counts: readonly number[], most: number): Markup {
  const outline = counts.map((value, index) => {
    const top = coordinate(HEIGHT_PX * (1 - Math.sqrt(value / most)));
    return `V${top}H${index + 1}`;
  });
  return html`<svg class="stretch" width="100%" height="${HEIGHT_PX}" \
viewBox="0 0 ${counts.length} ${HEIGHT_PX}" preserveAspectRatio="none">\
<path class="bins" d="M0 ${HEIGHT_PX}${outline.join('')}V${HEIGHT_PX}Z"/></svg>`;
}

function zeroLine(low: number, high: number): Markup | undefined {
  if (!(low < 0 && high > 0)) return undefined;
  const x = across((-low / (high - low)) * 100);
  return html`<line class="zero" x1="${x}" x2="${x}" y1="0" y2="${HEIGHT_PX}"/>
`;
}
