import { join } from 'node:path';
import {
  bestLatency,
  denseOf,
  FLOAT_VARIANT,
  type Gain,
  gains,
  lossOf,
  lossText,
  type Pruning,
  planFacts,
  REPORT_PAGE_FILE,
  type Report,
  type Training,
  type Variant,
} from '../optimize/index.ts';
import { grouped, table } from './table.ts';

/** What `dunlin optimize` prints of its report. */
export function describe(report: Report, out: string): string {
  const { pruning, training } = report;
  return [
    ...variantTable(report),
    '',
    ...(pruning === undefined ? [] : [pruningLine(pruning)]),
    ...(training === undefined ? [] : [trainingLine(training)]),
    ...report.variants.flatMap((variant) => gainLines(report, variant)),
    report.choice.reason,
    ...microcontrollerNotes(report),
    ...report.warnings.map(({ message }) => `note: ${message}`),
    `look at ${join(out, REPORT_PAGE_FILE)}`,
    '',
  ].join('\n');
}

type Column = readonly [heading: string, cell: (variant: Variant) => string];

function variantTable(report: Report): string[] {
  const columns = columnsOf(report);
  return table([
    columns.map(([heading]) => heading),
    ...report.variants.map((variant) => columns.map(([, cell]) => cell(variant))),
  ]);
}

/** The largest output is an answer only where a model classifies, and accuracy needs labels. */
function columnsOf({ variants, choice }: Report): Column[] {
  const optional: Column[] = [
    ...(variants.some(({ logits }) => logits !== undefined)
      ? [['top-1 by class', ({ logits }) => percentText(logits?.top1ByClass)] satisfies Column]
      : []),
    ...(variants.some(({ accuracy }) => accuracy !== undefined)
      ? [['accuracy', ({ accuracy }) => percentText(accuracy)] satisfies Column]
      : []),
  ];
  return [
    ['variant', ({ name }) => name],
    ['bytes', ({ sizeBytes }) => grouped(sizeBytes)],
    ['brotli', ({ compressedBytes }) => grouped(compressedBytes)],
    ['latency', (variant) => latencyText(bestLatency(variant)?.p50Us)],
    ...microcontrollerColumns(variants),
    ['SQNR', ({ logits, output }) => sqnrText((logits ?? output).sqnrDb)],
    ...optional,
    ['', ({ name }) => (name === choice.variant ? '← chosen' : '')],
  ];
}

/** Of a Cortex-M4; instructions in millions, as one can multiply by what one takes at a clock rate. */
function microcontrollerColumns(variants: readonly Variant[]): Column[] {
  const facts = variants.map(planFacts);
  const bytes = (value: number | undefined): string => (value === undefined ? '-' : grouped(value));
  return [
    ...(facts.some((each) => each !== undefined)
      ? ([
          ['flash', (variant) => bytes(planFacts(variant)?.planBytes)],
          ['RAM', (variant) => bytes(planFacts(variant)?.ramBytes)],
        ] satisfies Column[])
      : []),
    ...(facts.some((each) => each?.instructions !== undefined)
      ? [['M instr.', (variant) => millionsText(planFacts(variant)?.instructions)] satisfies Column]
      : []),
  ];
}

/** Why figures of a microcontroller are missing; what is missing of every variant for one reason is said once. */
function microcontrollerNotes({ variants }: Report): string[] {
  const reasons = variants.flatMap(({ name, microcontroller }) => {
    if (microcontroller === undefined) return [];
    if ('refused' in microcontroller) {
      return [`note: ${name} has no plan for a microcontroller: ${microcontroller.refused}`];
    }
    const { instructionsReason } = microcontroller;
    return instructionsReason === undefined
      ? []
      : [`note: instructions of a microcontroller were not counted: ${instructionsReason}`];
  });
  return [...new Set(reasons)];
}

function pruningLine({ share, structured, scope, prunableWeights, zeroWeights }: Pruning): string {
  const single = scope === 'layer' ? "each layer's weights" : 'all weights together';
  const whole = structured ? 'the multiplications' : single;
  const zeros = `${grouped(zeroWeights)} of ${grouped(prunableWeights)} prunable weights`;
  const done = structured ? 'are gone' : 'are zero';
  return `pruned: ${percentText(share)} of ${whole} asked for; ${zeros} ${done}`;
}

const STOPPED: Readonly<Record<Training['stopped'], string>> = {
  steps: 'all that were planned',
  plateau: 'the loss fell no more',
  time: 'the time was up',
};

function trainingLine({
  samples,
  labelled,
  steps,
  plannedSteps,
  stopped,
  curve,
}: Training): string {
  const [first, last] = [curve[0], curve.at(-1)];
  const by = labelled ? 'labelled samples' : "samples, with the float model's answers";
  const fell =
    first === undefined || last === undefined
      ? ''
      : `; loss ${lossFigure(first.loss)} → ${lossFigure(last.loss)}`;
  const validated = curve.flatMap(({ validationLoss }) => validationLoss ?? []);
  const validation =
    validated.length === 0
      ? ''
      : `, of validation ${lossFigure(validated[0]!)} → ${lossFigure(validated.at(-1)!)}`;
  return (
    `trained: ${grouped(steps)} of ${grouped(plannedSteps)} steps (${STOPPED[stopped]}) ` +
    `on ${grouped(samples)} ${by}${fell}${validation}`
  );
}

/** What a pruned or trained variant brought, a line for each quantity; beginning with what it lost for that. */
function gainLines(report: Report, variant: Variant): string[] {
  const dense = denseOf(report, variant);
  if (dense === undefined) return [];
  const float = report.variants.find(({ name }) => name === FLOAT_VARIANT) ?? dense;
  const own = gains(report).filter((gain) => gain.variant === variant.name);
  const rows = own.map((gain) => [
    `  ${gain.label}`,
    gain.ratio?.toFixed(2) ?? '-',
    `${figureText(gain, gain.before)} → ${figureText(gain, gain.after)}`,
    gain.reason ?? '',
  ]);
  const losses = `${lossText(lossOf(variant, float))}; ${dense.name} ${lossText(lossOf(dense, float))}`;
  return [
    `${variant.name} against ${dense.name} (it ${losses}):`,
    ...(rows.length === 0 ? [] : table(rows)),
    '',
  ];
}

function figureText({ unit }: Gain, value: number): string {
  if (unit === 'us') return latencyText(value);
  return unit === 'bytes' ? `${grouped(value)} bytes` : grouped(value);
}

const lossFigure = (loss: number): string => loss.toPrecision(3);
const percentText = (share: number | undefined): string =>
  share === undefined ? '-' : `${(100 * share).toFixed(2)} %`;
const millionsText = (count: number | undefined): string =>
  count === undefined ? '-' : (count / 1e6).toFixed(count < 1e6 ? 3 : 2);
const latencyText = (us: number | undefined): string =>
  us === undefined ? '-' : `${us.toFixed(0)} us`;
const sqnrText = (decibels: number | null): string =>
  decibels === null ? 'identical' : `${decibels.toFixed(2)} dB`;
