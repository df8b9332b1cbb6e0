import type { Report, Training } from '../../report-document.ts';
import { trainingChart } from '../charts/training.ts';
import { count, plural } from '../format.ts';
import { html, type Markup } from '../html.ts';

const STOPPED: Readonly<Record<Training['stopped'], string>> = {
  steps: 'all planned steps were done',
  plateau: 'the loss fell no more',
  time: 'the time was up',
};

/** How training went: whether the loss was still falling, and what pruning and int8 did to it on the way. */
export function training(report: Report): Markup {
  const own = report.training!;
  const { samples, labelled, batch, seed, steps, plannedSteps, stopped, curve } = own;
  const taught = labelled ? 'towards their labels' : 'towards the float model’s own answers';
  return html`<section id="training"><h2>Training</h2>
<p>${count(steps)} of ${count(plannedSteps)} planned steps, ${plural(batch, 'sample')} each, on \
${plural(samples, 'sample')}, ${taught}; seed ${seed}. It stopped because ${STOPPED[stopped]}.</p>
${curve.length > 0 ? trainingChart('training-curve', own) : html`<p class="muted">No curve was kept.</p>`}</section>
`;
}
