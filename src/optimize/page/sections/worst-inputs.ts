import type { Report, Variant } from '../../report-document.ts';
import { lossKind } from '../figures.ts';
import { count, decibels, NOTHING } from '../format.ts';
import { html, type Markup } from '../html.ts';
import { byVariant, foldAfter } from './by-variant.ts';

type WorstInput = Variant['worstInputs'][number];

const OPEN_COUNT = 8;

export function worstInputs(report: Report): Markup {
  const answers = lossKind(report) !== 'signal';
  return html`<section id="inputs"><h2>Worst inputs</h2>
<p>The evaluation inputs with the largest error, worst first: are they unlike what was calibrated
with, or simply hard? Inputs are counted from 0.\
${answers && ' “Expected” is the class that the float model gives, “got” the one that the variant gives.'}\
</p>
${byVariant(report, (variant) => inputsOf(variant, answers))}</section>
`;
}

/** What became of an answer; the label, where there is one, says which of the two is right. */
function outcome({ expected, got, label }: WorstInput): string {
  if (expected === got) return label === undefined || label === got ? 'kept' : 'kept, both wrong';
  if (label === undefined) return 'changed';
  if (label === expected) return 'changed, now wrong';
  return label === got ? 'changed, now right' : 'changed, both wrong';
}

function inputsOf(variant: Variant, answers: boolean): Markup {
  const { name, worstInputs: inputs } = variant;
  if (inputs.length === 0) {
    return html`<p class="muted">No input of ${name} has an error to show.</p>
`;
  }
  return foldAfter(inputs, OPEN_COUNT, (items) => table(name, items, answers));
}

interface Column {
  readonly head: string;
  readonly style: 'number' | 'answer';
  readonly cell: (input: WorstInput) => string;
}

const SQNR: Column = { head: 'SQNR', style: 'number', cell: ({ sqnrDb }) => decibels(sqnrDb) };
const ANSWERS: readonly Column[] = [
  { head: 'Expected', style: 'number', cell: ({ expected }) => count(expected) },
  { head: 'Got', style: 'number', cell: ({ got }) => count(got) },
];
const LABEL: Column = {
  head: 'Label',
  style: 'number',
  cell: ({ label }) => (label === undefined ? NOTHING : count(label)),
};
const OUTCOME: Column = { head: 'Answer', style: 'answer', cell: outcome };

function table(name: string, inputs: readonly WorstInput[], answers: boolean): Markup {
  const labelled = inputs.some(({ label }) => label !== undefined);
  const classes = [OUTCOME, ...ANSWERS, ...(labelled ? [LABEL] : [])];
  const columns = [SQNR, ...(answers ? classes : [])];
  const heads = columns.map(
    ({ head, style }) => html`<th scope="col" class="${style}">${head}</th>`,
  );
  const body = inputs.map((input) => {
    const cells = columns.map(({ style, cell }) => html`<td class="${style}">${cell(input)}</td>`);
    return html`<tr><th scope="row" class="number">${count(input.index)}</th>${cells}</tr>
`;
  });
  return html`<div class="scroll" role="region" aria-label="Worst inputs" tabindex="0">
<table class="lists"><caption>Worst inputs of ${name}</caption>
<thead><tr><th scope="col" class="number">Input</th>${heads}</tr></thead><tbody>
${body}</tbody></table></div>
`;
}
