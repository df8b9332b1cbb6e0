/**
 * Where quantizing after training suffers, and training with int8 simulated wins it back: v1 with uneven rows.
 *
 *   node dist/examples/motor/uneven.js    (two minutes on two cores)
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { DEFAULT_FINETUNE, type Optimized } from '../../src/optimize/index.ts';
import { HELD_OUT_WINDOWS, SEEDS } from './artifacts.ts';
import { markdownTable, percent } from './metrics.ts';
import { runOptimizer } from './optimizer.ts';
import { simulateSet } from './simulate.ts';
import { unevenRows } from './uneven-rows.ts';

const SEED = 6;
const WINDOWS = 4096;
const FINETUNE = { ...DEFAULT_FINETUNE, steps: 2000, augment: false };

const v1 = readFileSync(
  fileURLToPath(new URL('../../../examples/motor/v1/float.tflite', import.meta.url)),
);
const common = {
  windows: simulateSet(SEEDS.trainingV2, WINDOWS),
  heldOut: simulateSet(SEEDS.heldOut, HELD_OUT_WINDOWS),
};
const even = await runOptimizer({ ...common, float: v1, what: 'v1' });
const uneven = await runOptimizer({
  ...common,
  float: unevenRows(v1, 'v1', SEED),
  what: 'v1 with uneven rows',
  change: { finetune: FINETUNE },
  onTraining: ({ step, steps }) => {
    if (step % 100 === 0) process.stderr.write(`step ${step}/${steps}\n`);
  },
});
const rows = [
  row('v1, float', even, 'float'),
  row('v1, int8 quantized', even, 'int8'),
  row('uneven rows, float', uneven, 'float'),
  row('uneven rows, int8 quantized', uneven, 'int8'),
  row('uneven rows, float trained', uneven, 'trained-float'),
  row('uneven rows, int8 trained', uneven, 'trained-int8'),
];
process.stdout.write(`${markdownTable([['model', 'accuracy', 'SQNR'], ...rows])}\n`);

/** Signal over error is against the float model that was given. */
function row(title: string, { report }: Optimized, name: string): string[] {
  const { accuracy, logits } = report.variants.find((variant) => variant.name === name)!;
  const sqnrDb = logits?.sqnrDb ?? undefined;
  return [title, percent(accuracy!), sqnrDb === undefined ? '' : `${sqnrDb.toFixed(2)} dB`];
}
