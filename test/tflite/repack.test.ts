import test from 'ava';
import fc from 'fast-check';
import {
  parseModel,
  renameInner,
  repackModel,
  serializeModel,
  type TfliteModel,
  verifyIndices,
  verifyModel,
} from '../../src/tflite/index.ts';
import { computationOf } from '../optimize/computation.ts';
import { randomModel } from '../optimize/random-model.ts';
import { ModelBuilder } from './model-builder.ts';
import { sampleModels } from './sample-models.ts';

const NAMES = ['short', 'none'] as const;

function packed(model: TfliteModel): TfliteModel {
  return parseModel(serializeModel(repackModel(model)), 'packed');
}

/** Each constant as a copy of its own, an unused one behind each, and everything in other places. */
function bloated(model: TfliteModel): TfliteModel {
  const [graph] = model.subgraphs;
  const copies: Uint8Array[] = [new Uint8Array(0)];
  const unused = { name: 'unused', type: 'float32' as const, shape: [3], isVariable: false };
  const tensors = graph!.tensors.flatMap((tensor) => {
    const data = model.buffers[tensor.buffer]!;
    const buffer = data.byteLength === 0 ? 0 : copies.push(new Uint8Array(data)) - 1;
    const extra = copies.push(Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12)) - 1;
    return [
      { ...unused, buffer: extra },
      { ...tensor, buffer },
    ];
  });
  const move = (index: number): number => (index === -1 ? -1 : 2 * index + 1);
  const operators = graph!.operators.map((operator, place) => ({
    ...operator,
    code: place + 1,
    inputs: operator.inputs.map(move),
    outputs: operator.outputs.map(move),
  }));
  const codes = graph!.operators.map(({ code }) => ({ ...model.operatorCodes[code]! }));
  const note = copies.push(Buffer.from('1.14.0')) - 1;
  const label = copies.push(Buffer.from('cat dog')) - 1;
  return {
    ...model,
    operatorCodes: [{ builtin: 'CAST', version: 1 }, ...codes],
    buffers: copies,
    metadata: [
      { name: 'min_runtime_version', buffer: note },
      { name: 'labels', buffer: label },
      { name: 'CONVERSION_METADATA', buffer: note },
    ],
    subgraphs: [
      {
        ...graph!,
        tensors,
        operators,
        inputs: graph!.inputs.map(move),
        outputs: graph!.outputs.map(move),
      },
    ],
  };
}

const valid = sampleModels();

test('repacking leaves what computes, drops the rest, and has nothing more to do', (t) => {
  for (const { name, model } of valid) {
    const fat = bloated(model);
    const thin = packed(fat);
    verifyModel(thin, name);
    t.deepEqual(computationOf(thin), computationOf(model), name);
    t.deepEqual(
      thin.metadata.map((entry) => [
        entry.name,
        Buffer.from(thin.buffers[entry.buffer]!).toString(),
      ]),
      [['labels', 'cat dog']],
    );
    t.is(thin.operatorCodes.length, new Set(thin.operatorCodes.map(({ builtin }) => builtin)).size);
    t.false(thin.subgraphs[0]!.tensors.some((tensor) => tensor.name === 'unused'));
    const contents = thin.buffers.map((buffer) => Buffer.from(buffer).toString('hex'));
    t.is(new Set(contents).size, contents.length, 'a constant is there twice');
    t.is(thin.buffers[0]!.byteLength, 0);
    const file = serializeModel(repackModel(fat));
    t.deepEqual(serializeModel(repackModel(thin)), file, name);
    t.true(file.byteLength < serializeModel(fat).byteLength);
  }
});

test('random graphs repack to the same computation', (t) => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 2 ** 30 }),
      fc.integer({ min: 1, max: 10 }),
      (seed, steps) => {
        const { model } = randomModel(seed, steps);
        const thin = packed(bloated(model));
        verifyModel(thin, 'random');
        t.deepEqual(computationOf(thin), computationOf(model));
      },
    ),
    { numRuns: 100 },
  );
});

test('what is written reads back as it was, in the same bytes', (t) => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 2 ** 30 }),
      fc.integer({ min: 1, max: 10 }),
      (seed, steps) => {
        const { model } = randomModel(seed, steps);
        const bytes = serializeModel(model);
        const again = parseModel(bytes, 'random');
        t.deepEqual(normalized(again), normalized(model));
        t.deepEqual(serializeModel(again), bytes);
      },
    ),
    { numRuns: 100 },
  );
});

/** Buffers as plain bytes: some are views of a file. */
function normalized(model: TfliteModel): unknown {
  return { ...model, buffers: model.buffers.map((buffer) => [...buffer]) };
}

