import type { LayerError, Report, Variant } from '../../report-document.ts';
import { layerChart } from '../charts/layers.ts';
import { worstLayers } from '../figures.ts';
import { count, decibels, NOTHING, plural, shape } from '../format.ts';
import { html, type Markup } from '../html.ts';
import { tensorName } from '../tensor-name.ts';
import { byVariant } from './by-variant.ts';

/** Where the error comes from. */
export function layers(report: Report): Markup {
  return html`<section id="layers"><h2>Error per layer</h2>
<p>Each layer’s output against the same layer of the float model. <b>Accumulated</b> counts all
error up to the layer; <b>own</b> feeds the layer with the float model’s activations, so it names
the layer that is at fault. A layer with a low own SQNR is the first to look at.</p>
${byVariant(report, layersOf)}</section>
`;
}

function layersOf(variant: Variant, index: number): Markup {
  if (variant.layers.length === 0) {
    return html`<p class="muted">The layers of ${variant.name} were not compared.</p>
`;
  }
  const worst = worstLayers(variant.layers);
  if (worst.length === 0) {
    return html`<p class="muted">Every layer of ${variant.name} is identical.</p>
`;
  }
  const all = variant.layers.toSorted((a, b) => a.operator - b.operator);
  return html`${layerChart(`layers-${index}`, variant.name, variant.layers)}
${worstTable(worst)}
<details><summary>${plural(all.length, 'layer')} of ${variant.name} as a table</summary>
${layerTable(all)}</details>
`;
}

/** Figures before names: on a telephone, the names are what scrolls out of sight. */
const HEAD = html`<th scope="col" class="number">Operator</th>\
<th scope="col" class="number">Own</th><th scope="col" class="number">Accumulated</th>\
<th scope="col">Kind</th><th scope="col">Tensor</th><th scope="col">Shape</th>`;

function cells(layer: LayerError): Markup {
  const own = layer.ownSqnrDb === undefined ? NOTHING : decibels(layer.ownSqnrDb);
  return html`<td class="number">${count(layer.operator)}</td><td class="number">${own}</td>\
<td class="number">${decibels(layer.accumulatedSqnrDb)}</td><td>${layer.name}</td>\
<td class="name">${tensorName(layer.tensor)}</td><td>${shape(layer.shape)}</td>`;
}

function worstTable(worst: readonly LayerError[]): Markup {
  const measured = worst.every((layer) => layer.ownSqnrDb !== undefined);
  const by = measured ? 'own' : 'accumulated';
  const body = worst.map(
    (
      layer,
      rank,
    ) => html`<tr><th scope="row" class="number over">${rank + 1}</th>${cells(layer)}</tr>
`,
  );
  return html`<div class="scroll" role="region" aria-label="Worst layers" tabindex="0">
<table class="layers"><caption>Worst layers by ${by} SQNR (ringed above)</caption>
<thead><tr><th scope="col" class="number">Rank</th>${HEAD}</tr></thead><tbody>
${body}</tbody></table></div>
`;
}

function layerTable(all: readonly LayerError[]): Markup {
  const body = all.map(
    (layer) => html`<tr>${cells(layer)}</tr>
`,
  );
  return html`<div class="scroll" role="region" aria-label="All layers" tabindex="0">
<table class="layers"><thead><tr>${HEAD}</tr></thead><tbody>
${body}</tbody></table></div>
`;
}
