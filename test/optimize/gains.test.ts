import test from 'ava';
import { describe } from '../../src/cli/optimize-text.ts';
import { type Gain, gains, type Report, type Variant } from '../../src/optimize/index.ts';
import { plan, prunedReport, reportAround, richReport, sampleVariant } from './sample-report.ts';

const gainOf = (report: Report, variant: string, quantity: Gain['quantity']): Gain | undefined =>
  gains(report).find((each) => each.variant === variant && each.quantity === quantity);

/** A pruned variant of a dense one, in a report of the two and float. */
function pair(dense: Partial<Variant>, own: Partial<Variant>, changes: Partial<Report>): Report {
  const plain = { sizeBytes: 1000, latencyUs: 1000, sqnrDb: 30, layerCount: 1 };
  return reportAround(
    [
      sampleVariant({ ...plain, name: 'float', sqnrDb: null }),
      sampleVariant({ ...plain, name: 'int8' }, dense),
      sampleVariant({ ...plain, name: 'pruned-int8' }, { dense: 'int8', ...own }),
    ],
    changes,
  );
}

test('every quantity that was measured of both, variant by variant, and nothing of dense ones', (t) => {
  t.deepEqual(gains(richReport()), []);
  const report = prunedReport();
  const of = (name: string) => gains(report).filter(({ variant }) => variant === name);
  t.deepEqual(
    of('pruned-int8').map(({ quantity }) => quantity),
    ['wire', 'file', 'flash', 'weights', 'ram', 'instructions', 'stock', 'xnn', 'macs'],
  );
  t.deepEqual(
    of('pruned-float').map(({ quantity }) => quantity),
    ['wire', 'file', 'stock', 'xnn', 'macs'],
  );
  t.is(gains(report).length, 9 + 3 * 5);
  t.like(gainOf(report, 'pruned-int8', 'flash'), {
    ...{ dense: 'int8', before: 88_412, after: 39_120, ratio: 39_120 / 88_412, change: 'less' },
    reason: undefined,
  });
});

test('where single weights are zero, what stays as it was says why and what would help', (t) => {
  const report = prunedReport();
  for (const [quantity, says] of [
    ['file', /stores zeros like any other number; --structured/],
    ['ram', /activations are as large as before; --structured/],
    ['stock', /the runtime multiplies zeros like any other number; --structured removes them$/],
    ['macs', /every weight is still multiplied/],
  ] as const) {
    const gain = gainOf(report, 'pruned-int8', quantity)!;
    t.is(gain.change, 'same', quantity);
    t.regex(gain.reason!, says);
  }
  t.is(gainOf(report, 'pruned-int8', 'wire')!.reason, undefined);
});

test('where channels went, everything is less, or the reason is another', (t) => {
  const structured = prunedReport(true);
  t.true(
    gains(structured).every(({ change, reason }) => change === 'less' && reason === undefined),
  );
  const none = pair({}, {}, { pruning: structured.pruning! });
  t.true(gains(none).every(({ change }) => change === 'same'));
  t.regex(gainOf(none, 'pruned-int8', 'macs')!.reason!, /too few channels were removed/);
});

test('training alone removes nothing, and is not said to', (t) => {
  const report = pair({}, { compressedBytes: 900 }, { training: prunedReport().training! });
  const wire = gainOf(report, 'pruned-int8', 'wire')!;
  t.is(wire.change, 'more');
  t.regex(wire.reason!, /training changes what the weights are/);
});

test("a latency within the machine's noise is no gain, and one beyond it is", (t) => {
  const { pruning } = prunedReport();
  const latency = (p50Us: number) => ({ latency: { stock: { p50Us, p99Us: 2 * p50Us } } });
  const stock = (before: number, after: number): Gain =>
    gainOf(pair(latency(before), latency(after), { pruning: pruning! }), 'pruned-int8', 'stock')!;
  t.like(stock(1000, 960), { change: 'same', ratio: 0.96 });
  t.regex(stock(1000, 960).reason!, /^within this machine's noise: the runtime multiplies zeros/);
  t.is(stock(1000, 900).change, 'less');
  t.is(stock(1000, 1100).change, 'more');
  // Of fast models, a few microseconds are noise whatever their share.
  t.is(stock(20, 12).change, 'same');
});

test('what is not known of both is left out, and nothing is no share of nothing', (t) => {
  const refused = { refused: 'TILE is in no plan' };
  const facts = { microcontroller: plan() };
  const { pruning } = prunedReport();
  t.is(
    gainOf(
      pair(facts, { microcontroller: refused }, { pruning: pruning! }),
      'pruned-int8',
      'flash',
    ),
    undefined,
  );
  const { instructions: _, ...uncounted } = plan() as { instructions?: number } & object;
  const half = pair(facts, { microcontroller: uncounted as never }, { pruning: pruning! });
  t.is(gainOf(half, 'pruned-int8', 'instructions'), undefined);
  t.not(gainOf(half, 'pruned-int8', 'ram'), undefined);
  const empty = gainOf(pair({ macs: 0 }, { macs: 0 }, {}), 'pruned-int8', 'macs')!;
  t.like(empty, { ratio: undefined, change: 'same' });
  const lost = pair({}, { dense: 'gone' }, {});
  t.deepEqual(gains(lost), []);
});

test('the command says what was pruned and trained, what it brought and what it did not', (t) => {
  const text = describe(prunedReport(), 'out');
  for (const says of [
    /^variant +bytes +brotli +latency +flash +RAM +M instr\. +SQNR/,
    /\nint8 +93,412 +77,532 +432 us +88,412 +41,984 +14\.51 /,
    /\nfloat +318,972 +264,747 +1204 us +- +- +- +identical/,
    /\npruned: 75\.00 % of all weights together asked for; [\d,]+ of [\d,]+ prunable weights are zero\n/,
    /\ntrained: 1,180 of 2,360 steps \(the loss fell no more\) on 2,048 labelled samples; loss 1\.\d+ → 0\.\d+, of validation/,
    /\npruned-int8 against int8 \(it loses 2\.\d+ % of accuracy; int8 loses 0\.\d+ % of accuracy\):\n/,
    /\n {2}on the wire \(brotli\) +0\.38 +77,532 bytes → 29,462 bytes\n/,
    / file +1\.00 +93,412 bytes → 93,412 bytes +a \.tflite file stores zeros/,
    / microcontroller flash +0\.44 /,
    / gateway latency, stock +0\.99 .* the runtime multiplies zeros like any other number/,
    /look at out\/report\.html\n$/,
  ]) {
    t.regex(text, says);
  }
  t.true(describe(prunedReport(true), 'out').includes('prunable weights are gone'));
});

test('the table has columns for what is known, and notes say why the rest is not', (t) => {
  t.notRegex(describe(richReport(), 'out'), /flash|RAM|instr/);
  const { instructions: _, ...facts } = plan() as { instructions?: number } & object;
  const reason = 'counting them takes the firmware';
  const uncounted = { microcontroller: { ...facts, instructionsReason: reason } as never };
  const text = describe(pair(uncounted, uncounted, {}), 'out');
  t.regex(text, /flash +RAM +SQNR/);
  t.is(text.split(`instructions of a microcontroller were not counted: ${reason}`).length, 2);
  const refused = describe(
    pair({ microcontroller: { refused: 'TILE is in no plan' } }, {}, {}),
    'x',
  );
  t.regex(refused, /note: int8 has no plan for a microcontroller: TILE is in no plan\n/);
  t.notRegex(refused, /flash +RAM/);
});
