import { readFileSync } from 'node:fs';
import test from 'ava';
import { checkSchema } from '../../src/core/index.ts';
import { escapeText, html } from '../../src/optimize/page/html.ts';
import { renderReportPage } from '../../src/optimize/page/index.ts';
import { DARK, LIGHT, type Palette } from '../../src/optimize/page/style.ts';
import { Report } from '../../src/optimize/report-document.ts';
import { tags, unescapeText } from './page-reader.ts';
import {
  agreement,
  minimalReport,
  plan,
  prunedReport,
  reportAround,
  richReport,
  sampleVariant,
} from './sample-report.ts';

const rich = richReport();
const SAMPLES: Readonly<Record<string, Report>> = {
  rich,
  deep: richReport(120),
  minimal: minimalReport(),
  pruned: prunedReport(),
  structured: prunedReport(true, 60),
  'trained for one step': trainedOnce(),
  'without variants': reportAround([]),
  'float alone': reportAround([rich.variants[0]!], {
    choice: { variant: 'float', reason: 'There is nothing else.', budget: {} },
  }),
};

/** Nothing but training, and of it one point. */
function trainedOnce(): Report {
  const { pruning: _, training, ...report } = prunedReport();
  return { ...report, training: { ...training!, curve: training!.curve.slice(0, 1) } };
}

/** What a reader sees as text, whatever markup stands between. */
function textOf(page: string): string {
  return unescapeText(
    page.replace(/<style>.*?<\/style>|<wbr>/gs, '').replace(/<[^>]*>/g, ' '),
  ).replace(/\s+/g, ' ');
}

/** The first tag that is closed out of order or not at all. */
function misnested(page: string): string | undefined {
  const open: string[] = [];
  for (const { name, closing, selfClosing } of tags(page)) {
    if (closing && open.pop() !== name) return name;
    if (!closing && !selfClosing && name !== 'meta' && name !== 'wbr') open.push(name);
  }
  return open.at(-1);
}

for (const [name, report] of Object.entries(SAMPLES)) {
  test(`${name}: the sample keeps to the schema, and its page is whole`, (t) => {
    const checked = checkSchema(Report, report);
    t.deepEqual('problems' in checked ? checked.problems : [], []);
    const page = renderReportPage(report);
    t.is(misnested(page), undefined);
    t.notRegex(page, /undefined|NaN|Infinity|\[object|\bnull\b/);
  });

  test(`${name}: nothing is loaded and nothing runs`, (t) => {
    const page = renderReportPage(report);
    t.notRegex(page, /https?:|<script|<link|<img|<iframe|@import|url\(|javascript:|\son\w+=/i);
    t.true(unescapeText(page).includes("default-src 'none'"));
  });

  test(`${name}: ids are unique, and every drawing has a name and a description`, (t) => {
    const all = tags(renderReportPage(report));
    const ids = all.flatMap((tag) => tag.attributes['id'] ?? []);
    t.is(new Set(ids).size, ids.length);
    const targets = all.flatMap((tag) => [
      ...(tag.attributes['aria-labelledby']?.split(' ') ?? []),
      ...(tag.attributes['href']?.startsWith('#') ? [tag.attributes['href'].slice(1)] : []),
    ]);
    t.deepEqual(
      targets.filter((target) => !ids.includes(target)),
      [],
    );
    const drawings = all.filter((tag) => tag.name === 'svg' && tag.attributes['role'] === 'img');
    t.true(drawings.every((svg) => svg.attributes['aria-labelledby']!.includes('-desc')));
    const heads = all.filter((tag) => tag.name === 'th' && !tag.closing);
    t.true(heads.every((head) => head.attributes['scope'] !== undefined));
  });
}

const HOSTILE = `<script>alert(1)</script><img src=x onerror="y">' " & \u202egnp.exe\u0000`;

const FIXED_WORDS = ['dunlin-optimize-report', 'cortex-m4', 'global', 'plateau'];

/** Every text of a report with something nasty behind it; digests and fixed words stay. */
function poison(value: unknown): unknown {
  if (typeof value === 'string') {
    return /^[0-9a-f]{64}$/.test(value) || FIXED_WORDS.includes(value) ? value : value + HOSTILE;
  }
  if (Array.isArray(value)) return value.map(poison);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, poison(each)]));
}

