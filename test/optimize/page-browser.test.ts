import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import test from 'ava';
import { renderReportPage } from '../../src/optimize/page/index.ts';
import type { Report } from '../../src/optimize/report-document.ts';
import {
  minimalReport,
  prunedReport,
  reportAround,
  richReport,
  sampleTraining,
  sampleVariant,
} from './sample-report.ts';

const WIDTHS_PX = [1280, 375];
const TIMEOUT_MS = 60_000;

/** Every name as long as a converter makes them, and some that break nowhere. */
function longNames(): Report {
  const report = structuredClone(prunedReport(true));
  const unbroken = (name: string): string => name + 'x'.repeat(80);
  for (const variant of report.variants.slice(1)) {
    variant.name = unbroken(variant.name);
    if (variant.dense !== undefined && variant.dense !== 'float')
      variant.dense = unbroken(variant.dense);
  }
  for (const layer of report.pruning!.layers) layer.layer = unbroken(layer.layer);
  for (const { layers, weights, edgeTpu, keptFloat } of report.variants) {
    for (const layer of [...layers, ...weights]) {
      layer.tensor = `${layer.tensor};${unbroken(layer.tensor)}/FusedBatchNormV3`;
    }
    for (const listed of [...edgeTpu.operators, ...keptFloat]) listed.name = unbroken(listed.name);
  }
  for (const warning of report.warnings) warning.message += ` "${unbroken('tensor')}"`;
  report.choice.variant = report.variants[3]!.name;
  report.machine.cpu = unbroken('cpu');
  report.source.file = `${unbroken('model')}.tflite`;
  return report;
}

/** Axes that end at 1,000, and few layers: the first one's rank is near the numbers. */
function thousands(): Report {
  const made = [
    { name: 'float', sizeBytes: 961_000, latencyUs: 934, sqnrDb: null, layerCount: 6 },
    { name: 'int8', sizeBytes: 301_000, latencyUs: 431, sqnrDb: 29, layerCount: 6 },
    { name: 'dynamic', sizeBytes: 302_000, latencyUs: 432, sqnrDb: 30, layerCount: 40 },
  ];
  return reportAround(made.map((options) => sampleVariant(options)));
}

/** Training that has only begun, with a loss that falls over decades. */
function barelyTrained(): Report {
  const [first] = sampleTraining(1).curve;
  const curve = [1000, 20, 0.4, 0.001].map((loss, step) => ({ ...first!, step, loss }));
  return { ...prunedReport(true, 6), training: { ...sampleTraining(), curve } };
}

const SAMPLES: Readonly<Record<string, Report>> = {
  rich: richReport(),
  deep: richReport(140),
  minimal: minimalReport(),
  'long names': longNames(),
  thousands: thousands(),
  pruned: prunedReport(),
  structured: prunedReport(true, 140),
  'barely trained': barelyTrained(),
};

/** What of the DOM is used here: its types are the browser's, not Node's. */
interface Tag {
  textContent: string;
  open: boolean;
  srcdoc: string;
  readonly style: { cssText: string };
  readonly scrollWidth: number;
  readonly contentDocument: Page;
  getBoundingClientRect(): Record<'left' | 'right' | 'top' | 'bottom', number>;
  querySelectorAll(selector: string): Iterable<Tag>;
  addEventListener(type: string, listener: (event: unknown) => void): void;
  append(child: Tag): void;
  replaceChildren(): void;
}

interface Page {
  readonly documentElement: Tag;
  readonly head: Tag;
  readonly body: Tag;
  createElement(name: string): Tag;
  querySelectorAll(selector: string): Iterable<Tag>;
}

/**
 * Runs in the browser: opens each page in a frame of each width, unfolds it, and leaves what is wrong as the only text
 * of the document. A frame by `srcdoc` has the origin of this page, which may look inside; the report runs nothing.
 */
