import { lossText } from '../../choose.ts';
import { denseOf, type Gain, gains } from '../../gains.ts';
import type { Pruning, Report, Variant } from '../../report-document.ts';
import { barCell } from '../charts/bar-cell.ts';
import { closeness, loss } from '../figures.ts';
import { bytes, count, decibels, duration, multiple, operations, percent } from '../format.ts';
import { html, type Markup } from '../html.ts';
import { byVariant } from './by-variant.ts';

/** What pruning and training brought, and what they cost, against the same mode made without them. */
export function gainsSection(report: Report): Markup {
  const changed = report.variants.filter((variant) => denseOf(report, variant) !== undefined);
  const all = gains(report);
  return html`<section id="gains"><h2>What pruning and training brought</h2>
${report.pruning !== undefined && html`<p>${pruned(report.pruning)}</p>`}
<p>Each variant against the one of the same mode made without: the line across a bar is that one.
Where a bar reaches the line, nothing was gained, and the table says why.</p>
${byVariant({ ...report, variants: changed }, (variant) => gainsOf(report, variant, all))}</section>
`;
}

function pruned({ share, structured, scope, prunableWeights, zeroWeights }: Pruning): string {
  const what = structured ? 'channels' : 'weights';
  const asked = `${percent(share)} of ${scope === 'layer' ? `the ${what} of every layer` : `all ${what}`}`;
  const zeros = prunableWeights === 0 ? 0 : zeroWeights / prunableWeights;
  return (
    `${asked} were to go; ${count(zeroWeights)} of the ${count(prunableWeights)} weights that may be pruned ` +
    `${structured ? 'went with their channels' : 'are zero'} (${percent(zeros)}).`
  );
}

function gainsOf(report: Report, variant: Variant, all: readonly Gain[]): Markup {
  const dense = denseOf(report, variant)!;
  const own = all.filter((gain) => gain.variant === variant.name);
  const high = own.reduce((most, { ratio }) => Math.max(most, ratio ?? 0), 1);
  const hasReasons = own.some(({ reason }) => reason !== undefined);
  const body = own.map((gain) => row(gain, high, hasReasons));
  const label = `${variant.name} against ${dense.name}`;
  return html`<h3>${label}</h3>
<p>It ${lossText(loss(report, variant))}; ${dense.name} ${lossText(loss(report, dense))}. SQNR on \
${closeness(variant).on}: ${decibels(closeness(variant).sqnrDb)}, of ${dense.name} \
${decibels(closeness(dense).sqnrDb)}.</p>
<div class="scroll" role="region" aria-label="${label}" tabindex="0">
<table class="bars"><thead><tr><th scope="col">Quantity</th>
<th scope="col">${dense.name} = 1</th><th scope="col" class="number">Ratio</th>
<th scope="col" class="number">Before</th><th scope="col" class="number">After</th>
${hasReasons && html`<th scope="col">Why not less</th>`}</tr></thead><tbody>
${body}</tbody></table></div>
`;
}

function row(
  { label, unit, before, after, ratio, change, reason }: Gain,
  high: number,
  hasReasons: boolean,
): Markup {
  const write = { bytes, us: duration, count: operations }[unit];
  const style = change === 'more' ? 'number over' : 'number';
  const why = hasReasons && html`<td class="why">${reason}</td>`;
  return html`<tr><th scope="row">${label}</th>\
${barCell(ratio ?? 1, high, change === 'less' ? 'first' : 'second', 1)}\
<td class="${style}">${multiple(after, before)}</td><td class="number">${write(before)}</td>\
<td class="number">${write(after)}</td>${why}</tr>
`;
}
