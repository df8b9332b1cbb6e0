import test, { type ExecutionContext } from 'ava';
import fc from 'fast-check';
import { labelBox, overlap, placeLabels } from '../../src/optimize/page/charts/labels.ts';
import { operatorState } from '../../src/optimize/page/charts/operator-strip.ts';
import { bySensitivity, nearest } from '../../src/optimize/page/charts/sensitivity.ts';
import { tradeFront, worstLayers } from '../../src/optimize/page/figures.ts';
import { renderReportPage } from '../../src/optimize/page/index.ts';
import type { Report } from '../../src/optimize/report-document.ts';
import { figure, number, ofClass, readAxis, type Tag } from './page-reader.ts';
import {
  minimalReport,
  prunedReport,
  richReport,
  sampleLayers,
  sampleVariant,
} from './sample-report.ts';

const KB = 1000;
const report = richReport();
const page = renderReportPage(report);
const int8 = report.variants[3]!;

function near(t: ExecutionContext, actual: number, expected: number, slack: number): void {
  t.true(Math.abs(actual - expected) <= slack, `${actual} is not ${expected}`);
}

/** The points of a scatter with the name that their title begins with. */
function scatterMarks(id: string) {
  const all = figure(page, id);
  const circles = ofClass(all, 'circle', 'point');
  const names = all.filter(
    (tag, index) => tag.name === 'title' && circles.includes(all[index - 1]!),
  );
  return {
    x: readAxis(ofClass(all, 'text', 'tick', 'middle'), 'x'),
    y: readAxis(ofClass(all, 'text', 'tick', 'end'), 'y'),
    identicalY: number(
      ofClass(all, 'text', 'tick').find((tick) => tick.text === 'identical')!,
      'y',
    ),
    marks: circles.map((circle, index) => ({
      name: names[index]!.text.split(':')[0]!,
      circle,
    })),
  };
}

function checkScatter(t: ExecutionContext, id: string, cost: (name: string) => number): void {
  const { x, y, identicalY, marks } = scatterMarks(id);
  t.deepEqual(
    marks.map((mark) => mark.name),
    report.variants.map((variant) => variant.name),
  );
  for (const [index, { name, circle }] of marks.entries()) {
    const { sqnrDb } = report.variants[index]!.logits!;
    near(t, x(number(circle, 'cx')), cost(name), 0.01);
    if (sqnrDb === null) t.is(number(circle, 'cy'), identicalY);
    else near(t, y(number(circle, 'cy')), sqnrDb, 0.01);
    const isHollow = circle.attributes['class']!.includes('hollow');
    t.is(isHollow, !report.variants[index]!.pareto);
  }
}

test('points stand where the axes say that their figures are', (t) => {
  const variant = (name: string) => report.variants.find((each) => each.name === name)!;
  checkScatter(t, 'size-and-error', (name) => variant(name).sizeBytes / KB);
  checkScatter(t, 'latency-and-error', (name) => variant(name).latency.xnn!.p50Us / 1000);
});

test('the front goes through the variants that no other beats, in steps', (t) => {
  const { marks } = scatterMarks('size-and-error');
  const at = (name: string): Tag => marks.find((mark) => mark.name === name)!.circle;
  const lines = ofClass(figure(page, 'size-and-error'), 'line', 'front');
  const corners = lines.map((line) => [number(line, 'x1'), number(line, 'y1')]);
  t.is(lines.length, 4);
  t.deepEqual(corners[0], [number(at('int8'), 'cx'), number(at('int8'), 'cy')]);
  t.deepEqual(corners[2], [number(at('float16'), 'cx'), number(at('float16'), 'cy')]);
  t.is(number(lines[3]!, 'y2'), number(at('float'), 'cy'));
});

test('no point of a front is beaten, and every other point is', (t) => {
  const point = fc.record({
    cost: fc.integer({ min: 0, max: 20 }),
    sqnrDb: fc.option(fc.integer({ min: -5, max: 40 })),
  });
  type Point = { cost: number; sqnrDb: number | null };
  const db = (each: Point): number => each.sqnrDb ?? Number.POSITIVE_INFINITY;
  const covers = (a: Point, b: Point): boolean => a.cost <= b.cost && db(a) >= db(b);
  fc.assert(
    fc.property(fc.array(point, { maxLength: 12 }), (points) => {
      const front = tradeFront(points);
      return points.every((each) => {
        const others = front.filter((other) => other !== each);
        return front.includes(each) !== others.some((other) => covers(other, each));
      });
    }),
  );
  t.pass();
});

test('bars are as long as their figures', (t) => {
  const sizes = figure(page, 'sizes');
  const x = readAxis(ofClass(sizes, 'text', 'tick'), 'x');
  const bars = ofClass(sizes, 'rect', 'bar').map((bar) => x(number(bar, 'width')) * KB);
  const expected = report.variants.flatMap((each) => [each.sizeBytes, each.compressedBytes]);
  t.is(bars.length, expected.length);
  for (const [index, bar] of bars.entries()) near(t, bar, expected[index]!, 10);
  const [limit] = ofClass(sizes, 'line', 'limit');
  near(t, x(number(limit!, 'x1')), 120, 0.01);
});

