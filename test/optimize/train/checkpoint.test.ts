import { createHash } from 'node:crypto';
import test from 'ava';
import { RandomValues } from '../random-values.ts';
import {
  CheckpointHistory,
  digestOf,
  gridsOf,
  openSmall,
  type Parts,
  smallClassifier,
  trainSmall,
  trainUntil,
} from './small-training.ts';

/** Prunes until 200, chooses until 300, and then rounds: two checkpoints by itself, at 250 and in the last phase none. */
const PLAN = { sparsity: 0.75, quantized: true, steps: 400 };
const RUN: Parts = { plan: PLAN, labels: Int32Array.from({ length: 200 }, (_, at) => at % 4) };

test('interrupted at any steps and gone on, it is to the bit what it would have been', async (t) => {
  const whole = digestOf(await trainSmall(RUN));
  const random = new RandomValues(12);
  for (let round = 0; round < 12; round++) {
    const checkpoint = new CheckpointHistory();
    // Both ends of every phase, and steps by chance.
    const stops = [0, 1, 49, 50, 199, 200, 201, 250, 299, 300, 301, 302, 350, 399].filter(() =>
      random.chance(0.3),
    );
    for (let more = 0; more < 3; more++) stops.push(random.whole(0, 399));
    stops.sort((a, b) => a - b);
    for (const step of stops) {
      t.true(await trainUntil(step, { ...RUN, checkpoint }), `${step} of ${stops}`);
    }
    let first: number | undefined;
    const onProgress = (done: number): void => {
      first ??= done;
    };
    const threads = round === 0 ? 2 : 1;
    t.is(
      digestOf(await trainSmall({ ...RUN, checkpoint, threads, onProgress })),
      whole,
      `${stops}`,
    );
    t.true(first! > stops.at(-1)!, `it went on at ${first} after ${stops}`);
  }
});

test('interrupted while ranges are measured for int8', async (t) => {
  const whole = digestOf(await trainSmall(RUN));
  const checkpoint = new CheckpointHistory();
  for (const late of [false, true]) {
    const stop = new AbortController();
    const interrupted = trainSmall({
      ...{ ...RUN, checkpoint, signal: stop.signal },
      gridsOf: async (model) => {
        stop.abort(new Error('while measuring'));
        if (late) return gridsOf(model);
        throw stop.signal.reason;
      },
    });
    await t.throwsAsync(interrupted, { message: 'while measuring' });
    const steps: number[] = [];
    const onProgress = (done: number): number => steps.push(done);
    const bytes = checkpoint.written.at(-1)!;
    const again = { ...RUN, checkpoint: new CheckpointHistory(bytes), onProgress };
    t.is(digestOf(await trainSmall(again)), whole);
    t.is(steps[0], late ? 302 : 301);
  }
});

test('killed between two checkpoints, it repeats the steps since, to the bit', async (t) => {
  const parts = { plan: { ...PLAN, steps: 800 } };
  const checkpoint = new CheckpointHistory();
  const whole = digestOf(await trainSmall({ ...parts, checkpoint }));
  t.is(checkpoint.written.length, 3);
  for (const bytes of checkpoint.written) {
    const from = new CheckpointHistory(bytes);
    t.is(digestOf(await trainSmall({ ...parts, checkpoint: from })), whole);
  }
  // One of the last step has nothing left to do.
  const exact = { plan: { ...PLAN, steps: 500 } };
  const ended = new CheckpointHistory();
  const digest = digestOf(await trainSmall({ ...exact, checkpoint: ended }));
  const last = new CheckpointHistory(ended.written.at(-1)!);
  const onProgress = (): void => t.fail('there was nothing to learn');
  t.is(digestOf(await trainSmall({ ...exact, checkpoint: last, onProgress })), digest);
});

/** Few steps, the last of them rounded. */
const SHORT: Parts = { plan: { sparsity: 0.5, quantized: true, steps: 40 } };
const STOPPED_AT = 35;

interface State {
  [name: string]: unknown;
  step: number;
  curve: unknown[];
  grids?: unknown[];
}

/** A checkpoint with another state or other numbers, and a digest that is right. */
function forged(
  bytes: Uint8Array,
  change: { state?: (state: State) => unknown; numbers?: (numbers: Buffer) => void; json?: string },
): Uint8Array {
  const body = Buffer.from(bytes.subarray(32));
  const end = 4 + body.readUInt32LE();
  const state = JSON.parse(body.subarray(4, end).toString()) as State;
  const json = Buffer.from(change.json ?? JSON.stringify(change.state?.(state) ?? state));
  const numbers = Buffer.from(body.subarray(end));
  change.numbers?.(numbers);
  return sealed(json.byteLength, Buffer.concat([json, numbers]));
}

function sealed(length: number, rest: Uint8Array): Uint8Array {
  const head = Buffer.alloc(4);
  head.writeUInt32LE(length);
  const body = Buffer.concat([head, rest]);
  return Buffer.concat([createHash('sha256').update(body).digest(), body]);
}

const WEIGHTS = 40 * 12;
const MASK_AT = 3 * 4 * WEIGHTS;