function measureAll(pages: Record<string, string>, widthsPx: number[]): void {
  const { document } = globalThis as unknown as { readonly document: Page };
  const SLACK_PX = 1;
  /** A text's box is higher than its letters. */
  const LEADING_PX = 4;
  const problemsOf = (frame: Tag, name: string, widthPx: number): string[] => {
    const inside = frame.contentDocument;
    const problems: string[] = [];
    const say = (text: string) => problems.push(`${name} at ${widthPx} px: ${text}`);
    for (const details of inside.querySelectorAll('details')) details.open = true;
    const wide = inside.documentElement.scrollWidth;
    if (wide > widthPx) say(`scrolls sideways, ${wide} px`);
    const plots = [...inside.querySelectorAll('.plot')];
    if (plots.length === 0) say('has no charts');
    for (const plot of plots) {
      const box = plot.getBoundingClientRect();
      const texts = [...plot.querySelectorAll('text')].map((text) => ({
        text: text.textContent,
        box: text.getBoundingClientRect(),
      }));
      if (texts.length === 0) say('has a chart without text');
      for (const { text, box: own } of texts) {
        const out = Math.max(
          box.left - own.left,
          own.right - box.right,
          box.top - own.top,
          own.bottom - box.bottom,
        );
        if (out > SLACK_PX) say(`"${text}" leaves its chart by ${out.toFixed(1)} px`);
      }
      for (const [index, { text, box: a }] of texts.entries()) {
        for (const { text: other, box: b } of texts.slice(index + 1)) {
          const across = Math.min(a.right, b.right) - Math.max(a.left, b.left);
          const down = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
          if (across > SLACK_PX && down > LEADING_PX) say(`"${text}" lies on "${other}"`);
        }
      }
    }
    return problems;
  };
  const jobs = Object.entries(pages).flatMap(([name, page]) =>
    widthsPx.map(async (widthPx) => {
      const frame = document.createElement('iframe');
      frame.style.cssText = `width:${widthPx}px;height:900px;border:0`;
      frame.srcdoc = page;
      const loaded = new Promise((resolve) => frame.addEventListener('load', resolve));
      document.body.append(frame);
      await loaded;
      return problemsOf(frame, name, widthPx);
    }),
  );
  const leave = (result: unknown): void => {
    document.head.replaceChildren();
    document.body.textContent = `<<${encodeURIComponent(JSON.stringify(result))}>>`;
  };
  Promise.all(jobs).then(
    (found) => leave({ frames: found.length, problems: found.flat() }),
    (error) => leave({ frames: 0, problems: [String(error)] }),
  );
}

function wrapper(pages: Record<string, string>): string {
  const data = JSON.stringify(pages).replaceAll('<', '\\u003c');
  return `<!doctype html><meta charset="utf-8"><body><script>
(${measureAll.toString()})(${data}, ${JSON.stringify(WIDTHS_PX)});
</script>`;
}

/** What the browser makes of a file. */
async function dumpDom(file: string, profile: string): Promise<string> {
  const flags = [
    '--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-sync',
    '--disable-background-networking --disable-component-update --disable-dev-shm-usage',
    '--hide-scrollbars --window-size=1400,1000 --virtual-time-budget=20000 --dump-dom',
  ].flatMap((line) => line.split(' '));
  const parameters = [...flags, `--user-data-dir=${profile}`, pathToFileURL(file).href];
  const options = { timeout: TIMEOUT_MS, maxBuffer: 64 * 1024 * 1024 };
  const { stdout } = await promisify(execFile)('chromium', parameters, options);
  return stdout;
}

/** Debian's package `chromium` belongs to this test: only a machine that is no CI may do without. */
test('in a browser nothing scrolls sideways, and texts keep to their chart and off one another', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'dunlin-page-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
  const pages = Object.fromEntries(
    Object.entries(SAMPLES).map(([name, report]) => [name, renderReportPage(report)]),
  );
  const file = join(folder, 'measure.html');
  writeFileSync(file, wrapper(pages));
  const dom = await dumpDom(file, join(folder, 'profile')).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  });
  if (dom === undefined) {
    t.log('needs chromium: apt-get install chromium');
    if (process.env['CI'] !== undefined) t.fail('chromium is not installed');
    else t.pass('skipped: chromium is not installed');
    return;
  }
  const [, result] = /&lt;&lt;(.*)&gt;&gt;/.exec(dom) ?? [];
  t.deepEqual(JSON.parse(decodeURIComponent(result ?? '')), {
    frames: WIDTHS_PX.length * Object.keys(SAMPLES).length,
    problems: [],
  });
});