test('equal vectors and options are written once', (t) => {
  const sizeOf = (shapeOf: (step: number) => readonly number[], scales: number): number => {
    const b = new ModelBuilder();
    const scale = Array<number>(scales).fill(0.5);
    const first = b.tensor(shapeOf(0), { type: 'int8', scale: [0.5] });
    let last = first;
    for (let step = 1; step <= 20; step++) {
      const next = b.tensor(shapeOf(step), { type: 'int8', scale: step === 1 ? [0.5] : scale });
      b.operator('LEAKY_RELU', [last], [next], { alpha: 0.1 });
      last = next;
    }
    return serializeModel(b.build([first], [last])).byteLength;
  };
  // Scales are 4 bytes, zero points 8: twenty tensors share them.
  const shared = sizeOf(() => [1, 2, 3, 4], 1000);
  t.true(shared - sizeOf(() => [1, 2, 3, 4], 1) < 1000 * 12 + 100);
  // Shapes that differ are not shared.
  t.true(sizeOf((step) => [1, 2, 3, 4 + step], 1000) - shared >= 19 * 16);
});

test('values that differ in what a text of them does not show stay apart', (t) => {
  const b = new ModelBuilder();
  const [input, middle, output] = [0.1, 0.100000001490116, 0.10000001].map((scale) =>
    b.tensor([1, 8], { type: 'int8', scale: [scale] }),
  );
  const pad = b.control([2, 2], [0, 0, 0, 0]);
  const model = b
    .operator('RELU', [input!], [middle!])
    .operator('PAD', [middle!, pad], [output!])
    .build([input!], [output!]);
  t.deepEqual(normalized(parseModel(serializeModel(model), 'x')), normalized(model));
});

test('a model that names what is not there is told from one that can be repacked', (t) => {
  const [{ model }] = valid as [(typeof valid)[number]];
  const graph = model.subgraphs[0]!;
  const within = (change: Partial<typeof graph>): TfliteModel => ({
    ...model,
    subgraphs: [{ ...graph, ...change }],
  });
  const operator = graph.operators[0]!;
  const entry = { key: 'serve', subgraph: 0, inputs: [], outputs: [] };
  const broken: readonly (readonly [TfliteModel, RegExp])[] = [
    [
      within({ tensors: graph.tensors.map((tensor) => ({ ...tensor, buffer: 99 })) }),
      /buffer 99 does not/,
    ],
    [within({ operators: [{ ...operator, inputs: [99] }] }), /tensor 99 does not exist/],
    [within({ operators: [{ ...operator, outputs: [-1] }] }), /tensor -1 does not exist/],
    [within({ operators: [{ ...operator, code: 99 }] }), /operator code 99 does not exist/],
    [within({ outputs: [99] }), /tensor 99 does not exist/],
    [{ ...model, metadata: [{ name: 'labels', buffer: 99 }] }, /metadata names buffer 99/],
    [{ ...model, signatures: [{ ...entry, subgraph: 9 }] }, /a signature of graph 9/],
    [{ ...model, signatures: [{ ...entry, outputs: [{ name: 'y', tensor: 99 }] }] }, /tensor 99/],
    [{ ...model, subgraphs: [] }, /it has no graph/],
  ];
  for (const [each, message] of broken) {
    t.throws(() => verifyIndices(each, 'x'), { code: 'model-malformed', message });
    t.throws(() => verifyModel(each, 'x'), { code: 'model-malformed', message });
  }
  for (const sample of valid) t.notThrows(() => verifyIndices(sample.model, sample.name));
});

test('two versions of an operator stay two, and scales along two dimensions are two', (t) => {
  const b = new ModelBuilder();
  const along = (axis: number): number =>
    b.tensor([2, 2], { type: 'int8', scale: [0.5, 0.25], axis, data: [1, 2, 3, 4] });
  const [input, middle, output] = [b.tensor([1, 2]), b.tensor([1, 2]), b.tensor([1, 2])];
  const model = b
    .operator('FULLY_CONNECTED', [input, along(0), -1], [middle], {}, 3)
    .operator('FULLY_CONNECTED', [middle, along(1), -1], [output], {}, 9)
    .build([input], [output]);
  const thin = packed(model);
  t.deepEqual(
    thin.operatorCodes.map(({ version }) => version),
    [3, 9],
  );
  t.deepEqual(computationOf(thin), computationOf(model));
});

test('names between the ends are shortened, or go; those of ends and signatures stay', (t) => {
  const b = new ModelBuilder();
  const [input, inner, named, output] = [0, 1, 2, 3].map(() => b.tensor([1, 4]));
  const plain = b
    .operator('RELU', [input!], [inner!])
    .operator('TANH', [inner!], [named!])
    .operator('EXP', [named!], [output!])
    .build([input!], [output!]);
  const [graph] = plain.subgraphs;
  const tensors = graph!.tensors.map((tensor, index) => ({
    ...tensor,
    name: `a/${index};b/${index}`,
  }));
  const signature = {
    key: 'serve',
    subgraph: 0,
    inputs: [{ name: 'x', tensor: input! }],
    outputs: [{ name: 'y', tensor: named! }],
  };
  const model = { ...plain, subgraphs: [{ ...graph!, tensors }], signatures: [signature] };
  const [short, none] = NAMES.map((names) =>
    renameInner(model, names).subgraphs[0]!.tensors.map(({ name }) => name),
  );
  t.deepEqual(short, ['a/0;b/0', 'a/1', 'a/2;b/2', 'a/3;b/3']);
  t.deepEqual(none, ['a/0;b/0', '', 'a/2;b/2', 'a/3;b/3']);
});