test('latency bars end at the median and their lines at p99', (t) => {
  const latencies = figure(page, 'latencies');
  const x = readAxis(ofClass(latencies, 'text', 'tick'), 'x');
  const bars = ofClass(latencies, 'rect', 'bar');
  const spreads = ofClass(latencies, 'line', 'spread');
  const expected = report.variants.flatMap((each) => [each.latency.stock!, each.latency.xnn!]);
  t.is(bars.length, expected.length);
  for (const [index, { p50Us, p99Us }] of expected.entries()) {
    near(t, x(number(bars[index]!, 'width')) * 1000, p50Us, 0.1);
    near(t, x(number(spreads[index]!, 'x2')) * 1000, p99Us, 0.1);
  }
});

function checkLayers(t: ExecutionContext, from: Report): void {
  const all = figure(renderReportPage(from), 'layers-3');
  const y = readAxis(ofClass(all, 'text', 'tick', 'end'), 'y');
  const x = readAxis(ofClass(all, 'text', 'tick', 'middle'), 'x');
  const { layers } = from.variants[3]!;
  for (const [series, key] of [
    ['first', 'accumulatedSqnrDb'],
    ['second', 'ownSqnrDb'],
  ] as const) {
    const dots = ofClass(all, 'circle', 'dot', series);
    t.is(dots.length, layers.length);
    for (const [index, layer] of layers.entries()) {
      near(t, x(number(dots[index]!, 'cx')), layer.operator, 0.01);
      const sqnrDb = layer[key];
      if (typeof sqnrDb === 'number') near(t, y(number(dots[index]!, 'cy')), sqnrDb, 0.01);
      else t.is(number(dots[index]!, 'cy'), 10);
    }
  }
}

test('every layer has its points at its operator and its decibels', (t) => {
  checkLayers(t, report);
  checkLayers(t, richReport(140));
});

test('the line of accumulated error goes through its points', (t) => {
  const all = figure(page, 'layers-3');
  const [line] = ofClass(all, 'path', 'line');
  const corners = line!.attributes['d']!.split(/[ML]/).slice(1);
  const dots = ofClass(all, 'circle', 'dot', 'first');
  t.deepEqual(
    corners,
    dots.map((dot) => `${number(dot, 'cx')} ${number(dot, 'cy')}`),
  );
});

test('the worst layers are ringed', (t) => {
  const all = figure(page, 'layers-3');
  const worst = worstLayers(int8.layers);
  const own = ofClass(all, 'circle', 'dot', 'second');
  const rings = ofClass(all, 'circle', 'worst');
  t.is(rings.length, 5);
  for (const [index, layer] of worst.entries()) {
    t.is(number(rings[index]!, 'cx'), number(own[layer.operator]!, 'cx'));
    t.is(number(rings[index]!, 'cy'), number(own[layer.operator]!, 'cy'));
  }
  const [least] = int8.layers.toSorted((a, b) => (a.ownSqnrDb ?? 999) - (b.ownSqnrDb ?? 999));
  t.is(worst[0], least);
});

test('without own errors the accumulated ones rank layers; identical ones have no rank', (t) => {
  const layers = sampleLayers(9, 30).map(({ ownSqnrDb: _, ...layer }) => layer);
  const lowest = Math.min(...layers.map((layer) => layer.accumulatedSqnrDb ?? 999));
  t.is(worstLayers(layers)[0]!.accumulatedSqnrDb, lowest);
  t.is(worstLayers(layers).length, 3);
  t.deepEqual(worstLayers(layers.map((layer) => ({ ...layer, accumulatedSqnrDb: null }))), []);
});

test('histograms are as high as the square roots of their counts', (t) => {
  const { counts } = int8.weights[0]!.histogram;
  const [path] = ofClass(figure(page, 'weights-3-0'), 'path', 'bins');
  const tops = [...path!.attributes['d']!.matchAll(/V([\d.]+)H(\d+)/g)];
  const most = Math.max(...counts);
  t.is(tops.length, counts.length);
  for (const [index, [, top, right]] of tops.entries()) {
    near(t, ((56 - Number(top)) / 56) ** 2 * most, counts[index]!, 1);
    t.is(Number(right), index + 1);
  }
});

test('the strip of operators shows where the Edge TPU stops', (t) => {
  const start = page.indexOf('id="edge-tpu-3-title"');
  const cells = page.slice(start, page.indexOf('</svg>', start)).match(/<rect class="\w+"/g)!;
  const states = int8.edgeTpu.operators.map(operatorState);
  t.deepEqual(
    cells.map((cell) => cell.split('"')[1]),
    states,
  );
  t.deepEqual(states.slice(0, 2), ['cannot', 'mapped']);
  t.deepEqual(states.slice(-3), ['cannot', 'after', 'after']);
  t.is(states.filter((state) => state === 'mapped').length, int8.edgeTpu.mapped);
});

