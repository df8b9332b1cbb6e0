/** Makes the motor example's files from their seeds, or checks that the checked-in ones are those. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type Artifacts, compareArtifacts, makeArtifacts, type Version } from './artifacts.ts';
import { formatTable, METRICS_FILE, parseMetrics } from './metrics.ts';
import type { Progress } from './train.ts';

const USAGE = `usage: make.js [--check | --table]
  Trains both versions and writes their files to examples/motor; a few minutes on two cores.
  --check  compare with what is checked in instead: bytes on the recorded Node and processor,
           elsewhere accuracy within 0.2 points; the exit code is 1 if something differs
  --table  print the table of metrics.json and train nothing`;

/** The sources' folder, seen from dist/examples/motor. */
const DIRECTORY = fileURLToPath(new URL('../../../examples/motor/', import.meta.url));

const REPORT_EVERY_STEPS = 50;

function reporter(): (version: Version, progress: Progress) => void {
  let startMs = performance.now();
  return (version, { step, steps, loss }) => {
    if (step === 1) startMs = performance.now();
    if (step % REPORT_EVERY_STEPS !== 0 && step !== steps) return;
    const elapsedS = (performance.now() - startMs) / 1000;
    const leftS = (elapsedS * (steps - step)) / step;
    process.stdout.write(
      `${version}  step ${String(step).padStart(4)}/${steps}  loss ${loss.toFixed(3)}  ` +
        `${leftS.toFixed(0)} s left\n`,
    );
  };
}

function write({ files }: Artifacts): void {
  for (const [path, bytes] of files) {
    mkdirSync(dirname(join(DIRECTORY, path)), { recursive: true });
    writeFileSync(join(DIRECTORY, path), bytes);
  }
}

async function make(): Promise<void> {
  const { values } = parseArgs({
    options: { check: { type: 'boolean' }, table: { type: 'boolean' }, help: { type: 'boolean' } },
  });
  if (values.help) {
    process.stdout.write(`${USAGE}\n`);
    return;
  }
  if (values.table) {
    const metrics = parseMetrics(readFileSync(join(DIRECTORY, METRICS_FILE)));
    process.stdout.write(`${formatTable(metrics)}\n`);
    return;
  }
  const artifacts = await makeArtifacts(reporter());
  process.stdout.write(`\n${formatTable(artifacts.metrics)}\n\n`);
  if (!values.check) {
    write(artifacts);
    process.stdout.write(`written to ${DIRECTORY}\n`);
    return;
  }
  const { compared, problems } = compareArtifacts(artifacts, (path) =>
    readFileSync(join(DIRECTORY, path)),
  );
  for (const problem of problems) process.stderr.write(`${problem}\n`);
  process.stdout.write(`compared the ${compared} with what is checked in: `);
  process.stdout.write(problems.length === 0 ? 'equal\n' : `${problems.length} differences\n`);
  process.exitCode = problems.length === 0 ? 0 : 1;
}

try {
  await make();
} catch (error) {
  process.stderr.write(`make: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 2;
}
