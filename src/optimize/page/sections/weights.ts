import type { Report, Variant } from '../../report-document.ts';
import { histogramFigure } from '../charts/histogram.ts';
import { html, type Markup } from '../html.ts';
import { byVariant, foldAfter } from './by-variant.ts';

const OPEN_COUNT = 12;

export function weights(report: Report): Markup {
  return html`<section id="weights"><h2>Weights</h2>
<p>How often each value occurs, layer by layer. Heights go by the <b>square root</b> of the count, so
that rare values can be seen beside frequent ones. “Saturated” weights sit at ±127, the ends of
int8. With a scale for each channel, the largest weight of every channel does: of nine weights, that
is 11%. Only a share well above that says that the scale is too small.</p>
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
