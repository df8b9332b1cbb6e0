import test from 'ava';
import fc from 'fast-check';
import {
  FRAME_KIND,
  type Frame,
  FrameReader,
  formatFrame,
  HEADER_BYTES,
  splitPayload,
} from '../../src/inference/index.ts';

const frames = fc.array(
  fc.record({
    kind: fc.constantFrom(...Object.values(FRAME_KIND)),
    value: fc.double({ noNaN: true }),
    payload: fc.uint8Array({ maxLength: 200 }),
  }),
  { maxLength: 8 },
);

function plain(read: readonly Frame[]): object[] {
  return read.map(({ kind, value, payload }) => ({ kind, value, payload: [...payload] }));
}

test('frames come out as they went in, however the stream is cut', (t) => {
  fc.assert(
    fc.property(frames, fc.array(fc.nat({ max: 300 }), { maxLength: 40 }), (sent, cuts) => {
      const stream = Buffer.concat(
        sent.map(({ kind, value, payload }) => formatFrame(kind, [payload], value)),
      );
      const reader = new FrameReader();
      const received: Frame[] = [];
      let at = 0;
      for (const cut of cuts) {
        received.push(...reader.push(stream.subarray(at, at + cut)));
        at = Math.min(at + cut, stream.byteLength);
      }
      received.push(...reader.push(stream.subarray(at)));
      t.deepEqual(plain(received), plain(sent));
    }),
  );
});

test('garbage is refused or waited for, never more than the limit', (t) => {
  const maxPayloadBytes = 1024;
  let refused = 0;
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 64 }), { maxLength: 20 }), (pieces) => {
      const reader = new FrameReader(maxPayloadBytes);
      try {
        for (const piece of pieces) {
          for (const frame of reader.push(Buffer.from(piece))) {
            t.true(frame.payload.byteLength <= maxPayloadBytes);
          }
        }
      } catch (error) {
        refused += 1;
        t.true(error instanceof RangeError);
      }
    }),
  );
  t.true(refused > 0);
});

test('a header with an unknown kind or a length above the limit is refused at once', (t) => {
  const header = Buffer.alloc(HEADER_BYTES);
  t.throws(() => new FrameReader().push(header), { message: /unknown kind 0/ });
  header.writeUInt32LE(FRAME_KIND.result, 0);
  header.writeUInt32LE(0xffff_ffff, 4);
  t.throws(() => new FrameReader().push(header), { message: /4294967295 bytes/ });
  header.writeUInt32LE(17, 4);
  t.throws(() => new FrameReader(16).push(header), { message: /17 bytes, 16 at most/ });
});

test('a payload is cut into its tensors', (t) => {
  const cut = splitPayload(Uint8Array.of(1, 2, 3, 4), [1, 0, 3]);
  t.deepEqual(
    cut.map((part) => [...part]),
    [[1], [], [2, 3, 4]],
  );
});
