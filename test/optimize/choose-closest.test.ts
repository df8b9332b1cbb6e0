import test from 'ava';
import { chooseVariant } from '../../src/optimize/choose.ts';
import type { Budget } from '../../src/optimize/report-document.ts';
import { richReport } from './sample-report.ts';

const { variants } = richReport();

const CASES: readonly [limits: string, budget: Budget, closest: RegExp][] = [
  ['a size', { sizeBytes: 1000 }, /closest is int8, which takes 93.4 kB where 1.0 kB are allowed/],
  ['no size at all', { sizeBytes: 0 }, /closest is /],
  ['a latency', { latencyUs: 100 }, /closest is int8, which needs 432 us where 100 us/],
  ['size and SQNR', { sizeBytes: 1000, sqnrDb: 90 }, /closest is float, which takes 319.0 kB/],
];

for (const [limits, budget, closest] of CASES) {
  test(`where nothing fits, the closest breaks the fewest limits, and by the least: ${limits}`, (t) => {
    const { variant, reason } = chooseVariant(variants, budget);
    t.is(variant, undefined);
    t.regex(reason, closest);
  });
}
