import type { Pruning, Report } from '../../report-document.ts';
import { barCell } from '../charts/bar-cell.ts';
import { count, NOTHING, percent } from '../format.ts';
import { html, type Markup } from '../html.ts';
import { tensorName } from '../tensor-name.ts';
import { foldAfter } from './by-variant.ts';

type Layer = Pruning['layers'][number];

const OPEN_COUNT = 16;

/** Which layers gave how much. */
export function sparsity({ pruning }: Report): Markup {
  const { layers, structured, share, scope } = pruning!;
  const gone = structured ? 'that went with their channels' : 'that are zero';
  const why =
    scope === 'global'
      ? 'It is of the model as a whole: some layers gave more, others less.'
      : 'Every layer was to give the same share.';
  return html`<section id="sparsity"><h2>Sparsity per layer</h2>
<p>Share of each layer’s weights ${gone}, in order of execution. The line across a bar is the share that
was asked for, ${percent(share)}. ${why}</p>
${foldAfter(layers, OPEN_COUNT, (open) => layerTable(open, share))}</section>
`;
}

function layerTable(layers: readonly Layer[], share: number): Markup {
  const hasChannels = layers.some(({ channels }) => channels !== undefined);
  const body = layers.map(({ layer, weights, zeros, channels }) => {
    const own = weights === 0 ? 0 : zeros / weights;
    const kept =
      channels === undefined ? NOTHING : `${count(channels.before)} → ${count(channels.after)}`;
    return html`<tr>${barCell(own, 1, 'first', share)}<td class="number">${percent(own)}</td>\
<td class="number">${count(zeros)} of ${count(weights)}</td>\
${hasChannels && html`<td class="number">${kept}</td>`}<td class="name">${tensorName(layer)}</td></tr>
`;
  });
  return html`<div class="scroll" role="region" aria-label="Sparsity per layer" tabindex="0">
<table class="bars"><thead><tr><th scope="col">Zeros</th><th scope="col" class="number">Share</th>
<th scope="col" class="number">Weights</th>
${hasChannels && html`<th scope="col" class="number">Channels</th>`}
<th scope="col">Layer</th></tr></thead><tbody>
${body}</tbody></table></div>
`;
}
