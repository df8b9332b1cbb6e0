import { bestLatency, type Loss } from '../../choose.ts';
import { planFacts } from '../../gains.ts';
import type { Report, Variant } from '../../report-document.ts';
import {
  type BudgetKey,
  budgetChecks,
  chosenVariant,
  closeness,
  floatVariant,
  loss,
  lossKind,
} from '../figures.ts';
import {
  bytes,
  decibels,
  duration,
  multiple,
  NOTHING,
  operations,
  percent,
  points,
  significant,
  smallShare,
  yesNo,
} from '../format.ts';
import { html, type Markup } from '../html.ts';

interface Cell {
  readonly value: string;
  readonly aside?: string | undefined;
}

interface Row {
  readonly label: string;
  readonly explanation: string;
  readonly cell: (variant: Variant) => Cell;
  /** The limit of the budget that this row is held to, for this variant. */
  readonly budget?: (variant: Variant) => BudgetKey | undefined;
}

const NO_ANSWERS = `Top-1 is left out: the model does not end in a softmax and there are no labels, so \
its largest output need not be an answer. Where it is one, give labels.`;

/**
 * Figures down, variants across: a figure's explanation stands once, beside its name. The chosen variant comes first,
 * where it is seen on a telephone too.
 */
export function variantsTable(report: Report): Markup {
  const chosen = chosenVariant(report);
  const columns = report.variants.toSorted((a, b) => Number(b === chosen) - Number(a === chosen));
  const column = (variant: Variant): string => (variant === chosen ? 'chosen' : '');
  const checks = new Map(report.variants.map((v) => [v, budgetChecks(report, v)]));
  const isOver = (row: Row, variant: Variant): boolean => {
    const key = row.budget?.(variant);
    return checks.get(variant)!.some((check) => check.key === key && !check.met);
  };
  const heads = columns.map(
    (variant) => html`<th scope="col" class="${column(variant)}">${variant.name}\
${variant === chosen && html`<span class="badge">chosen</span>`}</th>
`,
  );
  const figures = rows(report);
  const body = figures.map((row) => {
    const cells = columns.map((variant) => {
      const { value, aside } = row.cell(variant);
      return html`<td class="${column(variant)}">${value}\
${aside !== undefined && html`<span class="muted">${aside}</span>`}\
${isOver(row, variant) && html`<span class="badge over">outside the budget</span>`}</td>
`;
    });
    return html`<tr><th scope="row">${row.label}\
<span class="muted wide">${row.explanation}</span></th>
${cells}</tr>
`;
  });
  const meanings = figures.map(
    ({ label, explanation }) => html`<dt>${label}</dt><dd>${explanation}</dd>
`,
  );
  return html`<section id="variants"><h2>All variants</h2>
<div class="scroll" role="region" aria-label="All variants" tabindex="0">
<table class="variants"><thead><tr><th scope="col">Figure</th>
${heads}</tr></thead>
<tbody>
${body}</tbody></table></div>
<details class="narrow"><summary>What the figures mean</summary>
<dl class="facts">${meanings}</dl></details>
${microcontrollerNotes(report)}${lossKind(report) === 'signal' && html`<p class="note">${NO_ANSWERS}</p>`}</section>
`;
}

function rows(report: Report): Row[] {
  return [
    ...costRows(report),
    ...microcontrollerRows(report),
    ...closenessRows(report),
    ...traitRows(),
  ];
}

/** Only where a variant has such facts; one that is refused says so, and the reason stands below the table. */
function microcontrollerRows({ variants }: Report): Row[] {
  if (variants.every(({ microcontroller }) => microcontroller === undefined)) return [];
  type Facts = NonNullable<ReturnType<typeof planFacts>>;
  const cell =
    (write: (facts: Facts) => Cell): Row['cell'] =>
    (variant) => {
      const facts = planFacts(variant);
      if (facts !== undefined) return write(facts);
      return {
        value: NOTHING,
        aside: variant.microcontroller === undefined ? undefined : 'no plan',
      };
    };
  return [
    {
      label: 'Microcontroller flash',
      explanation: 'The execution plan for a Cortex-M4; the engine takes up to 24 KiB beside it.',
      cell: cell((facts) => ({
        value: bytes(facts.planBytes),
        aside: `weights: ${bytes(facts.weightBytes)}`,
      })),
      budget: () => 'flashBytes',
    },
    {
      label: 'Microcontroller RAM',
      explanation: 'The plan’s arena and the engine’s stack at most.',
      cell: cell((facts) => ({ value: bytes(facts.ramBytes) })),
      budget: () => 'ramBytes',
    },
    {
      label: 'Instructions',
      explanation:
        'Of one inference on a Cortex-M4, counted by QEMU: what it costs at any clock rate.',
      cell: cell(({ instructions }) => ({
        value: instructions === undefined ? 'not counted' : operations(instructions),
      })),
      budget: () => 'instructions',
    },
  ];
}

/** Why there is no plan of a variant, or no count of its instructions. */
function microcontrollerNotes({ variants }: Report): Markup[] {
  const said = variants.flatMap(({ name, microcontroller }) => {
    if (microcontroller === undefined) return [];
    if ('refused' in microcontroller) {
      return [`There is no plan of ${name} for a microcontroller: ${microcontroller.refused}.`];
    }
    const { instructionsReason } = microcontroller;
    return instructionsReason === undefined
      ? []
      : [`Instructions of ${name} were not counted: ${instructionsReason}.`];
  });
  return said.map(
    (text) => html`<p class="note">${text}</p>
`,
  );
}

