import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { DunlinError } from '../../core/index.ts';
import { roundUp } from './bytes.ts';
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
  PLAN_TARGETS,
  PLAN_VERSION,
  type PlanLayout,
  type PlanTarget,
} from './constants.ts';
import type { Plan } from './decode.ts';
import { isConstantPlace, isWeighted, type PlanIo, type PlanStep } from './steps.ts';
import { cName, type Field, type FieldType, fieldValues, STRUCTS } from './structs.ts';

/** Gathers the bytes of a plan's constants, each of which it gives an offset. */
export class ConstantsBuilder {
  readonly #parts: { readonly at: number; readonly bytes: Uint8Array }[] = [];
  #sizeBytes = 0;

  /** @returns where the values lie, from the section's start; a multiple of the alignment */
  append(values: ArrayBufferView, alignment = PLAN_ALIGNMENT): number {
    const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength).slice();
    const at = roundUp(this.#sizeBytes, alignment);
    this.#parts.push({ at, bytes });
    this.#sizeBytes = at + bytes.length;
    return at;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** The section so far, with zeros between what is aligned. */
  bytes(): Uint8Array {
    const section = new Uint8Array(this.#sizeBytes);
    for (const { at, bytes } of this.#parts) section.set(bytes, at);
    return section;
  }
}

export interface PlanContents {
  readonly target: PlanTarget;
  readonly arenaBytes: number;
  readonly inputs: readonly PlanIo[];
  readonly outputs: readonly PlanIo[];
  /** Offsets of constants are from the start of `constants`. */
  readonly steps: readonly PlanStep[];
  readonly constants: Uint8Array;
}

/** A step whose offsets of constants, and places of constants, are moved by so many bytes. */
export function moveConstants<S extends PlanStep>(step: S, bytes: number): S {
  const values = fieldValues(step);
  const moved = STRUCTS[step.kind].fields.flatMap(({ name, role }) => {
    const value = values[name] as number;
    const isMoved =
      role === 'constant'
        ? step.kind === 'LOOKUP' || isWeighted(step)
        : role === 'place' && isConstantPlace(value);
    return isMoved ? [[name, value + bytes] as const] : [];
  });
  return { ...step, ...Object.fromEntries(moved) };
}

/** Least and largest number of each type. */
const RANGES: Readonly<Record<Exclude<FieldType, 'layout'>, readonly [number, number]>> = {
  uint8: [0, 0xff],
  int8: [-0x80, 0x7f],
  uint16: [0, 0xffff],
  uint32: [0, 0xffffffff],
  int32: [-0x80000000, 0x7fffffff],
};

/** Writes numbers of C's types, and refuses those that do not fit. */
class StructWriter {
  readonly #view: DataView;
  readonly #label: string;

  constructor(bytes: Uint8Array, label: string) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#label = label;
  }

  fail(field: string, detail: string): never {
    throw new DunlinError(`${this.#label}: ${field} ${detail}`, { code: 'plan-malformed' });
  }

  number(field: string, at: number, type: Exclude<FieldType, 'layout'>, value: number): void {
    const [min, max] = RANGES[type];
    if (!Number.isInteger(value) || value < min || value > max) {
      this.fail(field, `is ${value}; it takes whole numbers from ${min} to ${max}`);
    }
    if (type === 'uint8') this.#view.setUint8(at, value);
    else if (type === 'int8') this.#view.setInt8(at, value);
    else if (type === 'uint16') this.#view.setUint16(at, value, true);
    else if (type === 'uint32') this.#view.setUint32(at, value, true);
    else this.#view.setInt32(at, value, true);
  }

  field({ name, type, count, offset }: Field, value: unknown): void {
    if (type === 'layout') {
      this.number(cName(name), offset, 'uint8', PLAN_LAYOUTS.indexOf(value as PlanLayout));
      return;
    }
    const numbers = (count === 1 ? [value] : value) as readonly number[];
    if (numbers.length !== count) {
      this.fail(cName(name), `has ${numbers.length} numbers; it takes ${count}`);
    }
    const bytes = type === 'uint8' || type === 'int8' ? 1 : type === 'uint16' ? 2 : 4;
    for (const [index, number] of numbers.entries()) {
      this.number(cName(name), offset + index * bytes, type, number);
    }
  }
}

function encodeStep(step: PlanStep, index: number): Uint8Array {
  const { fields, sizeBytes } = STRUCTS[step.kind];
  const bytes = new Uint8Array(sizeBytes);
  const writer = new StructWriter(bytes, `step ${index} (${step.kind})`);
  writer.number('kind', 0, 'uint8', PLAN_KINDS[step.kind]);
  writer.number('flags', 1, 'uint8', step.flags);
  writer.number('size_bytes', 2, 'uint16', sizeBytes);
  writer.number('source', 4, 'uint16', step.source);
  const values = fieldValues(step);
  for (const field of fields) writer.field(field, values[field.name]);
  return bytes;
}

/** What steps take in a plan. */
export const stepsBytes = (steps: readonly PlanStep[]): number =>
  steps.reduce((sum, { kind }) => sum + STRUCTS[kind].sizeBytes, 0);

/**
 * Steps as they lie in a plan, one after the other.
 * @param constantsStart where the constants begin in the plan, by which their offsets are moved
 * @throws DunlinError plan-malformed for a number that does not fit its field
 */
export function encodeSteps(steps: readonly PlanStep[], constantsStart: number): Uint8Array {
  const bytes = new Uint8Array(stepsBytes(steps));
  let at = 0;
  for (const [index, step] of steps.entries()) {
    const encoded = encodeStep(moveConstants(step, constantsStart), index);
    bytes.set(encoded, at);
    at += encoded.length;
  }
  return bytes;
}

function encodeIo(io: PlanIo, label: string): Uint8Array {
  const bytes = new Uint8Array(PLAN_IO_BYTES);
  const writer = new StructWriter(bytes, label);
  writer.number('place', 0, 'uint32', io.place);
  writer.number('size_bytes', 4, 'uint32', io.sizeBytes);
  new DataView(bytes.buffer).setFloat32(8, io.scale, true);
  writer.number('zero_point', 12, 'int32', io.zeroPoint);
  const rank = io.shape.length;
  if (rank > PLAN_MAX_RANK) writer.fail('rank', `is ${rank}; it takes at most ${PLAN_MAX_RANK}`);
  writer.number('rank', 16, 'uint32', rank);
  for (const [axis, size] of io.shape.entries()) {
    writer.number(`shape[${axis}]`, 20 + 4 * axis, 'uint32', size);
  }
  return bytes;
}

function encodeHeader(plan: PlanContents, stepsOffset: number, bytes: Uint8Array): void {
  const writer = new StructWriter(bytes, 'plan');
  writer.number('magic', 0, 'uint32', PLAN_MAGIC);
  writer.number('version', 4, 'uint16', PLAN_VERSION);
  writer.number('target', 6, 'uint8', PLAN_TARGETS.indexOf(plan.target));
  writer.number('size_bytes', 8, 'uint32', bytes.length);
  writer.number('arena_bytes', 48, 'uint32', plan.arenaBytes);
  writer.number('input_count', 52, 'uint16', plan.inputs.length);
  writer.number('output_count', 54, 'uint16', plan.outputs.length);
  writer.number('io_offset', 56, 'uint32', PLAN_HEADER_BYTES);
  writer.number('steps_offset', 60, 'uint32', stepsOffset);
  writer.number('step_count', 64, 'uint16', plan.steps.length);
}

/** SHA-256, then the CRC-32 over it too. */
function seal(bytes: Uint8Array): void {
  const digest = createHash('sha256').update(bytes.subarray(PLAN_SHA256_START)).digest();
  bytes.set(digest, PLAN_CRC_START);
  new DataView(bytes.buffer).setUint32(12, crc32(bytes.subarray(PLAN_CRC_START)), true);
}

/**
 * An execution plan: header, inputs, outputs, steps, constants, padded to a multiple of 4 bytes.
 * @throws DunlinError plan-malformed for a number that does not fit its field; whether offsets and
 * sizes go together is left to `decodePlan`
 */
export function encodePlan(plan: PlanContents): Uint8Array {
  const io = [
    ...plan.inputs.map((input, index) => encodeIo(input, `input ${index}`)),
    ...plan.outputs.map((output, index) => encodeIo(output, `output ${index}`)),
  ];
  const stepsOffset = PLAN_HEADER_BYTES + io.length * PLAN_IO_BYTES;
  const constantsStart = stepsOffset + stepsBytes(plan.steps);
  const sizeBytes = roundUp(constantsStart + plan.constants.length, PLAN_ALIGNMENT);
  if (sizeBytes > PLAN_MAX_BYTES) {
    throw new DunlinError(`plan: ${sizeBytes} bytes; it may have ${PLAN_MAX_BYTES}`, {
      code: 'plan-malformed',
    });
  }
  const bytes = new Uint8Array(sizeBytes);
  encodeHeader(plan, stepsOffset, bytes);
  for (const [index, entry] of io.entries()) {
    bytes.set(entry, PLAN_HEADER_BYTES + index * PLAN_IO_BYTES);
  }
  bytes.set(encodeSteps(plan.steps, constantsStart), stepsOffset);
  bytes.set(plan.constants, constantsStart);
  seal(bytes);
  return bytes;
}

/** What `encodePlan` made a plan of; only for a plan in which the constants follow the steps. */
export function planContents(plan: Plan): PlanContents {
  const { target, arenaBytes, inputs, outputs, stepsEnd } = plan;
  const steps = plan.steps.map((step) => moveConstants(step, -stepsEnd));
  const constants = plan.bytes.slice(stepsEnd);
  return { target, arenaBytes, inputs, outputs, steps, constants };
}
