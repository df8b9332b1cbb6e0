import type { Report } from '../../report-document.ts';
import { html, type Markup } from '../html.ts';
import { foldAfter } from './by-variant.ts';

type Warning = Report['warnings'][number];

/** Plain words for the kinds that the optimizer gives; others keep their name. */
const HEADINGS: Readonly<Record<string, string>> = {
  'few-samples': 'Few calibration samples',
  'several-outputs': 'Judged by one output of several',
  'same-samples': 'Judged by the calibration samples',
  'range-not-reached': 'Tensors that use little of the int8 range',
  'dead-channels': 'Channels that are always zero',
  clipped: 'Results that int8 cuts off',
  'kept-float': 'Operators that stayed in float',
  'pruned-untrained': 'Pruned and not trained',
};

const OPEN_COUNT = 5;

export function warnings(report: Report): Markup {
  const kinds = new Map<string, Warning[]>();
  for (const warning of report.warnings) {
    const same = kinds.get(warning.kind);
    if (same === undefined) kinds.set(warning.kind, [warning]);
    else same.push(warning);
  }
  const groups = [...kinds].map(
    ([kind, same]) => html`<div class="warning"><h3>${HEADINGS[kind] ?? kind}</h3>
${foldAfter(same, OPEN_COUNT, (items) => html`<ul>${items.map(item)}</ul>`)}</div>
`,
  );
  return html`<section id="warnings"><h2>Warnings</h2>
${groups.length > 0 ? groups : html`<p class="muted">None.</p>`}</section>
`;
}

function item({ message, variant, tensor }: Warning): Markup {
  const unsaid = tensor === undefined || message.includes(tensor) ? undefined : tensor;
  const about = [variant, unsaid].filter((name) => name !== undefined);
  const note = html` <span class="muted">${about.join(' · ')}</span>`;
  return html`<li>${message}${about.length > 0 && note}</li>
`;
}