/** A report with every part that may hold text. */
function wordy(): Report {
  const report = prunedReport(true);
  const [float, half, ...others] = report.variants;
  const { instructions: _, ...facts } = plan() as { instructions?: number } & object;
  const uncounted = { ...facts, instructionsReason: 'make firmware' } as ReturnType<typeof plan>;
  return {
    ...report,
    variants: [
      { ...float!, microcontroller: { refused: 'TILE is in no plan' } },
      { ...half!, microcontroller: uncounted },
      ...others,
    ],
    choice: { ...report.choice, variant: 'int8' },
  };
}

test('no text of the report becomes markup', (t) => {
  const rich = wordy();
  const options = { [`key${HOSTILE}`]: HOSTILE };
  const hostile = { ...(poison(rich) as Report), options };
  t.true('value' in checkSchema(Report, hostile));
  const page = renderReportPage(hostile);
  const inventory = (text: string): string[] => {
    const names = tags(text).flatMap(({ name, attributes }) => [
      name,
      ...Object.keys(attributes).map((key) => `${name} ${key}`),
    ]);
    return [...new Set(names)].sort();
  };
  t.notRegex(page, /<script|<img|\u202e/);
  t.false(page.includes('\u0000'));
  t.deepEqual(inventory(page), inventory(renderReportPage({ ...rich, options: { key: '' } })));
  t.true(page.includes('Ship int8&lt;script&gt;alert(1)&lt;/script&gt;'));
  t.true(page.includes('\\u{202e}gnp.exe\\u{0}'));
});

test('escaping covers quotes, lone surrogates and line ends', (t) => {
  t.is(escapeText(`<a b='c'>&"`), '&lt;a b=&#39;c&#39;&gt;&amp;&quot;');
  t.is(escapeText('a\u200bb\ud800c\nd'), 'a\\u{200b}b\\u{d800}c d');
  t.is(escapeText('größe/卷积/😀'), 'größe/卷积/😀');
  t.is(
    html`<b>${['<', html`<i>${'>'}</i>`, undefined, false, 0]}</b>`.text,
    '<b>&lt;<i>&gt;</i>0</b>',
  );
});

test('every variant, warning, layer, tensor, input and reason is there', (t) => {
  const report = richReport(120);
  const text = textOf(renderReportPage(report));
  const missing = (wanted: readonly string[]): string[] =>
    wanted.filter((each) => !text.includes(each));
  t.deepEqual(missing(report.warnings.map((warning) => warning.message)), []);
  for (const variant of report.variants) {
    t.deepEqual(missing([variant.name, variant.file, variant.sha256]), []);
    t.deepEqual(missing(variant.layers.map((layer) => layer.tensor)), []);
    t.deepEqual(missing(variant.weights.map((weights) => weights.tensor)), []);
    t.deepEqual(missing(variant.keptFloat.map((kept) => kept.reason)), []);
    t.deepEqual(missing(variant.edgeTpu.operators.flatMap((each) => each.reason ?? [])), []);
    const indices = variant.worstInputs.map((input) => input.index.toLocaleString('en-US'));
    t.deepEqual(missing(indices), []);
  }
  const { source, calibration, evaluation, machine, choice } = report;
  t.deepEqual(missing([source.sha256, calibration.sha256, evaluation.sha256]), []);
  t.deepEqual(missing([machine.cpu, choice.reason, 'biasCorrection', '2,000 inputs']), []);
});

test('the verdict comes first, with its budget and its figures', (t) => {
  const page = renderReportPage(rich);
  const head = textOf(page.slice(0, page.indexOf('</header>')));
  for (const words of [
    'Ship int8',
    'Budget: file size at most 120 kB, latency at most 1.00 ms, SQNR at least 25.0 dB',
    'loss of accuracy at most 1.00 points',
    '93.4 kB 0.29× float',
    'Latency, xnn 432 µs 0.36× float · p99 535 µs',
    'SQNR on logits 29.4 dB error is 3.38% of the signal',
    'constant answer: 25.0%',
    'points below float’s 97.4%',
  ]) {
    t.true(head.includes(words), words);
  }
});

test('figures outside the budget are said to be', (t) => {
  const text = textOf(renderReportPage(rich));
  t.is(text.split('outside the budget').length - 1, 6);
});

test('where nothing fits, the page says by what', (t) => {
  const text = textOf(renderReportPage(minimalReport()));
  t.true(text.includes('No variant fits the budget'));
  t.true(text.includes('int8 : file size 912 B (at most 512 B), latency not measured'));
  t.true(text.includes('flatters every variant'));
  t.true(text.includes('Latency was not measured.'));
  t.true(text.includes('One variant: there is nothing to weigh it against.'));
  t.true(text.includes('There are no weights of int8 to show.'));
  t.true(text.includes('SQNR Signal to quantization noise'));
  t.true(text.includes('31.5 dB on output'));
});

