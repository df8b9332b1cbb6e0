import type { Report, Variant } from '../../report-document.ts';
import { html, type Markup } from '../html.ts';
import { byVariant, foldAfter } from './by-variant.ts';
import { operatorTable } from './edge-tpu.ts';

const OPEN_COUNT = 10;

export function keptFloat(report: Report): Markup {
  return html`<section id="kept-float"><h2>Kept in float</h2>
<p>Operators that compute in float although the variant is quantized, and why.</p>
${byVariant(report, keptOf)}</section>
`;
}

function keptOf({ name, keptFloat: kept, fullyInt8 }: Variant): Markup {
  if (kept.length === 0) {
    const nothing = fullyInt8 ? 'everything is int8' : 'nothing was kept back';
    return html`<p class="muted">${name}: ${nothing}.</p>
`;
  }
  return foldAfter(kept, OPEN_COUNT, (items) => operatorTable(`Kept in float in ${name}`, items));
}
