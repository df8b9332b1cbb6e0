/**
 * Quantizing from a program instead of the command line.
 *
 *   node dist/examples/quantize/quantize.js MODEL.tflite SAMPLES.npy OUT_DIR
 */
import { readFile } from 'node:fs/promises';
import { nodeFiles, silentLogger, systemClock } from '../../src/core/index.ts';
import { sandboxLoader } from '../../src/inference/index.ts';
import {
  DEFAULT_SETTINGS,
  machineFacts,
  modelInputs,
  optimize,
  parseBudget,
  readSamples,
  writeOptimized,
} from '../../src/optimize/index.ts';

const [, , file, samplesFile, outDirectory] = process.argv;
if (file === undefined || samplesFile === undefined || outDirectory === undefined) {
  throw new Error('usage: quantize.js MODEL.tflite SAMPLES.npy OUT_DIR');
}
const model = await readFile(file);
const [input] = modelInputs(model, file);
const calibration = [await readSamples(samplesFile, input!, { use: 'calibration' })];

const optimized = await optimize({
  model,
  what: file,
  calibration,
  settings: { ...DEFAULT_SETTINGS, modes: ['int8', 'float16'] },
  budget: parseBudget('size=100k'),
  machine: machineFacts(),
  nowMs: systemClock.nowMs(),
  // Each model runs in a process of its own: whatever the native runtime does, this one lives on.
  load: sandboxLoader({ clock: systemClock, logger: silentLogger }),
  signal: new AbortController().signal,
  onProgress: ({ step, subject, done, total }) => {
    if (done === total) process.stderr.write(`${step} ${subject}: ${total}\n`);
  },
});

await writeOptimized(nodeFiles, outDirectory, optimized);
process.stdout.write(`${optimized.report.choice.reason}\n`);
