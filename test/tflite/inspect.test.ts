import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { inspectCommand } from '../../src/cli/inspect.ts';
import { serializeModel, type TfliteModel } from '../../src/tflite/index.ts';
import { smallNetwork, svdfModel } from './sample-models.ts';

async function inspect(bytes: Uint8Array | undefined, ...flags: string[]): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'dunlin-inspect-'));
  const path = join(folder, 'm.tflite');
  let text = '';
  try {
    if (bytes !== undefined) writeFileSync(path, bytes);
    const command = inspectCommand({
      out: (part) => {
        text += part;
      },
      err: () => {},
      env: {},
      interactive: false,
      signal: new AbortController().signal,
    });
    await command.parseAsync([path, ...flags], { from: 'user' });
    return text;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test('a table for people', async (t) => {
  const text = await inspect(serializeModel(smallNetwork()));
  t.regex(text, /^m\.tflite: [\d,]+ bytes, fully int8\n/);
  t.regex(text, /\ninput +t0 +int8 +1x6x6x1 +0\.0500000 +-3\n/);
  t.regex(text, /\nCONV_2D +5 +1 +162\n/);
  t.regex(text, /\nparameters 74, MACs 216, zero weights \d\.\d %\n$/);
});

test('one JSON document for scripts', async (t) => {
  const result = JSON.parse(await inspect(serializeModel(smallNetwork()), '--json'));
  t.is(result.macs, 216);
  t.true(result.runnable);
  t.false('refusal' in result);
});

test('a model that cannot be run is shown with the reason', async (t) => {
  const bytes = serializeModel(svdfModel('int8', 'int8'));
  const result = JSON.parse(await inspect(bytes, '--json'));
  t.false(result.runnable);
  t.is(result.refusal.code, 'model-unsupported');
  t.regex(await inspect(bytes), /cannot be run: .*int8 state.*\[model-unsupported\]\n$/);
});

test('a broken file and a missing one are errors with a code', async (t) => {
  const network: TfliteModel = smallNetwork();
  const cut = serializeModel(network).subarray(0, 200);
  await t.throwsAsync(inspect(cut), { message: /^m\.tflite: not a sound/ });
  await t.throwsAsync(inspect(undefined), { message: /no such file/ });
});