test('a report without variants or a budget says so', (t) => {
  const text = textOf(renderReportPage(reportAround([])));
  t.true(text.includes('No variant was chosen'));
  t.true(text.includes('No budget was set.'));
  t.true(text.includes('The report has no variants.'));
});

test('without labels the loss is one of agreement, and a constant answer is called out', (t) => {
  const base = sampleVariant({
    name: 'int8',
    sizeBytes: 4096,
    latencyUs: 12,
    sqnrDb: 20,
    layerCount: 3,
  });
  const { accuracy: _, logits, ...variant } = base;
  const report = reportAround(
    [{ ...variant, logits: { ...logits!, top1ByClass: 0.25, constantPredictor: 0.25 } }],
    { choice: { variant: 'int8', reason: 'It is the only one.', budget: {} } },
  );
  const text = textOf(renderReportPage(report));
  t.true(text.includes('Loss 75.00 points of top-1 by class; accuracy is not known'));
  t.true(text.includes('no better than that of a constant answer'));
});

test('without softmax and labels the loss is one of the signal, and top-1 is left out', (t) => {
  const signal = (name: string, sqnrDb: number | null) => {
    const made = sampleVariant({ name, sizeBytes: 4096, latencyUs: 12, sqnrDb, layerCount: 3 });
    const { accuracy: _, logits: __, worstInputs, ...variant } = made;
    const unlabelled = worstInputs.map(({ label: ___, ...input }) => input);
    return { ...variant, worstInputs: unlabelled, output: agreement(sqnrDb, { top1: 0.1234 }) };
  };
  const around = reportAround([signal('float', null), signal('int8', 41.2)], {
    choice: { variant: 'int8', reason: 'It fits.', budget: { drop: 0.005 } },
  });
  const evaluation = { ...around.evaluation, labelled: false };
  const text = textOf(renderReportPage({ ...around, evaluation }));
  for (const words of [
    'Budget: error at most 0.50% of the signal.',
    'SQNR on output 41.2 dB error is 0.87% of the signal',
    'Largest error 0.0348 of any single output value',
    '0.87% of the signal outside the budget',
    'Top-1 is left out: the model does not end in a softmax',
    'Input SQNR 0 ',
  ]) {
    t.true(text.includes(words), words);
  }
  t.notRegex(text, /Top-1 by class|12\.3%|Accuracy|\d points|constant answer|Expected/);
});

test('every kind of loss has its words', (t) => {
  const labelled = textOf(renderReportPage(rich));
  t.true(labelled.includes('Accuracy Share of inputs whose largest output is the label. 9'));
  t.regex(labelled, /Loss Float’s accuracy less the variant’s.*? [\d.]+ points of accuracy/);
  const variants = rich.variants.map(({ accuracy: _, ...variant }) => variant);
  const evaluation = { ...rich.evaluation, labelled: false };
  const unlabelled = textOf(renderReportPage({ ...rich, variants, evaluation }));
  t.true(unlabelled.includes('loss of top-1 by class at most 1.00 points'));
  t.regex(unlabelled, /Loss What top-1 by class lacks.*? [\d.]+ points of top-1 by class/);
  t.false(unlabelled.includes('is the label'));
});

test('every kind of warning that there is has a heading in plain words', (t) => {
  const SOURCES = new URL('../../../src/optimize/', import.meta.url);
  const source = readFileSync(new URL('warnings.ts', SOURCES), 'utf8');
  const kinds = [...source.matchAll(/kind: '([a-z-]+)'/g)].map(([, kind]) => kind!);
  t.true(kinds.length >= 6);
  const page = renderReportPage({
    ...rich,
    warnings: kinds.map((kind) => ({ kind, message: 'it is so' })),
  });
  const warned = textOf(page.slice(page.indexOf('id="warnings"'), page.indexOf('id="variants"')));
  t.deepEqual(
    kinds.filter((kind) => warned.includes(`${kind} it is so`)),
    [],
  );
});

