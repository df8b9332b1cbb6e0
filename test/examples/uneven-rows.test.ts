import { readFileSync } from 'node:fs';
import test from 'ava';
import { runOptimizer } from '../../examples/motor/optimizer.ts';
import { simulateSet } from '../../examples/motor/simulate.ts';
import { unevenRows } from '../../examples/motor/uneven-rows.ts';
import { DEFAULT_FINETUNE } from '../../src/optimize/index.ts';

const V1 = readFileSync(new URL('../../../examples/motor/v1/float.tflite', import.meta.url));
const heldOut = simulateSet(1234, 400);

test('uneven rows change no answer of a float model, spoil int8, and training mends it', async (t) => {
  const windows = simulateSet(4321, 512);
  const uneven = unevenRows(V1, 'v1', 6);
  t.notDeepEqual(V1, Buffer.from(uneven));
  const of = async (float: Uint8Array, steps?: number) => {
    const change = steps === undefined ? {} : { finetune: { ...DEFAULT_FINETUNE, steps } };
    const { report } = await runOptimizer({ float, what: 'model', windows, heldOut, change });
    return new Map(report.variants.map((variant) => [variant.name, variant]));
  };
  const before = await of(V1);
  const after = await of(uneven, 150);
  t.is(after.get('float')!.accuracy, before.get('float')!.accuracy);
  const [even, spoilt, trained] = [
    before.get('int8')!,
    after.get('int8')!,
    after.get('trained-int8')!,
  ].map(({ logits }) => logits!.sqnrDb!);
  t.true(even! > 25, `${even} dB`);
  t.true(spoilt! < 12, `${spoilt} dB`);
  t.true(trained! > spoilt! + 4, `${trained} dB after ${spoilt}`);
});

test('uneven rows leave the file as it is, but for two layers', (t) => {
  t.is(unevenRows(V1, 'v1', 6).length, V1.length);
  t.deepEqual(unevenRows(V1, 'v1', 6), unevenRows(V1, 'v1', 6));
  t.notDeepEqual(unevenRows(V1, 'v1', 6), unevenRows(V1, 'v1', 7));
});
