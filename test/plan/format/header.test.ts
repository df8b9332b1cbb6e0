import { readFileSync } from 'node:fs';
import test from 'ava';
import * as constants from '../../../src/plan/format/constants.ts';
import { cName, STRUCTS } from '../../../src/plan/format/structs.ts';

const TEXT = readFileSync(
  new URL('../../../../firmware/engine/plan_format.h', import.meta.url),
  'utf8',
).replace(/\/\*[\s\S]*?\*\//g, '');

const C_BYTES: Readonly<Record<string, number>> = {
  uint8_t: 1,
  int8_t: 1,
  uint16_t: 2,
  uint32_t: 4,
  int32_t: 4,
};

interface Member {
  readonly name: string;
  readonly type: string;
  readonly count: number;
  readonly offset: number;
}

const defined = new Map(
  [...TEXT.matchAll(/#define (PLAN_\w+) (0x[0-9a-f]+|\d+)u/g)].map(
    ([, name, value]) => [name!, Number(value)] as const,
  ),
);

/** Members of a structure as the C text has them, without padding. */
function membersOf(structure: string): Member[] {
  const body = new RegExp(`struct ${structure} \\{([^}]*)\\}`).exec(TEXT)?.[1] ?? '';
  let offset = 0;
  return body
    .split(';')
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .flatMap((line) => {
      const [, type, names] = /^(struct \w+|\w+) (.*)$/s.exec(line)!;
      return names!.split(',').map((text): Member => {
        const [, name, length] = /^(\w+)(?:\[(\w+)\])?$/.exec(text.trim())!;
        const count = length === undefined ? 1 : (defined.get(length) ?? Number(length));
        const bytes = C_BYTES[type!] ?? constants.PLAN_STEP_BYTES;
        const member = { name: name!, type: type!, count, offset };
        offset += bytes * count;
        return member;
      });
    });
}

const assertedBytes = (structure: string): number =>
  Number(new RegExp(`sizeof\\(struct ${structure}\\) == (\\d+)`).exec(TEXT)?.[1]);

/** Names of an enum with its values. */
function enumOf(name: string): Record<string, number> {
  const body = new RegExp(`enum ${name} \\{([^}]*)\\}`).exec(TEXT)?.[1] ?? '';
  let next = 0;
  const entries = body
    .split(',')
    .map((text) => text.trim())
    .filter((text) => text !== '')
    .map((text) => {
      const [label, value] = text.split(/\s*=\s*/);
      const number = value === undefined ? next : Number(value);
      next = number + 1;
      return [label!.replace(/^PLAN_/, ''), number] as const;
    });
  return Object.fromEntries(entries);
}

const structureOf = (kind: string): string =>
  ({ ADD: 'binary', SUB: 'binary', MUL: 'binary', LOOKUP: 'lookup', SOFTMAX: 'softmax' })[kind] ??
  { MEAN: 'mean', COPY: 'copy', FILL: 'fill' }[kind] ??
  'window';

test("every step's fields are those of plan_format.h, byte for byte", (t) => {
  for (const [kind, { fields, reservedOffsets, sizeBytes }] of Object.entries(STRUCTS)) {
    const structure = `plan_${structureOf(kind)}_step`;
    const members = membersOf(structure).filter(({ type }) => type in C_BYTES);
    t.deepEqual(
      fields.map(({ name, type, count, offset }) => ({
        name: cName(name),
        type: type === 'layout' ? 'uint8_t' : `${type}_t`,
        count,
        offset,
      })),
      members.filter(({ name }) => name !== 'reserved'),
      kind,
    );
    t.deepEqual(
      reservedOffsets,
      members
        .filter(({ name }) => name === 'reserved')
        .flatMap(({ offset, count }) =>
          Array.from({ length: count }, (_, index) => offset + index),
        ),
    );
    t.is(sizeBytes, assertedBytes(structure));
    for (const { offset, type, name } of members) {
      t.is(offset % C_BYTES[type]!, 0, `${kind} ${name} is padded by a compiler`);
    }
  }
});

test('kinds, layouts and targets have the numbers of plan_format.h', (t) => {
  const numbered = (names: readonly string[]): Record<string, number> =>
    Object.fromEntries(names.map((name, index) => [name, index]));
  t.deepEqual({ ...constants.PLAN_KINDS }, enumOf('plan_kind') as typeof constants.PLAN_KINDS);
  t.deepEqual(numbered(constants.PLAN_LAYOUTS), enumOf('plan_layout'));
  t.deepEqual(numbered(constants.PLAN_TARGETS), enumOf('plan_target'));
});

test('limits, flags and sizes have the numbers of plan_format.h', (t) => {
  t.true(defined.size >= 9);
  for (const [name, value] of defined) {
    t.is((constants as Readonly<Record<string, unknown>>)[name], value, name);
  }
  t.is(constants.PLAN_HEADER_BYTES, assertedBytes('plan_header'));
  t.is(constants.PLAN_IO_BYTES, assertedBytes('plan_io'));
  t.is(constants.PLAN_STEP_BYTES, assertedBytes('plan_step'));
});

test('docs/plan-format.md has the fields of plan_format.h, byte for byte', (t) => {
  const text = readFileSync(new URL('../../../../docs/plan-format.md', import.meta.url), 'utf8');
  const sections = [...text.matchAll(/^## `(plan_\w+)`, (\d+) bytes\n([\s\S]*?)(?=^## )/gm)];
  t.is(sections.length, 10);
  for (const [, structure, size, section] of sections) {
    const rows = [...section!.matchAll(/^\| (\d+) \| (\d+) \| (\w+) \|/gm)];
    t.is(Number(size), assertedBytes(structure!));
    t.deepEqual(
      rows.map(([, offset, bytes, name]) => [Number(offset), Number(bytes), name]),
      membersOf(structure!)
        .filter(({ type }) => type in C_BYTES)
        .map(({ offset, type, count, name }) => [offset, C_BYTES[type]! * count, name]),
      structure,
    );
  }
});