test('sections of pruning, training and microcontrollers are there with what they show, and only then', (t) => {
  const sections = (report: Report): string[] =>
    tags(renderReportPage(report)).flatMap(({ name, attributes }) =>
      name === 'section' ? (attributes['id'] ?? []) : [],
    );
  const added = ['gains', 'training', 'sensitivity', 'sparsity'];
  const found = (report: Report): string[] => sections(report).filter((id) => added.includes(id));
  t.deepEqual(found(prunedReport()), added);
  t.deepEqual(found(trainedOnce()), ['gains', 'training']);
  t.deepEqual(found(rich), []);
  t.notRegex(textOf(renderReportPage(rich)), /Microcontroller|Instructions/);
  const { pruning, ...report } = prunedReport();
  const layers = pruning!.layers.map((layer) => ({ ...layer, sensitivity: [] }));
  t.deepEqual(found({ ...report, pruning: { ...pruning!, layers } }), [
    ...['gains', 'training', 'sparsity'],
  ]);
  t.deepEqual(found({ ...report, pruning: { ...pruning!, layers: [] } }), ['gains', 'training']);
});

test('what pruning brought stands beside what it did not, and why', (t) => {
  const text = textOf(renderReportPage(prunedReport()));
  for (const words of [
    '75.0% of all weights were to go; 8,537 of the 10,800 weights that may be pruned are zero (79.0%).',
    'pruned-int8 against int8 It loses 2.82 % of accuracy; int8 loses 0.79 % of accuracy.',
    'on the wire (brotli) 0.38× 77.5 kB 29.5 kB',
    'file 1.00× 93.4 kB 93.4 kB a .tflite file stores zeros like any other number',
    'instructions 0.56× 14.5 M 8.11 M',
    "gateway latency, xnn 0.99× 432 µs 427 µs within this machine's noise: the runtime multiplies",
    'pruned-dynamic against dynamic',
    'Ship pruned-int8',
    'Budget: microcontroller flash at most 64.0 kB, microcontroller RAM at most 48.0 kB',
    'instructions at most 10.0 M',
    'weights: 29.4 kB',
    '1,180 of 2,360 planned steps, 32 samples each, on 2,048 samples, towards their labels; seed 7',
    'It stopped because the loss fell no more.',
  ]) {
    t.true(text.includes(words), words);
  }
  const structured = textOf(renderReportPage(prunedReport(true)));
  t.true(structured.includes('25.0% 36 of 144 16 → 12 motor/features/block_0/conv_2d_0/BiasAdd'));
  t.true(structured.includes('weights that may be pruned went with their channels'));
  t.notRegex(structured, /Why not less/);
});

test('what is not known of a microcontroller is said below the table', (t) => {
  const text = textOf(renderReportPage(wordy()));
  t.true(text.includes('There is no plan of float for a microcontroller: TILE is in no plan.'));
  t.true(text.includes('Instructions of float16 were not counted: make firmware.'));
  t.regex(text, /Microcontroller flash .*? – no plan/);
  t.regex(text, /Instructions Of one inference .*? not counted/);
});

test('the Edge TPU: what maps, what cannot and why, what only comes after', (t) => {
  const page = renderReportPage(rich);
  const [first, others] = page.slice(page.indexOf('id="edge-tpu"')).split('Also: ');
  const text = textOf(first!);
  for (const words of [
    'int8: 27 of 31 operators on the Edge TPU',
    '0 CONV_2D turns the float32 input into int8 on the CPU',
    '28 ADD has weights (input 1) that are computed',
    '29–30 AVERAGE_POOL_2D, FULLY_CONNECTED comes after operator 28',
  ]) {
    t.true(text.includes(words), words);
  }
  t.true(textOf(others!).includes('float: 0 of 31 operators on the Edge TPU'));
  t.true(textOf(others!).includes('0–30 CONV_2D, DEPTHWISE_CONV_2D, ADD'));
});

/** Relative luminance and contrast as WCAG 2.2 defines them. */
function contrast(a: string, b: string): number {
  const luminance = (colour: string): number => {
    const [red, green, blue] = [1, 3, 5].map((at) => {
      const share = Number.parseInt(colour.slice(at, at + 2), 16) / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red! + 0.7152 * green! + 0.0722 * blue!;
  };
  const [light, dark] = [luminance(a), luminance(b)].sort((one, other) => other - one);
  return (light! + 0.05) / (dark! + 0.05);
}

test('colours have contrast enough, light and dark', (t) => {
  for (const palette of [LIGHT, DARK] satisfies Palette[]) {
    for (const ground of [palette.ground, palette.raised]) {
      for (const use of ['text', 'muted', 'first', 'second', 'alert'] as const) {
        t.true(contrast(palette[use], ground) >= 4.5, `${use} ${palette[use]} on ${ground}`);
      }
    }
  }
});
