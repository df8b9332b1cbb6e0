import test from 'ava';
import fc from 'fast-check';
import {
  crc16Xmodem,
  decodePacket,
  encodePacket,
  encodePacketLines,
  PacketDecoder,
} from '../../src/mcu/index.ts';

/** Echo of "dunlin", and the first chunk of an upload, framed by PyPI's smp 3.x: a client that is not ours. */
const ECHO_PACKET = '0a00000a00000000a161646664756e6c696e';
const ECHO_LINES = '06094142514b4141414b41414141414b46685a475a6b645735736157345545413d3d0a';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

function decodeAll(chunks: Iterable<Uint8Array>) {
  const packets: string[] = [];
  const decoder = new PacketDecoder((packet) => packets.push(hex(packet)));
  for (const chunk of chunks) decoder.push(chunk);
  return { packets, counts: decoder.counts };
}

/** Cuts bytes at the given places, in any order and however often. */
function split(bytes: Uint8Array, places: readonly number[]): Uint8Array[] {
  const cuts = [...new Set(places.map((place) => place % (bytes.byteLength + 1)))].sort(
    (a, b) => a - b,
  );
  return [0, ...cuts].map((start, index) => bytes.subarray(start, cuts[index] ?? bytes.byteLength));
}

const somePacket = fc.uint8Array({ minLength: 8, maxLength: 700 });
/** Log lines, prompts, broken frames, binary: what else is on a console. A line that was begun swallows what follows. */
const someNoise = fc.oneof(
  fc.string({ maxLength: 300 }).map((text) => Buffer.from(`${text}\r\n`)),
  fc.uint8Array({ maxLength: 300 }),
  fc.constantFrom(
    Buffer.from('\x06'),
    Buffer.from('\x06\x09'),
    Buffer.from('\x06\x09####\n'),
    Buffer.from('\x04\x14AAAA\n'),
    Buffer.from('\x06\x09AAAA\n'),
    Buffer.from('\x06\x09//8=\n'),
    Buffer.from('uart:~$ '),
  ),
);

test('the check sum is CRC-16/XMODEM', (t) => {
  t.is(crc16Xmodem(Buffer.from('123456789')), 0x31c3);
  t.is(crc16Xmodem(new Uint8Array()), 0);
});

test('lines are those of another client', (t) => {
  t.is(hex(encodePacketLines(Buffer.from(ECHO_PACKET, 'hex'))), ECHO_LINES);
  t.deepEqual(decodeAll([Buffer.from(ECHO_LINES, 'hex')]).packets, [ECHO_PACKET]);
  t.deepEqual(decodePacket(Buffer.from(ECHO_PACKET, 'hex')), {
    operation: 2,
    version: 1,
    group: 0,
    sequence: 0,
    id: 0,
    body: Buffer.from('a161646664756e6c696e', 'hex'),
  });
});

test('no line is longer than 127 bytes, and each begins with its marker', (t) => {
  fc.assert(
    fc.property(somePacket, (packet) => {
      const text = Buffer.from(encodePacketLines(packet)).toString('latin1');
      const lines = text.split('\n');
      return (
        lines.pop() === '' &&
        lines.every((line) => line.length + 1 <= 127) &&
        lines[0]!.startsWith('\x06\x09') &&
        lines.slice(1).every((line) => line.startsWith('\x04\x14'))
      );
    }),
  );
  t.pass();
});

test('packets are found in any split of the stream, whatever stands between them', (t) => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(someNoise, somePacket), { minLength: 1, maxLength: 6 }),
      fc.array(fc.nat()),
      (parts, places) => {
        const stream = Buffer.concat(
          parts.flatMap(([noise, packet]) => [noise, encodePacketLines(packet)]),
        );
        const { packets } = decodeAll(split(stream, places));
        const wanted = parts.map(([, packet]) => hex(packet));
        // Noise could be a packet only with the right check sum: that is no noise.
        return JSON.stringify(packets) === JSON.stringify(wanted);
      },
    ),
    { numRuns: 300 },
  );
  t.pass();
});

test('a packet with log lines between its own lines is found as well', (t) => {
  const lines = Buffer.from(encodePacketLines(new Uint8Array(300).fill(7)))
    .toString('latin1')
    .split(/(?<=\n)/);
  const stream = lines.join('[00:00:01] <inf> main: tick\r\n');
  t.is(decodeAll([Buffer.from(stream, 'latin1')]).packets.length, 1);
});

test('no changed packet comes through, and the next one does', (t) => {
  const next = encodePacketLines(Buffer.from(ECHO_PACKET, 'hex'));
  fc.assert(
    fc.property(somePacket, fc.nat(), fc.integer({ min: 1, max: 255 }), (packet, place, change) => {
      const lines = Uint8Array.from(encodePacketLines(packet));
      const index = place % lines.byteLength;
      lines[index]! ^= change;
      const { packets } = decodeAll([lines, Buffer.from('\n'), next]);
      const others = packets.filter((found) => found !== hex(packet));
      return others.length === 1 && others[0] === ECHO_PACKET;
    }),
    { numRuns: 500 },
  );
  t.pass();
});

test('cut lines are counted as damaged', (t) => {
  const whole = encodePacketLines(new Uint8Array(200));
  const { packets, counts } = decodeAll([whole.subarray(0, 130), whole]);
  t.is(packets.length, 1);
  t.true(counts.damaged > 0);
});

test('a header comes back as it was', (t) => {
  fc.assert(
    fc.property(
      fc.record({
        operation: fc.nat(3),
        version: fc.nat(3),
        group: fc.nat(65535),
        sequence: fc.nat(255),
        id: fc.nat(255),
        body: fc.uint8Array({ maxLength: 64 }),
      }),
      (packet) => {
        const decoded = decodePacket(encodePacket(packet));
        t.deepEqual({ ...decoded, body: Uint8Array.from(decoded!.body) }, packet);
      },
    ),
  );
  t.is(decodePacket(Buffer.from('0a00000b00000000', 'hex')), undefined, 'wrong length');
  t.is(decodePacket(Buffer.from('8a00000000000000', 'hex')), undefined, 'reserved bits');
});
