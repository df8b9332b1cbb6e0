import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { DunlinError } from '../../core/index.ts';
import { checkStep } from './check-step.ts';
import {
  PLAN_ALIGNMENT,
  PLAN_CRC_START,
  PLAN_HEADER_BYTES,
  PLAN_IO_BYTES,
  PLAN_KINDS,
  PLAN_LAYOUTS,
  PLAN_MAGIC,
  PLAN_MAX_BYTES,
  PLAN_MAX_RANK,
  PLAN_SHA256_START,
  PLAN_STEP_BYTES,
  PLAN_TARGETS,
  PLAN_VERSION,
  type PlanKind,
  type PlanTarget,
} from './constants.ts';
import { isConstantPlace, type PlanIo, type PlanStep } from './steps.ts';
import { cName, type Field, STRUCTS } from './structs.ts';

/** A plan whose every offset and size has been checked. */
export interface Plan {
  readonly target: PlanTarget;
  readonly arenaBytes: number;
  readonly inputs: readonly PlanIo[];
  readonly outputs: readonly PlanIo[];
  /** Offsets of constants are from the start of `bytes`. */
  readonly steps: readonly PlanStep[];
  readonly bytes: Uint8Array;
  /** Where the steps end; encodePlan puts the constants there. */
  readonly stepsEnd: number;
}

const KINDS: ReadonlyMap<number, PlanKind> = new Map(
  (Object.keys(PLAN_KINDS) as PlanKind[]).map((kind) => [PLAN_KINDS[kind], kind]),
);
const INT8_MIN = -0x80;
const INT8_MAX = 0x7f;

/** The bytes of a plan with the name it has in errors. */
class Source {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly #what: string;

  constructor(bytes: Uint8Array, what: string) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#what = what;
  }

  label(part: string): string {
    return `${this.#what}: ${part}`;
  }

  fail(detail: string): never {
    throw new DunlinError(this.label(detail), { code: 'plan-malformed' });
  }

  require(condition: boolean, detail: string): void {
    if (!condition) this.fail(detail);
  }

  uint16(at: number): number {
    return this.view.getUint16(at, true);
  }

  uint32(at: number): number {
    return this.view.getUint32(at, true);
  }

  /** A table of so many bytes lies in the plan. */
  table(name: string, at: number, sizeBytes: number): void {
    this.require(at % PLAN_ALIGNMENT === 0, `${name}: ${at} is not a multiple of 4`);
    const total = this.bytes.length;
    this.require(
      at + sizeBytes <= total,
      `${name}: ${sizeBytes} bytes at ${at} of the plan, which has ${total}`,
    );
  }
}

/** That the bytes are a whole plan of a known version that nobody has changed. */
function checkSeals(source: Source): void {
  const { bytes } = source;
  source.require(bytes.length >= PLAN_HEADER_BYTES, `${bytes.length} bytes are no plan`);
  source.require(source.uint32(0) === PLAN_MAGIC, 'not an execution plan');
  const version = source.uint16(4);
  source.require(
    version === PLAN_VERSION,
    `version: the format ${version}; this Dunlin reads ${PLAN_VERSION}`,
  );
  const sizeBytes = source.uint32(8);
  source.require(
    sizeBytes === bytes.length && sizeBytes <= PLAN_MAX_BYTES,
    `size_bytes: ${sizeBytes} of a file of ${bytes.length} bytes`,
  );
  source.require(
    source.uint32(12) === crc32(bytes.subarray(PLAN_CRC_START)),
    'crc32: the CRC-32 does not hold; bytes have changed',
  );
  const digest = createHash('sha256').update(bytes.subarray(PLAN_SHA256_START)).digest();
  source.require(
    digest.equals(bytes.subarray(PLAN_CRC_START, PLAN_SHA256_START)),
    'sha256: the SHA-256 does not hold; bytes have changed',
  );
}

function readIo(source: Source, at: number, arenaBytes: number, name: string): PlanIo {
  const [place, sizeBytes] = [source.uint32(at), source.uint32(at + 4)];
  const scale = source.view.getFloat32(at + 8, true);
  const zeroPoint = source.view.getInt32(at + 12, true);
  const rank = source.uint32(at + 16);
  const require = (condition: boolean, detail: string): void =>
    source.require(condition, `${name}: ${detail}`);
  require(!isConstantPlace(place), 'place: a constant, where it has to be in the arena');
  require(place + sizeBytes <=
    arenaBytes, `place: ${sizeBytes} bytes at ${place} of the arena, which has ${arenaBytes}`);
  require(Number.isFinite(scale) && scale > 0, `scale: ${scale} is not a positive number`);
  require(zeroPoint >= INT8_MIN &&
    zeroPoint <= INT8_MAX, `zero_point: ${zeroPoint} is not an int8`);
  require(rank <= PLAN_MAX_RANK, `rank: ${rank} is more than ${PLAN_MAX_RANK}`);
  const sizes = Array.from({ length: PLAN_MAX_RANK }, (_, axis) =>
    source.uint32(at + 20 + 4 * axis),
  );
  const shape = sizes.slice(0, rank);
  require(!shape.includes(0), 'shape: a size of 0');
  require(sizes.slice(rank).every((size) => size === 0), 'shape: a size past the rank');
  require(shape.reduce((product, size) => product * size, 1) ===
    sizeBytes, `size_bytes: ${sizeBytes} of the shape [${shape.join(', ')}]`);
  return { place, sizeBytes, scale, zeroPoint, shape };
}

