import { INT8_MIN } from '../../reference/fixed-point.ts';
import {
  inputsOf,
  isBinary,
  isPool,
  isWeighted,
  type LookupOperation,
  type MoveOperation,
  type Operation,
  type Program,
  programValue,
  readersOf,
  type Value,
  type WeightedOperation,
  withInputs,
} from '../program.ts';

/** The range of a table that does nothing but clamp. */
function clampOf(table: Int8Array): { readonly min: number; readonly max: number } | undefined {
  const [min, max] = [table[0]!, table.at(-1)!];
  const clamps = table.every(
    (value, index) => value === Math.min(max, Math.max(min, index + INT8_MIN)),
  );
  return clamps ? { min, max } : undefined;
}

/** The operation that makes a value which nobody but one reader sees. */
class SoleProducers {
  readonly #producers = new Map<number, Operation>();
  readonly #readers: ReturnType<typeof readersOf>;

  constructor(program: Program) {
    this.#readers = readersOf(program);
    for (const operation of program.operations) this.#producers.set(operation.output, operation);
  }

  of(id: number): Operation | undefined {
    return this.#readers.get(id)?.length === 1 ? this.#producers.get(id) : undefined;
  }
}

/**
 * A table after an operation that clamps, or after another table, becomes part of it. Only tables of rescalings can
 * look like a clamp and move the zero point, which the operation before would then add.
 */
function fuseTable(
  program: Program,
  before: Operation,
  { table, output }: LookupOperation,
): Operation | undefined {
  if (before.kind === 'LOOKUP') {
    const both = before.table.map((value) => table[value - INT8_MIN]!);
    return { ...before, table: both, output };
  }
  const clamp = clampOf(table);
  if (clamp === undefined || !(isWeighted(before) || isPool(before) || isBinary(before))) {
    return undefined;
  }
  const zeroOf = (id: number): number => programValue(program, id).zeroPoint;
  if (zeroOf(before.output) !== zeroOf(output)) return undefined;
  // Ranges that do not meet leave the later one's end.
  const within = (value: number): number => Math.min(clamp.max, Math.max(clamp.min, value));
  return { ...before, output, min: within(before.min), max: within(before.max) };
}

const MAX_PADDING = 0xff;

/** Padding by a PAD, of height and width alone, is padding of the window's own. */
function fusePadding(
  pad: MoveOperation,
  after: WeightedOperation,
  program: Program,
): Operation | undefined {
  const [block] = pad.blocks;
  const { paddings } = pad;
  if (paddings?.length !== 8 || block === undefined || after.kind === 'FULLY_CONNECTED') {
    return undefined;
  }
  const isOther = (_: number, index: number): boolean => index < 2 || index > 5;
  if (paddings.filter(isOther).some((count) => count !== 0)) return undefined;
  if (pad.fill !== programValue(program, after.input).zeroPoint) return undefined;
  const [padTop, padLeft] = [after.padTop + paddings[2]!, after.padLeft + paddings[4]!];
  if (padTop > MAX_PADDING || padLeft > MAX_PADDING) return undefined;
  const [batches, inH, inW, inC] = block.shape as [number, number, number, number];
  // A reshape between the two makes another image of it.
  const [height, width] = [inH + paddings[2]! + paddings[3]!, inW + paddings[4]! + paddings[5]!];
  const isSame = after.batches === batches && after.inC === inC;
  if (!isSame || after.inH !== height || after.inW !== width) return undefined;
  return { ...after, input: block.input, inH, inW, padTop, padLeft };
}

function fuseOne(
  program: Program,
  producers: SoleProducers,
  operation: Operation,
):
  | {
      readonly fused: Operation;
      readonly gone: Operation;
    }
  | undefined {
  if (operation.kind !== 'LOOKUP' && !isWeighted(operation)) return undefined;
  const gone = producers.of(operation.input);
  if (gone === undefined) return undefined;
  const fused =
    operation.kind === 'LOOKUP'
      ? fuseTable(program, gone, operation)
      : gone.kind === 'MOVE'
        ? fusePadding(gone, operation, program)
        : undefined;
  return fused === undefined ? undefined : { fused, gone };
}

/** Joins tables, activations and paddings to the operations beside them, until none is left to join. */
export function fuseOperations(program: Program): Program {
  let current = program;
  for (;;) {
    const producers = new SoleProducers(current);
    const found = current.operations
      .map((operation) => ({ operation, found: fuseOne(current, producers, operation) }))
      .find((one) => one.found !== undefined);
    if (found?.found === undefined) return current;
    const { fused, gone } = found.found;
    const operations = current.operations.flatMap((operation) =>
      operation === gone ? [] : operation === found.operation ? [fused] : [operation],
    );
    // What is made has the shape in which it is made, whatever a reshape between the two had made of it.
    const { shape } = programValue(current, gone.output);
    const value = programValue(current, fused.output);
    const isMoved = fused.output !== gone.output && found.operation.kind === 'LOOKUP';
    const values = isMoved
      ? new Map(current.values).set(fused.output, { ...value, shape })
      : current.values;
    current = { ...current, operations, values };
  }
}

/** Tables that change nothing are taken out: their readers read what they read. */
export function dropIdentities(program: Program): Program {
  const same = new Map<number, number>();
  const resolve = (id: number): number => same.get(id) ?? id;
  const operations = program.operations.flatMap((found): Operation[] => {
    const operation = withInputs(found, resolve);
    if (operation.kind !== 'LOOKUP') return [operation];
    const [input, output] = [operation.input, operation.output].map((id) =>
      programValue(program, id),
    ) as [Value, Value];
    const isSame =
      input.scale === output.scale &&
      input.zeroPoint === output.zeroPoint &&
      operation.table.every((value, index) => value === index + INT8_MIN);
    if (!isSame) return [operation];
    same.set(operation.output, operation.input);
    return [];
  });
  return { ...program, operations, outputs: program.outputs.map(resolve) };
}

/** Whether anything comes of an operation. */
export function dropUnread(program: Program): Program {
  const read = new Set(program.outputs);
  const operations = program.operations.toReversed().filter((operation) => {
    if (!read.has(operation.output)) return false;
    for (const id of inputsOf(operation)) read.add(id);
    return true;
  });
  return { ...program, operations: operations.toReversed() };
}
