import type { Report, Variant } from '../../report-document.ts';
import { focusVariant } from '../figures.ts';
import { html, type Markup } from '../html.ts';

/** `index` is the variant's place in the report: ids are made of it, as names may be anything. */
export type RenderVariant = (variant: Variant, index: number) => Markup;

const MAX_NAMES = 6;

/** The variant that the page is about in full, the others folded away below it. */
export function byVariant(report: Report, render: RenderVariant): Markup {
  const focus = focusVariant(report);
  const others = report.variants.filter((variant) => variant !== focus);
  const rendered = (variant: Variant): Markup => render(variant, report.variants.indexOf(variant));
  const names = others.map((variant) => variant.name).join(', ');
  const summary = others.length > MAX_NAMES ? `${others.length} other variants` : `Also: ${names}`;
  const folded = html`<details><summary>${summary}</summary>
${others.map((variant) => html`<div class="other">${rendered(variant)}</div>`)}</details>
`;
  return html`${focus && rendered(focus)}${others.length > 0 && folded}`;
}

/** The first rows of a long list in the open, the rest folded. */
export function foldAfter<T>(
  items: readonly T[],
  openCount: number,
  render: (items: readonly T[], from: number) => Markup,
): Markup {
  const rest = items.slice(openCount);
  const more = html`<details><summary>${rest.length} more</summary>
${render(rest, openCount)}</details>`;
  return html`${render(items.slice(0, openCount), 0)}${rest.length > 0 && more}`;
}
