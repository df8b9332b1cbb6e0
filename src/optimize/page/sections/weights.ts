import type { Report, Variant } from '../../report-document.ts';
import { histogramFigure } from '../charts/histogram.ts';
import { html, type Markup } from '../html.ts';
import { byVariant, foldAfter } from './by-variant.ts';

const OPEN_COUNT = 12;

export function weights(report: Report): Markup {
  return html`<section id="weights"><h2>Weights</h2>
<p>How often each value occurs, from the tensor’s lowest to its highest. Heights go by the
<b>square root</b> of the count, so that rare values can be seen beside frequent ones. “Saturated”
weights sit at the ends of the int8 range: many of them mean that the scale is too small.</p>
${byVariant(report, weightsOf)}</section>
`;
}

function weightsOf(variant: Variant, index: number): Markup {
  if (variant.weights.length === 0) {
    return html`<p class="muted">There are no weights of ${variant.name} to show.</p>
`;
  }
  return html`<h3>${variant.name}</h3>
${foldAfter(
  variant.weights,
  OPEN_COUNT,
  (items, from) => html`<div class="histograms">
${items.map((item, at) => histogramFigure(`weights-${index}-${from + at}`, item))}</div>`,
)}`;
}
