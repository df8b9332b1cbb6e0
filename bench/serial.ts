/**
 * How much of a serial line an SMP upload gets: on QEMU's Cortex-M4, turn by turn with raw bytes over the same line.
 * Usage: node dist/bench/serial.js. Exit status 1 below what framing and protocol may cost.
 */
import { parseArgs } from 'node:util';
import { echo } from '../src/mcu/index.ts';
import { gateway, motorModel } from '../test/mcu/real/gateway.ts';

const ROUNDS = 7;
const RAW_BYTES = 60_000;
/** The decoder passes over it. */
const RAW_BYTE = 0x55;
/** Zephyr's console framing: 93 bytes of a packet in a line of 127. */
const FRAMING_SHARE = 93 / 127;
const PROTOCOL_SHARE = 0.8;

interface Round {
  readonly rawBytesPerSecond: number;
  readonly goodputBytesPerSecond: number;
}

async function measure(): Promise<Round[]> {
  const gate = await gateway('mps2-an386');
  try {
    await gate.device.powerOn();
    await gate.flasher.flash(gate.firmwareJob('1.0.0'));
    const rounds: Round[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const { file } = motorModel(round % 2 === 0 ? 'v1' : 'v2');
      const raw = Buffer.alloc(RAW_BYTES, RAW_BYTE);
      const startMs = performance.now();
      await gate.device.line.write(raw);
      // Answered after all that came before it.
      await echo(gate.client, 'raw');
      const rawMs = performance.now() - startMs;
      const uploadStartMs = performance.now();
      await gate.models.upload(file);
      const uploadMs = performance.now() - uploadStartMs;
      rounds.push({
        rawBytesPerSecond: (1000 * raw.byteLength) / rawMs,
        goodputBytesPerSecond: (1000 * file.byteLength) / uploadMs,
      });
    }
    return rounds;
  } finally {
    await gate.dispose();
  }
}

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[values.length >> 1]!;

const { values } = parseArgs({ options: { json: { type: 'boolean', default: false } } });
const rounds = await measure();
const shares = rounds.map((round) => round.goodputBytesPerSecond / round.rawBytesPerSecond);
const share = median(shares);
const wanted = PROTOCOL_SHARE * FRAMING_SHARE;
if (values.json) {
  process.stdout.write(`${JSON.stringify({ rounds, share, wanted })}\n`);
} else {
  const kilobytes = (pick: (round: Round) => number): string =>
    (median(rounds.map(pick)) / 1000).toFixed(1);
  process.stdout.write(
    `raw UART ${kilobytes((round) => round.rawBytesPerSecond)} kB/s, ` +
      `SMP upload ${kilobytes((round) => round.goodputBytesPerSecond)} kB/s of the file\n` +
      `share ${share.toFixed(3)} (${shares.map((one) => one.toFixed(3)).join(' ')}), ` +
      `at least ${wanted.toFixed(3)}: ${PROTOCOL_SHARE} of what framing leaves, 93/127\n`,
  );
}
process.exitCode = share < wanted ? 1 : 0;
