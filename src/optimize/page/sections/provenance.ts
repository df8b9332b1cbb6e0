import type { Report } from '../../report-document.ts';
import { bytes, count, date, operations, plural, shape, yesNo } from '../format.ts';
import { html, type Markup, type Piece } from '../html.ts';

/** What went in, with digests: enough to make the same files again and to know that they are the same. */
export function provenance(report: Report): Markup {
  const { source, calibration, evaluation, machine } = report;
  const labels = evaluation.labelled ? 'labelled' : 'no labels';
  const separate = evaluation.separate ? 'apart from the calibration inputs' : 'used twice';
  return html`<section id="provenance"><h2>Provenance</h2>
${facts([
  ['Model', [`${source.file} (${bytes(source.sizeBytes)})`, digest(source.sha256)]],
  ['Input → output', `${shape(source.inputShape)} → ${shape(source.outputShape)}`],
  ['Operators', count(source.operatorCount)],
  ['Parameters', count(source.parameterCount)],
  ['MACs', operations(source.macs)],
  [
    'Calibration',
    [`${calibration.source}: ${plural(calibration.count, 'input')}`, digest(calibration.sha256)],
  ],
  ['Ranges', calibration.ranges],
  [
    'Evaluation',
    [
      `${evaluation.source}: ${plural(evaluation.count, 'input')}, ${labels}, ${separate}`,
      digest(evaluation.sha256),
    ],
  ],
  ['Machine', `${machine.cpu}, ${plural(machine.cores, 'core')}, ${machine.architecture}`],
  ['Software', `Dunlin ${machine.dunlin}, Node ${machine.node}`],
  ['Made', date(report.createdAt)],
])}
<details><summary>Options</summary>${options(report)}</details>
<details><summary>Files of the variants</summary>
${facts(
  report.variants.flatMap(({ name, file, sizeBytes, sha256 }): Fact[] => [
    [name, [`${file} (${count(sizeBytes)} bytes)`, digest(sha256)]],
  ]),
)}</details>
<p class="note">Latency belongs to this machine: compare variants with it, and measure on the device
before promising a figure.</p></section>
`;
}

type Fact = readonly [string, Piece];

function digest(sha256: string): Markup {
  return html`<code class="digest">SHA-256 ${sha256}</code>`;
}

function facts(list: readonly Fact[]): Markup {
  return html`<dl class="facts">
${list.map(
  ([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>
`,
)}</dl>
`;
}

function options(report: Report): Markup {
  const entries = Object.entries(report.options).toSorted(([a], [b]) => (a < b ? -1 : 1));
  if (entries.length === 0) return html`<p class="muted">All as by default.</p>`;
  return facts(
    entries.map(([name, value]) => {
      if (typeof value === 'boolean') return [name, yesNo(value)];
      return [name, typeof value === 'number' ? count(value) : value];
    }),
  );
}
