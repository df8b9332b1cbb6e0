import type { Report, Variant } from '../../report-document.ts';
import { operatorStates, operatorStrip } from '../charts/operator-strip.ts';
import { count, NOTHING, plural } from '../format.ts';
import { html, type Markup } from '../html.ts';
import { byVariant, foldAfter } from './by-variant.ts';

const OPEN_COUNT = 10;

export function edgeTpu(report: Report): Markup {
  return html`<section id="edge-tpu"><h2>Edge TPU</h2>
<p>The Edge TPU runs the operators before the first that it cannot run; everything from there on
stays on the CPU. This is worked out from the model’s file, not measured.</p>
${byVariant(report, mappingOf)}</section>
`;
}

function mappingOf({ name, edgeTpu: mapping }: Variant, index: number): Markup {
  const { mapped, total, operators } = mapping;
  const states = operatorStates(mapping);
  const left = operators.flatMap((operator, at) =>
    states[at] === 'cannot' ? [{ ...operator, reason: operator.reason ?? NOTHING }] : [],
  );
  const afterCount = states.filter((state) => state === 'after').length;
  return html`<h3>${name}: ${count(mapped)} of ${plural(total, 'operator')} on the Edge TPU</h3>
${operators.length > 0 && operatorStrip(`edge-tpu-${index}`, mapping)}
${left.length > 0 && foldAfter(left, OPEN_COUNT, (items) => operatorTable('Does not map', items))}
${
  afterCount > 0 &&
  html`<p class="muted">${plural(afterCount, 'more operator')} could run there, but come after the
first of these.</p>`
}
`;
}

interface Listed {
  readonly operator: number;
  readonly name: string;
  readonly reason: string;
}

/** Operators and why; also for those that stayed in float. */
export function operatorTable(caption: string, listed: readonly Listed[]): Markup {
  const body = listed.map(
    ({ operator, name, reason }) => html`<tr><th scope="row" class="number">${count(operator)}</th>\
<td>${name}</td><td class="name">${reason}</td></tr>
`,
  );
  return html`<div class="scroll" role="region" aria-label="${caption}" tabindex="0">
<table class="lists"><caption>${caption}</caption><thead><tr>
<th scope="col" class="number">Operator</th><th scope="col">Kind</th><th scope="col">Reason</th>
</tr></thead><tbody>
${body}</tbody></table></div>
`;
}
