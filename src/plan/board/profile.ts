import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DunlinError, errnoOf, parseConfig, type Static, Type } from '../../core/index.ts';

const PROFILES = fileURLToPath(new URL('../../../../devices/boards', import.meta.url));
const PROFILE_NAME = /^[a-z0-9][a-z0-9-]{0,62}$/;

/** Names go into messages and onto command lines. */
const DEVICE_NAME = '^[A-Za-z0-9][A-Za-z0-9_@.-]{0,63}$';

/** How a board with a bootloader of MCUboot's format is spoken to over its serial line. */
const SmpProfile = Type.Object(
  {
    names: Type.Array(Type.String({ pattern: DEVICE_NAME }), {
      minItems: 1,
      maxItems: 16,
      description: 'what the device answers when it is asked which board it is',
    }),
    baudRate: Type.Integer({ minimum: 300, maximum: 12_000_000 }),
    signing: Type.Literal('ed25519', { description: 'what its bootloader verifies' }),
    models: Type.Boolean({
      description: 'whether its firmware has our model group (docs/smp-model-group.md)',
    }),
    image: Type.Object(
      {
        payload: Type.Union([Type.Literal('segments'), Type.Literal('file')], {
          description:
            'what is signed of an ELF file: what it loads into flash, or the file as it is',
        }),
        headerBytes: Type.Integer({
          minimum: 32,
          maximum: 65_535,
          multipleOf: 4,
          description: 'from the start of a slot to its code, as the firmware is linked',
        }),
        slotAddress: Type.Optional(
          Type.Integer({ minimum: 0, description: 'where the slot starts that firmware runs in' }),
        ),
        slotBytes: Type.Optional(Type.Integer({ minimum: 1 })),
      },
      { additionalProperties: false },
    ),
  },
  { additionalProperties: false },
);

/** A board of `devices/boards/`, each fact with the document that it comes from. */
const BoardProfileSchema = Type.Object(
  {
    name: Type.String({ pattern: PROFILE_NAME.source }),
    description: Type.String({ minLength: 1 }),
    processor: Type.String({ minLength: 1 }),
    target: Type.Union(
      [
        Type.Literal('native'),
        Type.Literal('cortex-m0'),
        Type.Literal('cortex-m4'),
        Type.Literal('cortex-m55'),
      ],
      { description: 'what `dunlin compile --target` makes plans for' },
    ),
    flashBytes: Type.Integer({ minimum: 1 }),
    ramBytes: Type.Integer({ minimum: 1 }),
    smp: Type.Optional(SmpProfile),
    sources: Type.Array(
      Type.Object(
        { document: Type.String({ minLength: 1 }), section: Type.String({ minLength: 1 }) },
        { additionalProperties: false },
      ),
      { minItems: 1 },
    ),
  },
  { additionalProperties: false },
);

export type BoardProfile = Static<typeof BoardProfileSchema>;
/** A board whose firmware and models go over its serial line. */
export type SmpBoard = BoardProfile & { readonly smp: Static<typeof SmpProfile> };

/** Names of the boards that there are profiles of. */
export async function boardNames(): Promise<string[]> {
  const files = await readdir(PROFILES);
  return files.flatMap((file) => (file.endsWith('.yaml') ? [file.slice(0, -5)] : [])).sort();
}

/** @throws DunlinError usage for a board without a profile; config-invalid for a wrong one */
export async function readBoard(name: string): Promise<BoardProfile> {
  const known = await boardNames();
  const text = PROFILE_NAME.test(name) ? await profileText(name) : undefined;
  if (text === undefined) {
    throw new DunlinError(`${name}: no such board; there are profiles of ${known.join(', ')}`, {
      code: 'usage',
    });
  }
  return parseConfig(BoardProfileSchema, text, `${name}.yaml`, (board) =>
    board.name === name ? [] : [{ path: '/name', message: `is not the file's, ${name}` }],
  );
}

/** @throws DunlinError usage for a board without a profile, or one that has no bootloader of MCUboot's format */
export async function readSmpBoard(name: string): Promise<SmpBoard> {
  const board = await readBoard(name);
  const { smp } = board;
  if (smp !== undefined) return { ...board, smp };
  throw new DunlinError(
    `${name}: its profile has no section smp; nothing is known of its bootloader and its serial line`,
    { code: 'usage' },
  );
}

async function profileText(name: string): Promise<string | undefined> {
  try {
    return await readFile(join(PROFILES, `${name}.yaml`), 'utf8');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}