function costRows(report: Report): Row[] {
  const float = floatVariant(report);
  const ratio = (variant: Variant, value: number, reference?: number): string | undefined =>
    variant === float || reference === undefined
      ? undefined
      : `${multiple(value, reference)} float`;
  const latencyRow = (path: 'stock' | 'xnn', explanation: string): Row => ({
    label: `Latency, ${path}`,
    explanation,
    cell: (variant) => {
      const measured = variant.latency[path];
      if (measured === undefined) return { value: NOTHING };
      const aside = ratio(variant, measured.p50Us, float?.latency[path]?.p50Us);
      return { value: duration(measured.p50Us), aside };
    },
    budget: (variant) =>
      (bestLatency(variant)?.path ?? 'stock') === path ? 'latencyUs' : undefined,
  });
  return [
    {
      label: 'File size',
      explanation: 'What it takes on the device’s disk or flash.',
      cell: (v) => ({ value: bytes(v.sizeBytes), aside: ratio(v, v.sizeBytes, float?.sizeBytes) }),
      budget: () => 'sizeBytes',
    },
    {
      label: 'Compressed',
      explanation: 'Brotli at quality 11: what an update sends.',
      cell: (v) => ({
        value: bytes(v.compressedBytes),
        aside: ratio(v, v.compressedBytes, float?.compressedBytes),
      }),
      budget: () => 'compressedBytes',
    },
    latencyRow('stock', 'Median (p50) of one inference with the runtime’s own kernels.'),
    latencyRow('xnn', 'The same through XNNPACK.'),
    {
      label: 'MACs',
      explanation: 'Multiply-accumulates of one inference.',
      cell: (v) => ({ value: operations(v.macs) }),
    },
    {
      label: 'Peak activation memory',
      explanation: 'Largest sum of activations alive at once: the least working memory.',
      cell: (v) => ({ value: bytes(v.peakActivationBytes) }),
      budget: () => 'memoryBytes',
    },
  ];
}

function closenessRows(report: Report): Row[] {
  const onLogits = report.variants.some(({ logits }) => logits !== undefined);
  return [
    {
      label: 'SQNR',
      explanation: `Signal to quantization noise: how far the float model’s values stand above the
error. 20 dB is an error of a tenth; every 6 dB more halve it.\
${onLogits ? ' Logits are what the final softmax reads.' : ''}`,
      cell: (v) => ({ value: decibels(closeness(v).sqnrDb), aside: `on ${closeness(v).on}` }),
      budget: () => 'sqnrDb',
    },
    {
      label: 'Largest error',
      explanation: 'Of any single value, in the units of the same outputs.',
      cell: (v) => ({ value: significant(closeness(v).maxAbsError) }),
    },
    ...(lossKind(report) === 'signal' ? [] : answerRows()),
    ...(report.evaluation.labelled ? [ACCURACY_ROW] : []),
    lossRow(report),
  ];
}

/** For models whose largest output is their answer. */
function answerRows(): Row[] {
  return [
    {
      label: 'Top-1',
      explanation: 'Share of inputs whose largest output is the float model’s.',
      cell: (v) => ({ value: percent(closeness(v).top1) }),
    },
    {
      label: 'Top-1 by class',
      explanation: `The same, averaged over classes, so that a frequent class does not outvote the
rest. Below it, what always answering the most frequent class would score: a variant near that has
kept nothing of the model.`,
      cell: (v) => ({
        value: percent(closeness(v).top1ByClass),
        aside: `constant answer: ${percent(closeness(v).constantPredictor)}`,
      }),
    },
  ];
}

const ACCURACY_ROW: Row = {
  label: 'Accuracy',
  explanation: 'Share of inputs whose largest output is the label.',
  cell: (v) => ({ value: v.accuracy === undefined ? NOTHING : percent(v.accuracy) }),
};

const LOSS_EXPLANATIONS: Readonly<Record<Loss['of'], string>> = {
  accuracy: 'Float’s accuracy less the variant’s, in percentage points; below zero it is a gain.',
  agreement: `What top-1 by class lacks to 100%, in percentage points: without labels, accuracy is
not known.`,
  signal: 'Root mean square of the error, as a share of that of the float model’s output.',
};

function lossRow(report: Report): Row {
  const kind = lossKind(report);
  return {
    label: kind === 'signal' ? 'Error' : 'Loss',
    explanation: LOSS_EXPLANATIONS[kind],
    cell: (v) => {
      const { share, of } = loss(report, v);
      if (of === 'signal') return { value: smallShare(share), aside: 'of the signal' };
      return {
        value: points(share),
        aside: of === 'accuracy' ? 'of accuracy' : 'of top-1 by class',
      };
    },
    budget: () => 'drop',
  };
}

function traitRows(): Row[] {
  return [
    {
      label: 'Zero weights',
      explanation: 'Share of weights that are zero; they compress well.',
      cell: (v) => ({ value: percent(v.sparsity) }),
    },
    {
      label: 'Fully int8',
      explanation: 'No operator computes in float: what integer-only hardware needs.',
      cell: (v) => ({ value: yesNo(v.fullyInt8), aside: `${v.inputType} → ${v.outputType}` }),
    },
    {
      label: 'On the Pareto front',
      explanation: `No other variant is at least as good in size, latency and error, and better in
one.`,
      cell: (v) => ({ value: yesNo(v.pareto) }),
    },
  ];
}
