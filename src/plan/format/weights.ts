/**
 * How weights lie in a plan: enum plan_layout of firmware/engine/plan_format.h. Unpacked they are
 * int8 [outC][K]; K is kernelH * kernelW * inC, of a depthwise convolution kernelH * kernelW.
 */

import { roundUp } from './bytes.ts';
import type { PlanLayout } from './constants.ts';

/** Taps, or entries of RUNS, that lie together. */
const GROUP = 4;
/** A group of four taps of two channels in PAIRS. */
const PAIR_GROUP_BYTES = 8;
/** Taps of a group in the order of PAIRS' 16-bit lanes. */
const LANE_TAPS = [0, 2, 1, 3] as const;
const MAX_GAP = 15;
const MAX_ROW_GROUPS = 0xffff;
const INT16_MIN = -0x8000;

const wholeGroups = (value: number): number => roundUp(value, GROUP);

/** DENSE: the rows as they are. */
export function packDense(rows: Int8Array, outC: number, taps: number): Uint8Array {
  return new Uint8Array(rows.buffer, rows.byteOffset, outC * taps).slice();
}

const pairsBytes = (outC: number, taps: number): number =>
  (Math.ceil(outC / 2) * wholeGroups(taps) * PAIR_GROUP_BYTES) / GROUP;

/** Calls `visit` with each lane of PAIRS in the order of the bytes. */
function eachLane(
  outC: number,
  taps: number,
  visit: (lane: number, channel: number, tap: number) => void,
): void {
  let lane = 0;
  for (let channel = 0; channel < outC; channel += 2) {
    for (let first = 0; first < taps; first += GROUP) {
      for (const tap of LANE_TAPS) visit(lane++, channel, first + tap);
    }
  }
}

/**
 * PAIRS: 256 * H + L in 16 bits of the taps 0, 2, 1, 3 of each four, for each two rows.
 * @returns undefined where a pair does not fit: H = -128 beside L < 0
 */
export function packPairs(rows: Int8Array, outC: number, taps: number): Uint8Array | undefined {
  const bytes = new Uint8Array(pairsBytes(outC, taps));
  const view = new DataView(bytes.buffer);
  let fits = true;
  eachLane(outC, taps, (lane, channel, tap) => {
    if (tap >= taps) return;
    const low = rows[channel * taps + tap]!;
    const high = channel + 1 < outC ? rows[(channel + 1) * taps + tap]! : 0;
    const value = 256 * high + low;
    if (value < INT16_MIN) fits = false;
    else view.setInt16(2 * lane, value, true);
  });
  return fits ? bytes : undefined;
}

/** One row of RUNS: how far each entry is from the one before, and its weight. */
interface Runs {
  readonly gaps: number[];
  readonly weights: number[];
}

/** Entries of a row, filled up to whole groups by weights of 0. */
function runsOf(row: Int8Array): Runs {
  const gaps: number[] = [];
  const weights: number[] = [];
  let at = 0;
  for (const [tap, weight] of row.entries()) {
    if (weight === 0) continue;
    for (; tap - at > MAX_GAP; at += MAX_GAP) {
      gaps.push(MAX_GAP);
      weights.push(0);
    }
    gaps.push(tap - at);
    weights.push(weight);
    at = tap;
  }
  while (gaps.length % GROUP !== 0) {
    gaps.push(0);
    weights.push(0);
  }
  return { gaps, weights };
}

/** Where the three parts of RUNS begin, and where they end. */
const runsParts = (
  outC: number,
  groups: number,
): { readonly gapsAt: number; readonly weightsAt: number; readonly end: number } => {
  const gapsAt = wholeGroups(2 * outC);
  const weightsAt = gapsAt + wholeGroups(2 * groups);
  return { gapsAt, weightsAt, end: weightsAt + GROUP * groups };
};

/**
 * RUNS: entries (gap, weight) in groups of four; zeros take none, but for one of each 15 in a row.
 * @returns undefined for a row of more than 65,535 groups, which takes 262,141 weights
 */
export function packRuns(rows: Int8Array, outC: number, taps: number): Uint8Array | undefined {
  const runs = Array.from({ length: outC }, (_, channel) =>
    runsOf(rows.subarray(channel * taps, (channel + 1) * taps)),
  );
  const groupCounts = runs.map(({ gaps }) => gaps.length / GROUP);
  if (groupCounts.some((count) => count > MAX_ROW_GROUPS)) return undefined;
  const groups = groupCounts.reduce((sum, count) => sum + count, 0);
  const { gapsAt, weightsAt, end } = runsParts(outC, groups);
  const bytes = new Uint8Array(end);
  const view = new DataView(bytes.buffer);
  for (const [channel, count] of groupCounts.entries()) view.setUint16(2 * channel, count, true);
  let entry = 0;
  for (const { gaps, weights } of runs) {
    for (const [index, gap] of gaps.entries()) {
      const at = gapsAt + Math.floor(entry / 2);
      view.setUint8(at, view.getUint8(at) | (gap << (4 * (entry % 2))));
      view.setInt8(weightsAt + entry, weights[index]!);
      entry++;
    }
  }
  return bytes;
}

