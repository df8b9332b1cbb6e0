import { readdir, readFile, writeFile } from 'node:fs/promises';
import test from 'ava';
import { decodePlan } from '../../../src/plan/index.ts';
import { serializeModel } from '../../../src/tflite/index.ts';
import { dunlin } from '../../optimize/dunlin-process.ts';
import { plain } from '../../tflite/sample-plan.ts';
import { Int8Graph } from '../compile/int8-graph.ts';
import { folderOf, refused } from './command-folder.ts';
import { buildFirmware } from './firmware.ts';

test.before(async () => {
  await buildFirmware();
});

test.serial(
  'compile writes the plan beside the model, and says what each operator takes',
  async (t) => {
    const path = await folderOf(t);
    const text = await dunlin('compile', path('net.tflite'), '--board', 'nrf52840-dk');
    t.is(text.status, 0, text.err);
    const bytes = await readFile(path('net.plan'));
    const plan = decodePlan(bytes, 'net.plan');
    t.is(plan.target, 'CORTEX_M4');
    for (const says of [
      /operator +step +MACs +flash bytes +arena bytes\n/,
      /0 \(CONV_2D\) +CONV_2D/,
      /2 \(SOFTMAX\) +SOFTMAX/,
      new RegExp(`net\\.plan: for cortex-m4, ${bytes.length.toLocaleString('en')} bytes of flash`),
      new RegExp(`arena: ${plan.arenaBytes} bytes of RAM`),
      /nrf52840-dk: has room \(1,048,576 bytes of flash, 262,144 of RAM\)\n$/,
    ]) {
      t.regex(text.out, says);
    }
    const again = ['compile', path('net.tflite'), '--target', 'cortex-m4', '--json', '--profile'];
    const json = await dunlin(...again, '--out', path('other.plan'));
    t.is(json.status, 0, json.err);
    t.true((await readFile(path('other.plan'))).equals(bytes));
    t.is(json.out.trim().split('\n').length, 1);
    const document = JSON.parse(json.out);
    t.like(document, {
      ...{ file: path('other.plan'), target: 'cortex-m4', planBytes: bytes.length },
      ...{ arenaBytes: plan.arenaBytes, macs: 4 * 6 * 18 },
    });
    t.deepEqual(
      document.operators.map(({ kind }: { kind: string }) => kind),
      ['CONV_2D', 'MEAN', 'SOFTMAX', 'ADD'],
    );
    const counts = document.operators.map(
      ({ instructions }: { instructions: number }) => instructions,
    );
    t.true(counts.every((count: number) => count > 0 && count < document.instructions));
  },
);

test.serial(
  'models and boards that do not go together are refused, and nothing is written',
  async (t) => {
    const path = await folderOf(t);
    const shape = [1, 4, 6, 3];
    const one = { inputs: [shape], outputs: [shape] };
    const graph = new Int8Graph(1);
    const large = graph.input([1, 400, 400, 2], { scale: 0.1, zeroPoint: 0 });
    graph.operator('TANH', [large], large.shape, { scale: 1 / 128, zeroPoint: 0 });
    const models = {
      'float.tflite': plain({ operator: 'RELU', type: 'float32', ...one }),
      'swish.tflite': plain({ operator: 'HARD_SWISH', type: 'int8', ...one }),
      'large.tflite': graph.model(),
    };
    for (const [name, model] of Object.entries(models)) {
      await writeFile(path(name), serializeModel(model));
    }
    const before = await readdir(path('.'));
    const m4 = ['--target', 'cortex-m4'];
    const cases: readonly (readonly [string[], number, RegExp])[] = [
      [[path('float.tflite'), ...m4], 4, /tensor 0 .*float32.*\[model-unsupported\]/],
      [[path('swish.tflite'), ...m4], 4, /HARD_SWISH.*\[model-unsupported\]/],
      [
        [path('large.tflite'), '--board', 'nrf52840-dk'],
        4,
        /large\.tflite: does not fit on nrf52840-dk: 320000 bytes of RAM and 1024 .* 262144 \[model-too-large\]/,
      ],
      [[path('net.tflite')], 2, /--target native\|cortex-m0.*--board mps2-an386\|.*\[usage\]/],
      [[path('net.tflite'), '--board', 'uno'], 2, /uno: no such board.*\[usage\]/],
      [
        [path('net.tflite'), ...m4, '--out', path('no/such/x.plan')],
        3,
        /x\.plan: cannot be written/,
      ],
    ];
    for (const [args, status, says] of cases) {
      refused(t, await dunlin('compile', ...args), status, says);
    }
    t.deepEqual(await readdir(path('.')), before);
  },
);
