import { DunlinError, type Files } from '../../core/index.ts';

/** Where udev names serial devices by what they are, so that a name outlives a replugging. */
export const SERIAL_BY_ID_DIR = '/dev/serial/by-id';
const MAX_SHOWN = 8;

/** Names of the serial devices that are plugged in and have one, sorted. */
export async function listSerialIds(files: Files): Promise<readonly string[]> {
  return await files.list(SERIAL_BY_ID_DIR);
}

/**
 * The path to open for a name in a configuration: a path as it is, else the name in /dev/serial/by-id, or the
 * only one that contains it. Ask again after a device was unplugged.
 * @throws `mcu-unreachable` (none), `input-invalid` (several)
 */
export async function resolveSerialPath(files: Files, id: string): Promise<string> {
  if (id.startsWith('/')) return id;
  const names = await listSerialIds(files);
  const found = names.includes(id) ? [id] : names.filter((name) => name.includes(id));
  const [name, another] = found;
  if (name === undefined) {
    const shown = names.slice(0, MAX_SHOWN).join(', ');
    throw new DunlinError(
      `${id}: no such serial device${shown === '' ? ', none is plugged in' : `; there are: ${shown}`}`,
      { code: 'mcu-unreachable' },
    );
  }
  if (another !== undefined) {
    throw new DunlinError(
      `${id}: several serial devices have it in their name: ${found.join(', ')}`,
      {
        code: 'input-invalid',
      },
    );
  }
  return `${SERIAL_BY_ID_DIR}/${name}`;
}
