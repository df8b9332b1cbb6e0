import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { formatNpy } from '../../../src/core/index.ts';
import { serializeModel } from '../../../src/tflite/index.ts';
import { dunlin, type Ended } from '../../optimize/dunlin-process.ts';
import { Int8Graph, randomWeights } from '../compile/int8-graph.ts';
import { lcg } from '../lcg.ts';

const COMMAND_MS = 120_000;
export const SAMPLES = 3;

/** Two inputs and two outputs: a convolution with a head, and the sum of both inputs. */
export function network() {
  const graph = new Int8Graph(5);
  const affine = { scale: 0.05, zeroPoint: -3 };
  const [a, b] = [graph.input([1, 4, 4, 2], affine), graph.input([1, 4, 4, 2], affine)];
  const weights = randomWeights(graph.random, [6, 3, 3, 2], 0, affine.scale, true);
  const options = {
    ...{ padding: 1, strideH: 1, strideW: 1, dilationHFactor: 1, dilationWFactor: 1 },
    fusedActivationFunction: 1,
  };
  const hidden = { scale: 0.4, zeroPoint: -128 };
  const conv = graph.weighted('CONV_2D', a, weights, [1, 2, 2, 6], hidden, options);
  const mean = graph.operator('MEAN', [conv, graph.control(1, 2)], [1, 6], hidden);
  graph.operator('SOFTMAX', [mean], [1, 6], { scale: 1 / 256, zeroPoint: -128 }, { beta: 1 });
  graph.operator('ADD', [a, b], a.shape, { scale: 0.1, zeroPoint: 0 });
  return graph.model();
}

/** A folder with a model, its plan and samples for it, gone after the test. */
export async function folderOf(t: ExecutionContext): Promise<(name: string) => string> {
  t.timeout(COMMAND_MS);
  const folder = await mkdtemp(join(tmpdir(), 'dunlin-plan-test-'));
  t.teardown(() => rm(folder, { recursive: true }));
  const path = (name: string): string => join(folder, name);
  await writeFile(path('net.tflite'), serializeModel(network()));
  for (const [seed, name] of ['a', 'b'].entries()) {
    const next = lcg(seed);
    const data = Int8Array.from({ length: SAMPLES * 32 }, () => next() >>> 24);
    const array = formatNpy({ type: 'int8', shape: [SAMPLES, 4, 4, 2], data });
    await writeFile(path(`${name}.npy`), array);
  }
  return path;
}

export async function planOf(t: ExecutionContext): Promise<(name: string) => string> {
  const path = await folderOf(t);
  const made = await dunlin('compile', path('net.tflite'), '--target', 'cortex-m4');
  t.is(made.status, 0, made.err);
  return path;
}

/** One line on standard error, with the code at its end. */
export function refused(
  t: ExecutionContext,
  { status, out, err }: Ended,
  wanted: number,
  says: RegExp,
) {
  t.is(status, wanted, err);
  t.is(out, '');
  const last = err.trim().split('\n').at(-1)!;
  t.regex(last, /^dunlin: .+ \[[a-z-]+\]$/);
  t.regex(last, says);
  t.notRegex(err, /internal error|at .*\.js:\d/);
}
