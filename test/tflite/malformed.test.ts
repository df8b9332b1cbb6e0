import test from 'ava';
import fc from 'fast-check';
import { Builder } from 'flatbuffers';
import { DunlinError } from '../../src/core/index.ts';
import { parseModel, serializeModel, verifyModel } from '../../src/tflite/index.ts';
import { mutate, Random } from '../fuzz/tflite-mutate.ts';
import { sampleModels, smallNetwork } from './sample-models.ts';

const MAX_CHECK_MS = 20_000;

/** `accepted`, or the code of the error; anything else thrown passes through and fails the test. */
function outcome(bytes: Uint8Array): string {
  try {
    verifyModel(parseModel(bytes, 'x'), 'x');
    return 'accepted';
  } catch (error) {
    if (!(error instanceof DunlinError)) throw error;
    return error.message.includes('\n') ? 'an error of two lines' : error.code;
  }
}

const file = serializeModel(smallNetwork());

test('the file is whole before it is broken', (t) => {
  t.is(outcome(file), 'accepted');
});

test('cut at any byte, it is malformed', (t) => {
  for (let length = 0; length < file.byteLength; length++) {
    const cut = outcome(file.subarray(0, length));
    // Nothing in the file is spare, so a cut always takes something needed.
    if (cut !== 'model-malformed') t.fail(`cut to ${length}: ${cut}`);
  }
  t.pass();
});

test('with any one bit flipped, it is accepted or refused with a code', (t) => {
  const copy = new Uint8Array(file);
  const seen = new Map<string, number>();
  for (let bit = 0; bit < 8 * file.byteLength; bit++) {
    copy[bit >> 3]! ^= 1 << (bit & 7);
    const result = outcome(copy);
    seen.set(result, (seen.get(result) ?? 0) + 1);
    copy[bit >> 3]! ^= 1 << (bit & 7);
  }
  t.true([...seen.keys()].every((key) => key === 'accepted' || key.startsWith('model-')));
  t.true((seen.get('model-malformed') ?? 0) > 1_000);
  t.true((seen.get('model-unsupported') ?? 0) > 0);
});

test('with any word replaced, it is accepted or refused with a code', (t) => {
  const words = [0, 1, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 0xffff_fff0];
  for (let at = 0; at + 4 <= file.byteLength; at += 2) {
    for (const word of words) {
      const copy = new Uint8Array(file);
      new DataView(copy.buffer).setUint32(at, word, true);
      outcome(copy);
    }
  }
  t.pass();
});

test('any bytes at all are refused', (t) => {
  const header = [20, 0, 0, 0, 0x54, 0x46, 0x4c, 0x33];
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      t.true(outcome(bytes).startsWith('model-'));
      t.true(outcome(Uint8Array.from([...header, ...bytes])).startsWith('model-'));
    }),
    { numRuns: 2_000 },
  );
});

test('models changed field by field are accepted or refused with a code, soon', (t) => {
  const samples = sampleModels();
  const seen = new Set<string>();
  fc.assert(
    fc.property(fc.integer(), fc.nat(samples.length - 1), (seed, index) => {
      const startMs = performance.now();
      const mutant = mutate(samples[index]!.model, new Random(seed));
      seen.add(outcome(serializeModel(mutant)));
      t.true(performance.now() - startMs < MAX_CHECK_MS);
    }),
    { numRuns: 3_000 },
  );
  t.deepEqual([...seen].sort(), [
    'accepted',
    'model-malformed',
    'model-too-large',
    'model-unsupported',
  ]);
});

/** A file of 130 kB whose 16,000 tensors are all one table with 8,000 scales. */
function sharedVectors(): Uint8Array {
  const [TENSORS, SCALES] = [16_000, 8_000];
  const b = new Builder(262_144);
  b.startVector(4, SCALES, 4);
  for (let left = SCALES; left > 0; left--) b.addFloat32(1);
  const scale = b.endVector();
  b.startVector(8, SCALES, 8);
  for (let left = SCALES; left > 0; left--) b.addInt64(0n);
  const zeroPoint = b.endVector();
  const table = (size: number, slots: Record<number, number>): number => {
    b.startObject(size);
    for (const [slot, offset] of Object.entries(slots)) b.addFieldOffset(Number(slot), offset, 0);
    return b.endObject();
  };
  const vector = (count: number, offset: number): number => {
    b.startVector(4, count, 4);
    for (let left = count; left > 0; left--) b.addOffset(offset);
    return b.endVector();
  };
  const tensor = table(6, { 4: table(7, { 2: scale, 3: zeroPoint }) });
  const graphs = vector(1, table(5, { 0: vector(TENSORS, tensor) }));
  b.startObject(8);
  b.addFieldInt32(0, 3, 0);
  b.addFieldOffset(2, graphs, 0);
  b.finish(b.endObject(), 'TFL3');
  return b.asUint8Array();
}

test('vectors that many tables share are not copied without bound', (t) => {
  const bytes = sharedVectors();
  t.true(bytes.byteLength < 200_000);
  const startMs = performance.now();
  t.throws(() => parseModel(bytes, 'x'), { message: /overlap without bound/ });
  t.true(performance.now() - startMs < MAX_CHECK_MS);
});
