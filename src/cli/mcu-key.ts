import type { KeyObject } from 'node:crypto';
import type { CommandIo } from './command.ts';
import { type PassphraseOptions, readPassphrase } from './passphrase.ts';

/** What an option that names the key says about it. */
export const MCU_KEY_HELP =
  'key that microcontrollers trust: mcu.key.json (dunlin keys init), or an Ed25519 PEM of imgtool';

/** @throws `file-missing`, `wrong-passphrase`, `input-invalid`, `usage` when there is no passphrase */
export async function readMcuKey(
  path: string,
  options: PassphraseOptions,
  io: CommandIo,
): Promise<KeyObject> {
  // Not before a key is named: most commands need none, and all of TUF comes along.
  const { loadMcuKey } = await import('../release/index.ts');
  return (await loadMcuKey(path, () => readPassphrase(options, io, 'open'))).privateKey;
}
