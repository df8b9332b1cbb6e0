import type { Report, Variant } from '../../report-document.ts';
import { count, decibels, NOTHING } from '../format.ts';
import { html, type Markup } from '../html.ts';
import { byVariant, foldAfter } from './by-variant.ts';

type WorstInput = Variant['worstInputs'][number];

const OPEN_COUNT = 8;

export function worstInputs(report: Report): Markup {
  return html`<section id="inputs"><h2>Worst inputs</h2>
<p>The evaluation inputs with the largest error, worst first. “Expected” is the class that the float
model gives, “got” the one that the variant gives. Look at these first: unlike what was calibrated
with, or simply hard?</p>
${byVariant(report, inputsOf)}</section>
`;
}

/** What became of an answer; the label, where there is one, says which of the two is right. */
function outcome({ expected, got, label }: WorstInput): string {
  if (expected === got) return label === undefined || label === got ? 'kept' : 'kept, both wrong';
  if (label === undefined) return 'changed';
  if (label === expected) return 'changed, now wrong';
  return label === got ? 'changed, now right' : 'changed, both wrong';
}

function inputsOf(variant: Variant): Markup {
  const { name, worstInputs: inputs } = variant;
  if (inputs.length === 0) {
    return html`<p class="muted">No input of ${name} has an error to show.</p>
`;
  }
  return foldAfter(inputs, OPEN_COUNT, (items) => table(name, items));
}

function table(name: string, inputs: readonly WorstInput[]): Markup {
  const body = inputs.map(
    (input) => html`<tr><th scope="row" class="number">${count(input.index)}</th>\
<td class="number">${decibels(input.sqnrDb)}</td><td class="number">${count(input.expected)}</td>\
<td class="number">${count(input.got)}</td>\
<td class="number">${input.label === undefined ? NOTHING : count(input.label)}</td>\
<td class="answer">${outcome(input)}</td></tr>
`,
  );
  return html`<div class="scroll" role="region" aria-label="Worst inputs" tabindex="0">
<table class="lists"><caption>Worst inputs of ${name}</caption>
<thead><tr><th scope="col" class="number">Input</th><th scope="col" class="number">SQNR</th>
<th scope="col" class="number">Expected</th><th scope="col" class="number">Got</th>
<th scope="col" class="number">Label</th><th scope="col">Answer</th></tr></thead><tbody>
${body}</tbody></table></div>
`;
}