function hostile(bytes: Uint8Array): Readonly<Record<string, Uint8Array>> {
  const state = (change: Partial<State>) =>
    forged(bytes, { state: (before) => ({ ...before, ...change }) });
  const grid = { scale: 0.1, low: -128, high: 127 };
  return {
    empty: new Uint8Array(0),
    short: bytes.slice(0, 20),
    'digest alone': bytes.slice(0, 32),
    'length alone': bytes.slice(0, 36),
    'cut short': bytes.slice(0, -1),
    'cut short, digest right': sealed(2, Buffer.from('{}')),
    'one byte more': Buffer.concat([bytes, Buffer.of(0)]),
    text: Buffer.from('this is no checkpoint, and never was one; it is long enough for a digest'),
    'JSON of 4 GiB': sealed(0xffffffff, bytes.subarray(36)),
    'JSON of nothing': sealed(0, bytes.subarray(36)),
    'no JSON': forged(bytes, { json: '{"step":1' }),
    'JSON of another kind': forged(bytes, { json: '[1,2,3]' }),
    'an unknown field': state({ more: 1 }),
    'no step': forged(bytes, { state: ({ step: _, ...rest }) => rest }),
    'half a step': state({ step: 35.5 }),
    'a step below zero': state({ step: -1 }),
    'a step past the plan': state({ step: 41 }),
    'a loss without end': forged(bytes, {
      json: '{"step":10,"loss":{"sum":1e999,"steps":1},"curve":[]}',
    }),
    'more losses than steps': state({ loss: { sum: 1, steps: 36 } }),
    'a note of a later step': state({
      curve: [{ step: 50, loss: 1, sparsity: 0, quantized: false }],
    }),
    'no grids where there must be': forged(bytes, { state: ({ grids: _, ...rest }) => rest }),
    'grids where there are none': state({ step: 10 }),
    'a grid of a tensor that is not there': state({ grids: [[1000, grid]] }),
    'a grid of a negative tensor': state({ grids: [[-1, grid]] }),
    'a grid of nothing': state({ grids: [[0, { ...grid, scale: 0 }]] }),
    'a grid upside down': state({ grids: [[0, { ...grid, low: 5 }]] }),
    'a weight that is no number': forged(bytes, {
      numbers: (numbers) => numbers.writeFloatLE(Number.NaN, 8),
    }),
    'a weight without end': forged(bytes, {
      numbers: (numbers) => numbers.writeFloatLE(Number.POSITIVE_INFINITY, 8),
    }),
    'a moment that is no number': forged(bytes, {
      numbers: (numbers) => numbers.writeFloatLE(Number.NaN, 4 * WEIGHTS),
    }),
    'a square below zero': forged(bytes, {
      numbers: (numbers) => numbers.writeFloatLE(-1, 2 * 4 * WEIGHTS),
    }),
    'a mask of 2': forged(bytes, {
      numbers: (numbers) => void numbers.writeUInt8(2, MASK_AT),
    }),
  };
}

test('a checkpoint that is damaged, hostile or of another network is none: training starts afresh', async (t) => {
  const fresh = digestOf(await trainSmall(SHORT));
  const checkpoint = new CheckpointHistory();
  await trainUntil(STOPPED_AT, { ...SHORT, checkpoint });
  const bytes = checkpoint.written.at(-1)!;
  const startsAt = async (saved: Uint8Array, name: string): Promise<number> => {
    const steps: number[] = [];
    const onProgress = (done: number): number => steps.push(done);
    const history = new CheckpointHistory(saved);
    t.is(digestOf(await trainSmall({ ...SHORT, checkpoint: history, onProgress })), fresh, name);
    return steps[0]!;
  };
  t.is(await startsAt(bytes, 'as it was'), STOPPED_AT + 1);
  t.is(await startsAt(forged(bytes, {}), 'taken apart and put together'), STOPPED_AT + 1);
  for (const [name, saved] of Object.entries(hostile(bytes)))
    t.is(await startsAt(saved, name), 1, name);
  const random = new RandomValues(1);
  for (let turn = 0; turn < 40; turn++) {
    const flipped = bytes.slice();
    flipped[random.whole(0, bytes.length - 1)]! ^= 1 << random.whole(0, 7);
    t.is(await startsAt(flipped, 'a bit flipped'), 1);
  }
  // A network with other layers: the numbers do not fill it.
  const others = smallClassifier();
  const graph = others.subgraphs[0]!;
  const operators = graph.operators.with(0, {
    ...graph.operators[0]!,
    inputs: [...graph.operators[0]!.inputs.slice(0, 2), -1],
  });
  const student = openSmall({ ...others, subgraphs: [{ ...graph, operators }] });
  const steps: number[] = [];
  await trainSmall({ ...SHORT, student, checkpoint, onProgress: (done) => steps.push(done) });
  t.is(steps[0], 1);
});

test('a checkpoint that cannot be read or written ends the training with what was wrong', async (t) => {
  const checkpoint = new CheckpointHistory();
  checkpoint.write = async () => {
    throw new Error('the disk is full');
  };
  await t.throwsAsync(trainSmall({ plan: { steps: 300 }, checkpoint }), {
    message: /disk is full/,
  });
  checkpoint.read = async () => {
    throw new Error('the disk is gone');
  };
  await t.throwsAsync(trainSmall({ checkpoint }), { message: /disk is gone/ });
});
