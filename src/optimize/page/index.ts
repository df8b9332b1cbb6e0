import type { Report } from '../report-document.ts';
import { html, trusted } from './html.ts';
import { comparison } from './sections/comparison.ts';
import { edgeTpu } from './sections/edge-tpu.ts';
import { keptFloat } from './sections/kept-float.ts';
import { layers } from './sections/layers.ts';
import { provenance } from './sections/provenance.ts';
import { variantsTable } from './sections/variants-table.ts';
import { verdict } from './sections/verdict.ts';
import { warnings } from './sections/warnings.ts';
import { weights } from './sections/weights.ts';
import { worstInputs } from './sections/worst-inputs.ts';
import { STYLE_SHEET } from './style.ts';

/** Nothing may be loaded or run, should a hostile name get past the escaping after all. */
const POLICY = "default-src 'none'; style-src 'unsafe-inline'";

const NAVIGATION = html`<nav aria-label="Sections">
<a href="#warnings">Warnings</a><a href="#variants">All variants</a>
<a href="#comparison">Size, latency, error</a><a href="#layers">Layers</a>
<a href="#weights">Weights</a><a href="#inputs">Worst inputs</a><a href="#edge-tpu">Edge TPU</a>
<a href="#kept-float">Kept in float</a><a href="#provenance">Provenance</a></nav>
`;

/**
 * `report.html`: one file by itself for whoever decides which variant to ship. It loads nothing, runs nothing, and
 * takes every text of the report for hostile.
 */
export function renderReportPage(report: Report): string {
  return html`<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<meta name="viewport" content="width=device-width,initial-scale=1">
<title>Optimizer report: ${report.source.file}</title>
<style>${trusted(STYLE_SHEET)}</style></head>
<body>
${verdict(report)}${NAVIGATION}<main>
${warnings(report)}${variantsTable(report)}${comparison(report)}${layers(report)}${weights(report)}\
${worstInputs(report)}${edgeTpu(report)}${keptFloat(report)}${provenance(report)}</main>
</body></html>
`.text;
}