test('labels keep off one another wherever a few points lie', (t) => {
  const [WIDTH, HEIGHT] = [250, 260];
  const point = fc.record({
    xPx: fc.integer({ min: 0, max: WIDTH }),
    yPx: fc.integer({ min: 0, max: HEIGHT }),
    text: fc.constantFrom('int8', 'float', 'float16', 'dynamic'),
  });
  fc.assert(
    fc.property(fc.array(point, { maxLength: 4 }), (points) => {
      const boxes = placeLabels(points, WIDTH, HEIGHT).map((place, index) =>
        labelBox(points[index]!, place),
      );
      return boxes.every((box, index) =>
        boxes.slice(index + 1).every((other) => overlap(box, other) < 1e-6),
      );
    }),
  );
  t.pass();
});

test('one layer, and sizes far apart, have axes that can be read', (t) => {
  const one = figure(renderReportPage(minimalReport()), 'layers-0');
  t.deepEqual(
    ofClass(one, 'text', 'tick', 'middle').map((tick) => tick.text),
    ['0'],
  );
  t.true(ofClass(one, 'text', 'tick', 'end').length >= 2);
  const small = sampleVariant({
    name: 'tiny',
    sizeBytes: 2000,
    latencyUs: 9,
    sqnrDb: 12,
    layerCount: 2,
  });
  const far = renderReportPage({ ...report, variants: [...report.variants, small] });
  t.true(figure(far, 'size-and-error').some((tag) => tag.text === 'file size, kB (log scale)'));
});

test('the curves of training go through their points, and int8 is shaded from its first step', (t) => {
  const { training, ...rest } = prunedReport();
  const all = figure(renderReportPage({ ...rest, training: training! }), 'training-curve');
  const ticks = ofClass(all, 'text', 'tick', 'end');
  const x = readAxis(ofClass(all, 'text', 'tick', 'middle'), 'x');
  const y = readAxis(
    ticks.filter(({ text }) => !text.includes('%')),
    'y',
  );
  const { curve } = training!;
  const corners = ofClass(all, 'path', 'line').map((path) =>
    path.attributes['d']!.split(/[ML]/)
      .slice(1)
      .map((corner) => corner.split(' ').map(Number)),
  );
  t.is(corners.length, 2);
  for (const [index, { step, loss, sparsity }] of curve.entries()) {
    const [left, top] = corners[0]![index]!;
    near(t, x(left!), step, 1);
    near(t, y(top!), loss, 0.001);
    near(t, (340 - corners[1]![index]![1]!) / 80, sparsity, 0.001);
  }
  const validated = curve.filter(({ validationLoss }) => validationLoss !== undefined);
  const dots = ofClass(all, 'circle', 'dot', 'second');
  t.is(dots.length, validated.length);
  for (const [index, dot] of dots.entries()) {
    near(t, y(number(dot, 'cy')), validated[index]!.validationLoss!, 0.001);
  }
  const [shade, ...others] = ofClass(all, 'rect', 'shade');
  t.is(others.length, 0);
  near(t, x(number(shade!, 'x')), curve.find(({ quantized }) => quantized)!.step, 1);
  near(t, number(shade!, 'x') + number(shade!, 'width'), 100, 0.01);
});

test('layers are sorted by what they lose where the share that was asked for is pruned', (t) => {
  const report = prunedReport();
  const { layers, share } = report.pruning!;
  const sorted = bySensitivity(layers, share);
  t.is(sorted.length, layers.length);
  const at = sorted.map(({ sensitivity }) => nearest(sensitivity, share)!.sqnrDb!);
  t.deepEqual(
    at,
    at.toSorted((a, b) => a - b),
  );
  const first = figure(renderReportPage(report), 'sensitivity-0');
  const y = readAxis(ofClass(first, 'text', 'tick', 'end'), 'y');
  const dots = ofClass(first, 'circle', 'dot');
  for (const [index, point] of sorted[0]!.sensitivity.entries()) {
    near(t, number(dots[index]!, 'cx'), 100 * point.share, 0.01);
    if (point.sqnrDb !== null) near(t, y(number(dots[index]!, 'cy')), point.sqnrDb, 0.05);
  }
  const middle = [0.25, 0.5].map((each) => ({ share: each, sqnrDb: 1 }));
  t.is(nearest(middle, 0.375)!.share, 0.5);
  t.is(nearest([], 0.3), undefined);
  const unmeasured = { ...layers[0]!, sensitivity: [] };
  const harmless = { ...layers[0]!, sensitivity: [{ share, sqnrDb: null }] };
  t.deepEqual(bySensitivity([unmeasured, harmless, layers[1]!], share), [layers[1]!, harmless]);
});