/** Calls `visit` with each entry of RUNS; `tap` is where it puts its weight. */
function eachEntry(
  bytes: Uint8Array,
  outC: number,
  visit: (channel: number, tap: number, weight: number, gap: number, isFirst: boolean) => void,
): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const counts = Array.from({ length: outC }, (_, channel) => view.getUint16(2 * channel, true));
  const { gapsAt, weightsAt } = runsParts(
    outC,
    counts.reduce((sum, count) => sum + count, 0),
  );
  let entry = 0;
  for (const [channel, count] of counts.entries()) {
    let tap = 0;
    for (let index = 0; index < GROUP * count; index++) {
      const gap = (view.getUint8(gapsAt + (entry >> 1)) >> (4 * (entry % 2))) & MAX_GAP;
      tap += gap;
      visit(channel, tap, view.getInt8(weightsAt + entry), gap, index === 0);
      entry++;
    }
  }
}

/** The rows of weights that `weightsProblem` has nothing against. */
export function unpackWeights(
  layout: PlanLayout,
  bytes: Uint8Array,
  outC: number,
  taps: number,
): Int8Array {
  if (layout === 'DENSE') return new Int8Array(bytes.buffer, bytes.byteOffset, outC * taps).slice();
  const rows = new Int8Array(outC * taps);
  if (layout === 'RUNS') {
    eachEntry(bytes, outC, (channel, tap, weight) => {
      rows[channel * taps + tap]! += weight;
    });
    return rows;
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  eachLane(outC, taps, (lane, channel, tap) => {
    if (tap >= taps) return;
    const value = view.getInt16(2 * lane, true);
    const low = (value << 24) >> 24;
    rows[channel * taps + tap] = low;
    if (channel + 1 < outC) rows[(channel + 1) * taps + tap] = (value - low) / 256;
  });
  return rows;
}

const sizeProblem = (bytes: Uint8Array, expected: number): string | undefined =>
  bytes.length === expected ? undefined : `${bytes.length} bytes; they take ${expected}`;

function pairsProblem(bytes: Uint8Array, outC: number, taps: number): string | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let problem: string | undefined;
  eachLane(outC, taps, (lane, channel, tap) => {
    const value = view.getInt16(2 * lane, true);
    const low = (value << 24) >> 24;
    const isPadded = tap >= taps ? value !== 0 : channel + 1 >= outC && value !== low;
    if (isPadded) problem ??= `lane ${lane} is past the weights and not 0`;
    if ((value - low) / 256 > 127) problem ??= `lane ${lane} stands for a weight of 128`;
  });
  return problem;
}

function runsProblem(bytes: Uint8Array, outC: number, taps: number): string | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < wholeGroups(2 * outC)) return `${bytes.length} bytes for ${outC} rows`;
  let groups = 0;
  for (let channel = 0; channel < outC; channel++) groups += view.getUint16(2 * channel, true);
  const { end, gapsAt, weightsAt } = runsParts(outC, groups);
  let problem = sizeProblem(bytes, end);
  if (problem !== undefined) return problem;
  const paddings = [
    bytes.subarray(2 * outC, gapsAt),
    bytes.subarray(gapsAt + 2 * groups, weightsAt),
  ];
  if (paddings.some((padding) => padding.some((byte) => byte !== 0))) {
    return 'the padding is not 0';
  }
  eachEntry(bytes, outC, (channel, tap, weight, gap, isFirst) => {
    if (tap >= taps) problem ??= `row ${channel} goes to tap ${tap} of ${taps}`;
    if (gap === 0 && weight !== 0 && !isFirst) {
      problem ??= `row ${channel} has two weights on tap ${tap}`;
    }
  });
  return problem;
}

/** What is wrong with packed weights, if anything. */
export function weightsProblem(
  layout: PlanLayout,
  bytes: Uint8Array,
  outC: number,
  taps: number,
): string | undefined {
  if (layout === 'RUNS') return runsProblem(bytes, outC, taps);
  if (layout === 'DENSE') return sizeProblem(bytes, outC * taps);
  return sizeProblem(bytes, pairsBytes(outC, taps)) ?? pairsProblem(bytes, outC, taps);
}
