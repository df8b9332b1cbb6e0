import type { Report, Variant } from '../../report-document.ts';
import { operatorStrip } from '../charts/operator-strip.ts';
import { count, NOTHING, plural } from '../format.ts';
import { html, type Markup } from '../html.ts';
import { byVariant, foldAfter } from './by-variant.ts';

const OPEN_COUNT = 10;
const MAX_RUNS = 6;

export function edgeTpu(report: Report): Markup {
  return html`<section id="edge-tpu"><h2>Edge TPU</h2>
<p>Google’s compiler gives operators to the Edge TPU from the start of the model up to the first that
does not map; that one and all behind it stay on the CPU. Only what turns a float input into int8 at
the start, or back at the end, stops nothing. This is worked out from the model’s file: the compiler
was not asked, and nothing was measured.</p>
${byVariant(report, mappingOf)}</section>
`;
}

function mappingOf({ name, edgeTpu: mapping }: Variant, index: number): Markup {
  const { mapped, total, operators } = mapping;
  const left = operators
    .filter(({ maps }) => !maps)
    .map((operator) => ({ ...operator, reason: operator.reason ?? NOTHING }));
  return html`<h3>${name}: ${count(mapped)} of ${plural(total, 'operator')} on the Edge TPU</h3>
${operators.length > 0 && operatorStrip(`edge-tpu-${index}`, mapping)}
${left.length > 0 && operatorTable('Stay on the CPU', left)}
`;
}

interface Listed {
  readonly operator: number;
  readonly name: string;
  readonly reason: string;
}

/** "0–3, 7": numbers in order, those in a row joined; the first few of many. */
export function ranges(ascending: readonly number[]): string {
  const runs: [first: number, last: number][] = [];
  for (const each of ascending) {
    const run = runs.at(-1);
    if (run?.[1] === each - 1) run[1] = each;
    else runs.push([each, each]);
  }
  const said = runs
    .slice(0, MAX_RUNS)
    .map(([first, last]) => (first === last ? count(first) : `${count(first)}–${count(last)}`));
  const more = runs.length > MAX_RUNS ? ` … (${count(ascending.length)} in all)` : '';
  return said.join(', ') + more;
}

/** Operators and why, those of one reason together; also for those that stayed in float. */
export function operatorTable(caption: string, listed: readonly Listed[]): Markup {
  const groups = new Map<string, Listed[]>();
  for (const each of listed) {
    const same = groups.get(each.reason);
    if (same === undefined) groups.set(each.reason, [each]);
    else same.push(each);
  }
  const rows = [...groups].map(([reason, same]) => ({
    reason,
    operators: ranges(same.map(({ operator }) => operator)),
    kinds: [...new Set(same.map(({ name }) => name))].join(', '),
  }));
  return foldAfter(rows, OPEN_COUNT, (open) => tableOf(caption, open));
}

interface Row {
  readonly operators: string;
  readonly kinds: string;
  readonly reason: string;
}

function tableOf(caption: string, rows: readonly Row[]): Markup {
  const body = rows.map(
    ({ operators, kinds, reason }) => html`<tr><th scope="row">${operators}</th>\
<td class="kinds">${kinds}</td><td class="name">${reason}</td></tr>
`,
  );
  return html`<div class="scroll" role="region" aria-label="${caption}" tabindex="0">
<table class="lists"><caption>${caption}</caption><thead><tr>
<th scope="col">Operators</th><th scope="col">Kind</th><th scope="col">Reason</th>
</tr></thead><tbody>
${body}</tbody></table></div>
`;
}
