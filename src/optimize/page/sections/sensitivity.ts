import type { Report } from '../../report-document.ts';
import { decibelAxis } from '../charts/decibel-axis.ts';
import { bySensitivity, SENSITIVITY_HEIGHT_PX, sensitivityFigure } from '../charts/sensitivity.ts';
import { percent } from '../format.ts';
import { html, type Markup } from '../html.ts';
import { foldAfter } from './by-variant.ts';

const OPEN_COUNT = 12;

/** Which layers take pruning ill. */
export function sensitivity({ pruning }: Report): Markup {
  const { layers, share } = pruning!;
  const sorted = bySensitivity(layers, share);
  const values = sorted.flatMap((layer) => layer.sensitivity.map(({ sqnrDb }) => sqnrDb));
  const axis = decibelAxis(values, SENSITIVITY_HEIGHT_PX);
  return html`<section id="sensitivity"><h2>Sensitivity</h2>
<p>SQNR of the logits, in dB, with so much of a single layer pruned and everything else as it was. The
most sensitive layer comes first: it is the one to spare. All have the same axes; the dashed line is
the share that was asked for, ${percent(share)}.</p>
${foldAfter(
  sorted,
  OPEN_COUNT,
  (open, from) => html`<div class="multiples">
${open.map((layer, at) => sensitivityFigure(`sensitivity-${from + at}`, layer, axis, share))}</div>
`,
)}</section>
`;
}
