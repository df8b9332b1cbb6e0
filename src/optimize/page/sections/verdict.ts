import { bestLatency } from '../../choose.ts';
import type { Report, Variant } from '../../report-document.ts';
import {
  beatsConstant,
  budgetChecks,
  budgetLimits,
  chosenVariant,
  closeness,
  floatVariant,
  loss,
  lossKind,
} from '../figures.ts';
import {
  bytes,
  date,
  decibels,
  duration,
  errorShare,
  multiple,
  NOTHING,
  percent,
  points,
  significant,
} from '../format.ts';
import { html, type Markup, type Piece } from '../html.ts';

/** What to ship, why, and the figures that decide it. */
export function verdict(report: Report): Markup {
  const chosen = chosenVariant(report);
  const limits = budgetLimits(report);
  const unchosen = limits.length > 0 ? 'No variant fits the budget' : 'No variant was chosen';
  return html`<header id="verdict">
<div class="muted">Optimizer report · ${report.source.file} · ${date(report.createdAt)}</div>
<h1>${chosen ? `Ship ${chosen.name}` : unchosen}</h1>
<p>${report.choice.reason}</p>
<p class="muted">${limits.length > 0 ? `Budget: ${limits.join(', ')}.` : 'No budget was set.'}</p>
${chosen ? headline(report, chosen) : limits.length > 0 && misses(report)}
${cautions(report, chosen)}
</header>
`;
}

function figure(label: string, value: string, aside: Piece): Markup {
  return html`<div><dt>${label}</dt><dd class="value">${value}</dd>\
<dd class="aside">${aside}</dd></div>
`;
}

function headline(report: Report, chosen: Variant): Markup {
  const float = floatVariant(report);
  const toFloat = (value: number, reference: number | undefined): string => {
    if (chosen === float) return 'the float model itself';
    return reference === undefined ? '' : `${multiple(value, reference)} float`;
  };
  const latency = bestLatency(chosen);
  const near = closeness(chosen);
  return html`<dl class="figures">
${figure('File size', bytes(chosen.sizeBytes), toFloat(chosen.sizeBytes, float?.sizeBytes))}\
${figure(
  'Compressed, to send',
  bytes(chosen.compressedBytes),
  toFloat(chosen.compressedBytes, float?.compressedBytes),
)}\
${
  latency
    ? figure(`Latency, ${latency.path}`, duration(latency.p50Us), [
        toFloat(latency.p50Us, float && bestLatency(float)?.p50Us),
        ` · p99 ${duration(latency.p99Us)}`,
      ])
    : figure('Latency', NOTHING, 'no path ran it')
}\
${figure(
  `SQNR on ${near.on}`,
  decibels(near.sqnrDb),
  near.sqnrDb === null ? 'no error at all' : `error is ${errorShare(near.sqnrDb)} of the signal`,
)}\
${qualityFigures(report, chosen)}</dl>
`;
}

/** Top-1 only where the largest output is an answer. */
function qualityFigures(report: Report, chosen: Variant): Markup {
  const { top1ByClass, constantPredictor, maxAbsError } = closeness(chosen);
  if (lossKind(report) === 'signal') {
    return figure('Largest error', significant(maxAbsError), 'of any single output value');
  }
  const constant = `constant answer: ${percent(constantPredictor)}`;
  return html`${figure('Top-1 by class', percent(top1ByClass), constant)}\
${lossFigure(report, chosen)}`;
}

function lossFigure(report: Report, chosen: Variant): Markup {
  const lost = loss(report, chosen);
  if (lost.of === 'accuracy') {
    const change = lost.share < 0 ? `${points(-lost.share)} above` : `${points(lost.share)} below`;
    const aside = `${change} float’s ${percent(floatVariant(report)?.accuracy ?? 0)}`;
    return figure(
      'Accuracy',
      percent(chosen.accuracy!),
      lost.share === 0 ? 'the same as float' : aside,
    );
  }
  return figure('Loss', points(lost.share), 'of top-1 by class; accuracy is not known');
}

/** By how much each variant misses: what an engineer needs to change the budget or the model. */
function misses(report: Report): Markup {
  const rows = report.variants.map((variant) => {
    const missed = budgetChecks(report, variant).filter((check) => !check.met);
    const said = missed.map(({ label, value, limit }) => `${label} ${value} (${limit})`);
    return html`<li><b>${variant.name}</b>: ${said.join(', ') || 'within every limit'}</li>
`;
  });
  return html`<p>Where each variant is outside the budget:</p>
<ul>${rows}</ul>
`;
}

/** Whatever makes the figures above look better than they are. */
function cautions(report: Report, chosen: Variant | undefined): Markup[] {
  const { evaluation } = report;
  const said: string[] = [];
  if (!evaluation.separate) {
    said.push(`The figures come from the calibration inputs again, which flatters every variant. \
Evaluate on inputs that the calibration has not seen.`);
  }
  if (chosen && lossKind(report) !== 'signal' && !beatsConstant(closeness(chosen))) {
    said.push(`Top-1 by class is no better than that of a constant answer, so here it says \
nothing. Judge by SQNR.`);
  }
  return said.map(
    (text) => html`<p class="warning">${text}</p>
`,
  );
}
