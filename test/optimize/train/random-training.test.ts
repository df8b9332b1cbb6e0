import test from 'ava';
import { DunlinError, parseJson } from '../../../src/core/index.ts';
import { DEFAULT_FINETUNE, optimize, Report } from '../../../src/optimize/index.ts';
import { parseModel, serializeModel, verifyModel } from '../../../src/tflite/index.ts';
import { requestFor } from '../optimize-request.ts';
import { randomModel } from '../random-model.ts';
import { SharedRuntime } from '../shared-runtime.ts';

/** `make soak` sets it: how many graphs to try, as far as there is time for. */
const SOAK_GRAPHS = Number(process.env['DUNLIN_SOAK'] ?? 0);
const GRAPHS = SOAK_GRAPHS > 1 ? Math.min(SOAK_GRAPHS, 1000) : 60;
const GRAPH_MS = 20_000;

const runtime = new SharedRuntime();
test.after.always(() => runtime.close());

const STRUCTURED = { share: 0.1, structured: true, scope: 'layer' } as const;
const FINETUNE = { ...DEFAULT_FINETUNE, steps: 6 };
const WAYS = [
  { finetune: FINETUNE },
  { prune: STRUCTURED },
  { prune: STRUCTURED, finetune: FINETUNE },
] as const;
/** What a graph may be refused for, with the way out. */
const REFUSALS =
  /cannot be trained: .*; leave --finetune out|no weights to train|leaves \d+\.\d% of its MACs at the least|training diverged/;

test('random graphs are pruned and trained, or refused in so many words', async (t) => {
  t.timeout(GRAPHS * GRAPH_MS);
  const refusals: string[] = [];
  let made = 0;
  for (let seed = 0; seed < GRAPHS; seed++) {
    const { model, steps } = randomModel(seed + 7000, 1 + (seed % 7));
    const way = WAYS[seed % WAYS.length]!;
    const name = `seed ${seed + 7000}: ${steps.join(', ')}`;
    const request = requestFor(serializeModel(model), runtime.load, {
      settings: { modes: ['int8', 'dynamic', 'float16'], ...way },
      sampleCount: 32,
    });
    try {
      const { report, files } = await optimize(request);
      parseJson(Report, JSON.stringify(report), name);
      t.is(report.variants.length, 8, name);
      for (const [file, bytes] of files) verifyModel(parseModel(bytes, file), `${name}, ${file}`);
      made += 1;
    } catch (error) {
      if (!(error instanceof DunlinError) || !REFUSALS.test(error.message)) {
        throw new Error(`${name}: ${error}`, { cause: error });
      }
      refusals.push(`${name}: ${error.message}`);
    }
  }
  t.log(`${made} made, ${refusals.length} refused`);
  // Many have nothing that can be learned or taken out.
  t.true(made > GRAPHS / 6);
});
