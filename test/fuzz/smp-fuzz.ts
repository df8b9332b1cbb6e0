import { parseArgs } from 'node:util';
import { encode } from 'cborg';
import { DunlinError } from '../../src/core/index.ts';
import {
  buildMcubootImage,
  decodePacket,
  encodePacket,
  encodePacketLines,
  PacketDecoder,
  parseFlashImage,
  parseMcubootImage,
  verifyMcubootImage,
} from '../../src/mcu/index.ts';
import { answerError } from '../../src/mcu/smp/answer-errors.ts';
import { checkMap, decodeMap } from '../../src/mcu/smp/cbor.ts';
import { ImageStates } from '../../src/mcu/smp/image-group.ts';
import { ModelState } from '../../src/mcu/smp/model-group.ts';
import { elfFile, hexFile } from '../mcu/image-files.ts';
import { Random } from './tflite-mutate.ts';

/**
 * What comes over a serial line or out of a firmware file, mutated. Every parser must return or throw a
 * DunlinError, in bounded time and with bounded buffers.
 *
 *   node dist/test/fuzz/smp-fuzz.js --executions 1000000 [--seed 1]
 */

const { values } = parseArgs({
  options: {
    executions: { type: 'string', default: '100000' },
    seed: { type: 'string', default: '1' },
  },
});

/** Structure where a mutation is worth more than anywhere else. */
const TOKENS = [
  Buffer.from('\x06\x09', 'latin1'),
  Buffer.from('\x04\x14', 'latin1'),
  Buffer.from('\n'),
  Buffer.of(0x9f),
  Buffer.of(0xbf),
  Buffer.of(0xff),
  Buffer.of(0x5b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff),
  Buffer.of(0x9b, 0, 0, 0, 1, 0, 0, 0, 0),
  Buffer.of(0xfb, 0x7f, 0xf0, 0, 0, 0, 0, 0, 0),
  Buffer.of(0xff, 0xff, 0xff, 0xff),
  Buffer.from(':020000040800F2\n'),
  Buffer.from('i__proto__'),
];
const MAX_MUTATIONS = 6;
const MAX_CHECK_MS = 1_000;
const MAX_PROBLEMS = 20;
const hash = new Uint8Array(32).fill(7);

const answers = [
  { rc: 8, rsn: 'no' },
  { err: { group: 64, rc: 3 } },
  { images: [{ slot: 0, version: '1.2.3', hash, active: true, confirmed: true }] },
  {
    board: 'native',
    engine: 'dunlin',
    format: 1,
    target: 'portable',
    arena: 4096,
    slots: [{ slot: 0, size: 65_536, hash, version: '1.0.0', active: true }],
  },
].map((map) => encode(map));
const files = [
  buildMcubootImage({
    body: new Uint8Array(60),
    version: { major: 1, minor: 2, revision: 3, build: 4 },
    securityCounter: 7,
  }),
  elfFile([
    { type: 1, address: 0x1000, bytes: new Uint8Array(40) },
    { type: 1, address: 0x2000, bytes: new Uint8Array(8) },
  ]),
  hexFile([{ address: 0xfff0, bytes: new Uint8Array(64) }], 16),
];

function mutate(seed: Uint8Array, random: Random): Buffer {
  let bytes = Buffer.from(seed);
  for (let count = random.below(MAX_MUTATIONS); count >= 0; count--) {
    const at = random.below(bytes.byteLength + 1);
    const token = random.pick(TOKENS);
    switch (random.below(6)) {
      case 0:
        bytes = Buffer.concat([bytes.subarray(0, at), token, bytes.subarray(at)]);
        break;
      case 1:
        bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + random.below(40))]);
        break;
      case 2:
        bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at >> 1)]);
        break;
      case 3:
        bytes = bytes.subarray(0, at);
        break;
      default:
        if (at < bytes.byteLength) bytes[at] = random.uint32() & 0xff;
    }
  }
  return bytes;
}

function readAnswer(body: Uint8Array): void {
  const map = decodeMap(body, 'fuzz');
  const error = answerError(map, 'fuzz');
  if (error !== undefined) throw error;
  checkMap('board' in map ? ModelState : ImageStates, map, 'fuzz');
}

/** One parser on one mutant: true when it took it. */
function execute(random: Random): boolean {
  let isTaken = false;
  switch (random.below(4)) {
    case 0: {
      const decoder = new PacketDecoder((packet) => {
        isTaken = decodePacket(packet) !== undefined;
      });
      const body = random.pick(answers);
      const packet = { operation: 1, version: 1, group: 1, sequence: 3, id: 0, body };
      const stream = mutate(encodePacketLines(encodePacket(packet)), random);
      const at = random.below(stream.byteLength + 1);
      decoder.push(stream.subarray(0, at));
      decoder.push(stream.subarray(at));
      return isTaken;
    }
    case 1:
      readAnswer(mutate(random.pick(answers), random));
      return true;
    case 2: {
      const image = parseMcubootImage(mutate(files[0]!, random), 'fuzz');
      verifyMcubootImage(image, 'fuzz', []);
      return true;
    }
    default:
      parseFlashImage(mutate(random.pick(files), random), 'fuzz');
      return true;
  }
}

function main(): void {
  const random = new Random(Number(values.seed));
  const executions = Number(values.executions);
  const problems: string[] = [];
  let taken = 0;
  let refused = 0;
  for (let count = 0; count < executions && problems.length < MAX_PROBLEMS; count++) {
    const start = process.cpuUsage();
    try {
      if (execute(random)) taken++;
    } catch (error) {
      refused++;
      if (!(error instanceof DunlinError)) {
        const stack = error instanceof Error ? error.stack : String(error);
        problems.push(`execution ${count}: ${stack}`);
      }
    }
    // Of the processor: a machine that is busy with others is no problem of a parser.
    const { user, system } = process.cpuUsage(start);
    if (user + system > 1000 * MAX_CHECK_MS) {
      problems.push(`execution ${count} took ${((user + system) / 1000).toFixed(0)} ms`);
    }
  }
  for (const problem of problems) console.log(`PROBLEM ${problem}`);
  console.log(
    JSON.stringify({ seed: values.seed, executions, taken, refused, problems: problems.length }),
  );
  process.exitCode = problems.length === 0 ? 0 : 1;
}

main();
