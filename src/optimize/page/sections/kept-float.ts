import type { Report, Variant } from '../../report-document.ts';
import { html, type Markup } from '../html.ts';
import { byVariant } from './by-variant.ts';
import { operatorTable } from './edge-tpu.ts';

export function keptFloat(report: Report): Markup {
  return html`<section id="kept-float"><h2>Kept in float</h2>
<p>Operators of an int8 variant that could not become int8, and why.</p>
${byVariant(report, keptOf)}</section>
`;
}

function keptOf({ name, keptFloat: kept, fullyInt8 }: Variant): Markup {
  if (kept.length === 0) {
    const nothing = fullyInt8
      ? 'everything is int8'
      : 'nothing was held back; what is float in it is float by design';
    return html`<p class="muted">${name}: ${nothing}.</p>
`;
  }
  return operatorTable(`Kept in float in ${name}`, kept);
}
