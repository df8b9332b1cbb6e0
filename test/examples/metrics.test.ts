import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { type Artifacts, compareArtifacts } from '../../examples/motor/artifacts.ts';
import {
  formatMetrics,
  formatTable,
  METRICS_FILE,
  type Metrics,
  parseMetrics,
} from '../../examples/motor/metrics.ts';

const MAKE = fileURLToPath(new URL('../../examples/motor/make.js', import.meta.url));
const METRICS = new URL('../../../examples/motor/metrics.json', import.meta.url);

const recorded = (): Metrics => parseMetrics(readFileSync(METRICS));

function artifacts(metrics: Metrics, model: string): Artifacts {
  const files = new Map([
    ['v1/int8.tflite', Buffer.from(model)],
    [METRICS_FILE, formatMetrics(metrics)],
  ]);
  return { files, metrics };
}

/** The recorded metrics with v2's int8 accuracy moved. */
function moved(by: number): Metrics {
  const metrics = structuredClone(recorded());
  metrics.versions.v2.int8.accuracy += by;
  return metrics;
}

const checkedIn = artifacts(recorded(), 'model');
const read = (path: string): Uint8Array => checkedIn.files.get(path)!;

test('equal files have no differences', (t) => {
  t.deepEqual(compareArtifacts(artifacts(recorded(), 'model'), read), {
    compared: 'bytes and accuracy',
    problems: [],
  });
});

test('other bytes are a difference on the same Node and processor, and nowhere else', (t) => {
  t.deepEqual(compareArtifacts(artifacts(recorded(), 'other'), read).problems, [
    'v1/int8.tflite: other bytes',
  ]);
  for (const change of [{ node: 'v99.0.0' }, { architecture: 'mips' }]) {
    const there = artifacts({ ...recorded(), ...change }, 'other');
    t.deepEqual(compareArtifacts(there, read), { compared: 'accuracy', problems: [] });
  }
});

test('accuracy may move by 0.2 points', (t) => {
  t.deepEqual(compareArtifacts(artifacts(moved(0.0019), 'model'), read).problems, []);
  for (const by of [-0.003, 0.003]) {
    const there = artifacts({ ...moved(by), node: 'v99.0.0' }, 'model');
    const { problems } = compareArtifacts(there, read);
    t.is(problems.length, 1);
    t.regex(problems[0]!, /^v2 int8: accuracy \d\d\.\d\d %, recorded \d\d\.\d\d %$/);
  }
});

test('metrics.json is checked when read', (t) => {
  t.deepEqual(parseMetrics(formatMetrics(recorded())), recorded());
  t.throws(() => parseMetrics(Buffer.from('{}')), { code: 'input-invalid' });
});

test('make.js --table prints the table', (t) => {
  const printed = execFileSync(process.execPath, [MAKE, '--table'], { encoding: 'utf8' });
  t.is(printed, `${formatTable(recorded())}\n`);
});
