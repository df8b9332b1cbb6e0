import type { Report } from '../report-document.ts';
import { html, type Markup, trusted } from './html.ts';
import { comparison } from './sections/comparison.ts';
import { edgeTpu } from './sections/edge-tpu.ts';
import { gainsSection } from './sections/gains.ts';
import { keptFloat } from './sections/kept-float.ts';
import { layers } from './sections/layers.ts';
import { provenance } from './sections/provenance.ts';
import { sensitivity } from './sections/sensitivity.ts';
import { sparsity } from './sections/sparsity.ts';
import { training } from './sections/training.ts';
import { variantsTable } from './sections/variants-table.ts';
import { verdict } from './sections/verdict.ts';
import { warnings } from './sections/warnings.ts';
import { weights } from './sections/weights.ts';
import { worstInputs } from './sections/worst-inputs.ts';
import { STYLE_SHEET } from './style.ts';

interface Section {
  readonly id: string;
  readonly label: string;
  readonly render: (report: Report) => Markup;
  /** Has something to say of a report without variants, too. */
  readonly always?: true;
  /** Whether a report has what this is about; every report does where it is absent. */
  readonly when?: (report: Report) => boolean;
}

const SECTIONS: readonly Section[] = [
  { id: 'warnings', label: 'Warnings', render: warnings, always: true },
  { id: 'variants', label: 'All variants', render: variantsTable },
  {
    id: 'gains',
    label: 'Pruning and training',
    render: gainsSection,
    when: ({ variants }) => variants.some(({ dense }) => dense !== undefined),
  },
  { id: 'comparison', label: 'Size, latency, error', render: comparison },
  { id: 'layers', label: 'Layers', render: layers },
  {
    id: 'training',
    label: 'Training',
    render: training,
    when: (report) => report.training !== undefined,
  },
  {
    id: 'sensitivity',
    label: 'Sensitivity',
    render: sensitivity,
    when: ({ pruning }) => pruning?.layers.some((layer) => layer.sensitivity.length > 0) ?? false,
  },
  {
    id: 'sparsity',
    label: 'Sparsity per layer',
    render: sparsity,
    when: ({ pruning }) => pruning !== undefined && pruning.layers.length > 0,
  },
  { id: 'weights', label: 'Weights', render: weights },
  { id: 'inputs', label: 'Worst inputs', render: worstInputs },
  { id: 'edge-tpu', label: 'Edge TPU', render: edgeTpu },
  { id: 'kept-float', label: 'Kept in float', render: keptFloat },
  { id: 'provenance', label: 'Provenance', render: provenance, always: true },
];

/** Nothing may be loaded or run, should a hostile name get past the escaping after all. */
const POLICY = "default-src 'none'; style-src 'unsafe-inline'";

/**
 * `report.html`: one file by itself for whoever decides which variant to ship. It loads nothing, runs nothing, and
 * takes every text of the report for hostile.
 */
export function renderReportPage(report: Report): string {
  const hasVariants = report.variants.length > 0;
  const sections = SECTIONS.filter(
    ({ always = false, when = () => true }) => (hasVariants || always) && when(report),
  );
  const links = sections.map(
    ({ id, label }) => html`<a href="#${id}">${label}</a>
`,
  );
  return html`<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<meta name="viewport" content="width=device-width,initial-scale=1">
<title>Optimizer report: ${report.source.file}</title>
<style>${trusted(STYLE_SHEET)}</style></head>
<body>
${verdict(report)}<nav aria-label="Sections">
${links}</nav>
<main>
${!hasVariants && html`<p>The report has no variants.</p>`}
${sections.map((section) => section.render(report))}</main>
</body></html>
`.text;
}