/** A field's number, numbers or name. */
function readField(source: Source, at: number, label: string, field: Field): unknown {
  const { view } = source;
  const start = at + field.offset;
  const read = (index: number): number => {
    if (field.type === 'uint8') return view.getUint8(start + index);
    if (field.type === 'int8') return view.getInt8(start + index);
    if (field.type === 'uint16') return view.getUint16(start + 2 * index, true);
    if (field.type === 'uint32') return view.getUint32(start + 4 * index, true);
    return view.getInt32(start + 4 * index, true);
  };
  if (field.type === 'layout') {
    const code = view.getUint8(start);
    return PLAN_LAYOUTS[code] ?? source.fail(`${label}: ${cName(field.name)}: ${code} is unknown`);
  }
  return field.count === 1
    ? read(0)
    : Array.from({ length: field.count }, (_, index) => read(index));
}

/** One step, and where the next one begins. */
function readStep(
  source: Source,
  at: number,
  index: number,
  arenaBytes: number,
): { readonly step: PlanStep; readonly next: number } {
  source.table(`step ${index}`, at, PLAN_STEP_BYTES);
  const code = source.view.getUint8(at);
  const kind = KINDS.get(code) ?? source.fail(`step ${index}: kind: ${code} is unknown`);
  const label = `step ${index} (${kind})`;
  const { fields, reservedOffsets, sizeBytes } = STRUCTS[kind];
  const found = source.uint16(at + 2);
  source.require(found === sizeBytes, `${label}: size_bytes: ${found}; it has ${sizeBytes}`);
  source.table(label, at, sizeBytes);
  source.require(
    source.uint16(at + 6) === 0 &&
      reservedOffsets.every((offset) => source.view.getUint8(at + offset) === 0),
    `${label}: reserved: not 0`,
  );
  const values = fields.map((field) => [field.name, readField(source, at, label, field)] as const);
  const common = { kind, flags: source.view.getUint8(at + 1), source: source.uint16(at + 4) };
  const step = { ...common, ...Object.fromEntries(values) } as unknown as PlanStep;
  checkStep(step, { bytes: source.bytes, arenaBytes }, source.label(label));
  return { step, next: at + sizeBytes };
}

/** The header after its seals. */
interface Header {
  readonly target: PlanTarget;
  readonly arenaBytes: number;
  readonly inputCount: number;
  readonly outputCount: number;
  readonly ioOffset: number;
  readonly stepsOffset: number;
  readonly stepCount: number;
}

function readHeader(source: Source): Header {
  const targetCode = source.view.getUint8(6);
  const header = {
    target: PLAN_TARGETS[targetCode] ?? source.fail(`target: ${targetCode} is unknown`),
    arenaBytes: source.uint32(48),
    inputCount: source.uint16(52),
    outputCount: source.uint16(54),
    ioOffset: source.uint32(56),
    stepsOffset: source.uint32(60),
    stepCount: source.uint16(64),
  };
  const { arenaBytes, inputCount, outputCount } = header;
  source.require((source.view.getUint8(7) | source.uint16(66)) === 0, 'reserved: not 0');
  source.require(
    arenaBytes <= PLAN_MAX_BYTES,
    `arena_bytes: ${arenaBytes} is more than ${PLAN_MAX_BYTES}`,
  );
  source.table('io_offset', header.ioOffset, (inputCount + outputCount) * PLAN_IO_BYTES);
  source.table('steps_offset', header.stepsOffset, header.stepCount * PLAN_STEP_BYTES);
  return header;
}

/**
 * Reads a plan. It refuses whatever engine_open of firmware/engine refuses, and a plan that is safe
 * to run but says what no compiler would.
 * @param what names the plan in errors
 * @throws DunlinError plan-malformed, which says which step and which field of plan_format.h
 */
export function decodePlan(bytes: Uint8Array, what: string): Plan {
  const source = new Source(bytes, what);
  checkSeals(source);
  const header = readHeader(source);
  const { target, arenaBytes, inputCount, outputCount } = header;
  const io = (name: string, count: number, first: number): PlanIo[] =>
    Array.from({ length: count }, (_, index) => {
      const at = header.ioOffset + (first + index) * PLAN_IO_BYTES;
      return readIo(source, at, arenaBytes, `${name} ${index}`);
    });
  const inputs = io('input', inputCount, 0);
  const outputs = io('output', outputCount, inputCount);
  const steps: PlanStep[] = [];
  let at = header.stepsOffset;
  for (let index = 0; index < header.stepCount; index++) {
    const { step, next } = readStep(source, at, index, arenaBytes);
    steps.push(step);
    at = next;
  }
  return { target, arenaBytes, inputs, outputs, steps, bytes, stepsEnd: at };
}
