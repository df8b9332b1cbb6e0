import { bestLatency } from '../../choose.ts';
import type { Report, Variant } from '../../report-document.ts';
import { type BarGroup, barChart, type Limit } from '../charts/bars.ts';
import { type ScatterPoint, scatterChart } from '../charts/scatter.ts';
import { chosenVariant, closeness } from '../figures.ts';
import { bytes, byteUnit, duration, timeUnit } from '../format.ts';
import { html, type Markup } from '../html.ts';

/** The variants against one another: cost and closeness together, then each cost by itself. */
export function comparison(report: Report): Markup {
  return html`<section id="comparison"><h2>Size, latency and error</h2>
<div class="charts">
${scatters(report)}${sizeBars(report)}${latencyBars(report)}</div></section>
`;
}

function largest(values: readonly number[]): number {
  return values.reduce((most, value) => Math.max(most, value), 0);
}

function scatters(report: Report): Markup {
  const { variants } = report;
  if (variants.length < 2) {
    return html`<p class="muted wide">One variant: there is nothing to weigh it against.</p>`;
  }
  const chosen = chosenVariant(report);
  const point = (variant: Variant, cost: number): ScatterPoint => ({
    name: variant.name,
    cost,
    sqnrDb: closeness(variant).sqnrDb,
    pareto: variant.pareto,
    chosen: variant === chosen,
  });
  const timed = variants.flatMap((variant) => {
    const best = bestLatency(variant);
    return best === undefined ? [] : [point(variant, best.p50Us)];
  });
  const bySize = scatterChart({
    id: 'size-and-error',
    title: 'File size against SQNR',
    cost: 'file size',
    unit: byteUnit(largest(variants.map((variant) => variant.sizeBytes))),
    write: bytes,
    points: variants.map((variant) => point(variant, variant.sizeBytes)),
  });
  const byLatency = scatterChart({
    id: 'latency-and-error',
    title: 'Latency against SQNR',
    cost: 'latency p50, faster path',
    unit: timeUnit(largest(timed.map((timedPoint) => timedPoint.cost))),
    write: duration,
    points: timed,
  });
  return html`${bySize}${timed.length > 0 && byLatency}`;
}

function limits(list: readonly (readonly [string, number | undefined])[]): Limit[] {
  return list.flatMap(([text, value]) => (value === undefined ? [] : [{ text, value }]));
}

function sizeBars(report: Report): Markup {
  const chosen = chosenVariant(report);
  const { budget } = report.choice;
  const groups = report.variants.map(
    (variant): BarGroup => ({
      name: variant.name,
      chosen: variant === chosen,
      bars: [
        {
          label: 'file',
          series: 'first',
          value: variant.sizeBytes,
          text: bytes(variant.sizeBytes),
        },
        {
          label: 'compressed',
          series: 'second',
          value: variant.compressedBytes,
          text: bytes(variant.compressedBytes),
        },
      ],
    }),
  );
  return barChart({
    id: 'sizes',
    title: 'Size',
    caption: 'On the device, and compressed as an update sends it.',
    axis: 'size',
    unit: byteUnit(largest(report.variants.map((variant) => variant.sizeBytes))),
    groups,
    limits: limits([
      ['budget of size', budget.sizeBytes],
      ['budget of compressed size', budget.compressedBytes],
    ]),
  });
}

function latencyBars(report: Report): Markup {
  const chosen = chosenVariant(report);
  const groups = report.variants.map(
    (variant): BarGroup => ({
      name: variant.name,
      chosen: variant === chosen,
      bars: (['stock', 'xnn'] as const).flatMap((path) => {
        const measured = variant.latency[path];
        if (measured === undefined) return [];
        const { p50Us, p99Us } = measured;
        const text = `${duration(p50Us)}, p99 ${duration(p99Us)}`;
        const series = path === 'stock' ? 'second' : 'first';
        return [{ label: path, series, value: p50Us, upTo: p99Us, text }];
      }),
    }),
  );
  const timed = groups.filter((group) => group.bars.length > 0);
  if (timed.length === 0) {
    return html`<p class="muted wide">Latency was not measured.</p>`;
  }
  return barChart({
    id: 'latencies',
    title: 'Latency',
    caption: `One inference on the machine named below. Bars are the median; the thin line reaches to p99, \
which 1 in 100 exceeds.`,
    axis: 'latency',
    unit: timeUnit(largest(timed.flatMap(({ bars }) => bars.map((bar) => bar.upTo ?? bar.value)))),
    groups: timed,
    limits: limits([['budget of latency', report.choice.budget.latencyUs]]),
  });
}
