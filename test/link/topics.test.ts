import test from 'ava';
import fc from 'fast-check';
import { errorCode } from '../../src/core/index.ts';
import { backoffMs, filterMatches, fleetTopics, packetGuard } from '../../src/link/index.ts';

const topics = fleetTopics('plant-a');
const sha256 = 'ab'.repeat(32);

test('topics have a place each, at most seven levels deep', (t) => {
  const all = [
    topics.tuf('1.root.json'),
    topics.chunk(sha256),
    topics.assignment({ kind: 'device', name: 'press-1' }),
    topics.assignment({ kind: 'group', name: 'press-1' }),
    topics.state('press-1'),
    topics.status('press-1'),
    topics.telemetry('press-1'),
    topics.events('press-1'),
  ];
  t.is(new Set(all).size, all.length);
  for (const topic of all) t.true(topic.split('/').length <= 7 && !/[+#]/.test(topic));
  t.is(
    topics.assignment({ kind: 'group', name: 'line_2' }),
    'dunlin/v1/plant-a/assign/group/line_2',
  );
});

test('a name that would leave its level or match others is refused', (t) => {
  for (const name of ['', '+', '#', 'a/b', '../x', 'A', '$SYS', 'b'.repeat(65), 'a\u0000']) {
    for (const build of [fleetTopics, topics.state, topics.chunk]) {
      const error = t.throws(() => build(name));
      t.is(errorCode(error), 'input-invalid');
    }
  }
  t.throws(() => topics.tuf('../1.root.json'));
  t.throws(() => topics.chunk(sha256.toUpperCase()));
});

test('filters match as MQTT says', (t) => {
  const cases: [string, string, boolean][] = [
    ['a/b', 'a/b', true],
    ['a/+', 'a/b', true],
    ['a/+', 'a/b/c', false],
    ['a/+', 'a', false],
    ['a/#', 'a', true],
    ['a/#', 'a/b/c', true],
    ['#', 'a/b', true],
    ['#', '$SYS/x', false],
    ['+/b', 'a/b', true],
    ['+/+', 'a/', true],
    ['a/b/c', 'a/b', false],
  ];
  for (const [filter, topic, expected] of cases) {
    t.is(filterMatches(filter, topic), expected, `${filter} ${topic}`);
  }
  t.true(filterMatches(topics.filters.telemetry, topics.telemetry('press-1')));
  t.true(
    filterMatches(topics.filters.assignments, topics.assignment({ kind: 'group', name: 'g' })),
  );
});

test('backoff stays within its bounds and grows', (t) => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 1000 }),
      fc.integer({ min: 1000, max: 60_000 }),
      fc.nat(10_000),
      fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      (minMs, maxMs, attempt, draw) => {
        const waitMs = backoffMs({ minMs, maxMs }, attempt, draw);
        return (
          waitMs >= minMs / 2 &&
          waitMs <= maxMs &&
          backoffMs({ minMs, maxMs }, attempt + 1, draw) >= waitMs
        );
      },
    ),
  );
  t.pass();
});

/** A packet's fixed header and body, MQTT 3.1.1, 2.2.3 */
function packet(lengthBytes: number): number[] {
  const header = [0x30];
  let rest = lengthBytes;
  do {
    header.push((rest % 128) | (rest >= 128 ? 0x80 : 0));
    rest = Math.floor(rest / 128);
  } while (rest > 0);
  return [...header, ...new Array<number>(lengthBytes).fill(0xff)];
}

test('the packet guard sees the first packet above its limit, however the stream is cut', (t) => {
  const LIMIT = 300;
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: LIMIT }), { maxLength: 8 }),
      fc.boolean(),
      fc.integer({ min: 1, max: 64 }),
      (lengths, oversized, step) => {
        const stream = Uint8Array.from([
          ...lengths.flatMap((length) => packet(length)),
          ...(oversized ? packet(LIMIT + 1) : []),
        ]);
        const accepts = packetGuard(LIMIT);
        let accepted = true;
        for (let at = 0; at < stream.length && accepted; at += step) {
          accepted = accepts(stream.subarray(at, at + step));
        }
        return accepted === !oversized;
      },
    ),
  );
  t.false(packetGuard(LIMIT)(Uint8Array.from([0x30, 0x80, 0x80, 0x80, 0x80])));
});
