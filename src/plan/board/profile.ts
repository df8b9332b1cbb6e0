import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DunlinError, errnoOf, parseConfig, type Static, Type } from '../../core/index.ts';

const PROFILES = fileURLToPath(new URL('../../../../devices/boards', import.meta.url));
const PROFILE_NAME = /^[a-z0-9][a-z0-9-]{0,62}$/;

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

async function profileText(name: string): Promise<string | undefined> {
  try {
    return await readFile(join(PROFILES, `${name}.yaml`), 'utf8');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}
