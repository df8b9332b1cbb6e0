import type { Training } from '../../report-document.ts';
import { count, percent, significant, tickWriter } from '../format.ts';
import { html, type Markup } from '../html.ts';
import { linearScale, magnitudeScale, type Scale } from '../scale.ts';
import { ACROSS, across, axisTitles, chart, coordinate, xAxis, yTick } from '../svg.ts';

type Point = Training['curve'][number];

const LOSS_PX = 220;
/** Between the two plots there is room for the lower one's title. */
const GAP_PX = 40;
const SPARSITY_PX = 80;
const HEIGHT_PX = LOSS_PX + GAP_PX + SPARSITY_PX;
const X_TICKS = 6;
const LOSS_TICKS = 5;
/** Fewer points than this are drawn as dots too: a line through one point is none. */
const FEW_POINTS = 40;

/** Loss over the steps, and below it how sparse the model was at each; shaded where int8 was simulated. */
export function trainingChart(id: string, { curve }: Training): Markup {
  const [first, last] = [curve[0]!, curve.at(-1)!];
  const x = linearScale({
    ...{ low: first.step, high: Math.max(last.step, first.step + 1) },
    ...{ range: ACROSS, tickCount: X_TICKS, exactEnds: true, minStep: 1 },
  });
  const validated = curve.flatMap(({ step, validationLoss }) =>
    validationLoss === undefined ? [] : [{ step, value: validationLoss }],
  );
  const losses = curve.map(({ step, loss }) => ({ step, value: loss }));
  const y = magnitudeScale(
    [...losses, ...validated].map(({ value }) => value),
    [LOSS_PX, 0],
    LOSS_TICKS,
  );
  const sparsity = linearScale({
    low: 0,
    high: 1,
    range: [HEIGHT_PX, HEIGHT_PX - SPARSITY_PX],
    tickCount: 2,
  });
  const isQuantized = curve.some(({ quantized }) => quantized);
  return chart(
    {
      id,
      title: 'Loss and sparsity',
      description: describe(curve),
      caption: html`<span class="key first">loss</span>\
${validated.length > 0 && html` <span class="key second">loss on validation samples (dashed)</span>`}\
${isQuantized && html` <span class="key shaded">int8 simulated</span>`}`,
      heightPx: HEIGHT_PX,
      padding: 'axes',
    },
    [
      shades(curve, x),
      xAxis(x, HEIGHT_PX),
      lossTicks(y),
      axisTitles(`loss${y.kind === 'log' ? ' (log scale)' : ''}`, 'step', HEIGHT_PX),
      sparsity.ticks.map((tick) => yTick(sparsity.position(tick), percent(tick))),
      html`<text class="axis" x="0" dx="-72" y="${HEIGHT_PX - SPARSITY_PX - 14}">zero weights</text>`,
      line(losses, x, y, 'first'),
      line(validated, x, y, 'second'),
      line(
        curve.map(({ step, sparsity: value }) => ({ step, value })),
        x,
        sparsity,
        'first',
      ),
    ],
  );
}

function describe(curve: readonly Point[]): string {
  const [first, last] = [curve[0]!, curve.at(-1)!];
  const validated = curve.flatMap(({ validationLoss }) => validationLoss ?? []);
  const validation =
    validated.length === 0
      ? ''
      : ` On validation samples from ${significant(validated[0]!)} to ${significant(validated.at(-1)!)}.`;
  const quantized = curve.find((point) => point.quantized);
  return (
    `Loss from ${significant(first.loss)} at step ${count(first.step)} to ${significant(last.loss)} at step ` +
    `${count(last.step)}.${validation} Zero weights from ${percent(first.sparsity)} to ${percent(last.sparsity)}.` +
    (quantized === undefined ? '' : ` int8 is simulated from step ${count(quantized.step)} on.`)
  );
}

function lossTicks(y: Scale): Markup[] {
  const write = y.kind === 'log' ? significant : tickWriter(y.ticks);
  return y.ticks.map((tick) => yTick(y.position(tick), write(tick)));
}

/** From each first step with int8 simulated to the next without, over both plots. */
function shades(curve: readonly Point[], x: Scale): Markup[] {
  return curve.flatMap(({ step, quantized }, index) => {
    if (!quantized || curve[index - 1]?.quantized) return [];
    const end = curve.slice(index).find((later) => !later.quantized) ?? curve.at(-1)!;
    const [left, right] = [x.position(step), x.position(end.step)];
    return [
      html`<rect class="shade" x="${across(left)}" width="${across(right - left)}" y="0" \
height="${HEIGHT_PX}"/>
`,
    ];
  });
}

interface Mark {
  readonly step: number;
  readonly value: number;
}

function line(marks: readonly Mark[], x: Scale, y: Scale, series: 'first' | 'second'): Markup {
  const spots = marks.map(({ step, value }) => ({
    ...{ step, value },
    ...{ left: x.position(step), top: coordinate(y.position(value)) },
  }));
  const path = spots
    .map(({ left, top }, index) => `${index === 0 ? 'M' : 'L'}${coordinate(left)} ${top}`)
    .join('');
  const dots = spots.length < FEW_POINTS ? spots : [];
  return html`<svg class="stretch" width="100%" height="${HEIGHT_PX}" \
viewBox="0 0 100 ${HEIGHT_PX}" preserveAspectRatio="none">\
<path class="${series === 'first' ? 'line' : 'second-line'}" d="${path}"/></svg>
${dots.map(
  ({ step, value, left, top }) => html`<circle class="dot ${series}" cx="${across(left)}" \
cy="${top}" r="2.5"><title>step ${count(step)}: ${significant(value)}</title></circle>
`,
)}`;
}
