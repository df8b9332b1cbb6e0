import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { DunlinError, readNamedFile } from '../core/index.ts';
import type { CommandIo } from './command.ts';

const MAX_SECRET_BYTES = 4096;

export interface PassphraseOptions {
  readonly passphraseFile?: string;
}

export const PASSPHRASE_OPTION = [
  '--passphrase-file <file>',
  'passphrase of the offline keys, first line of a file (else DUNLIN_PASSPHRASE, else asked)',
] as const;

/**
 * From --passphrase-file, DUNLIN_PASSPHRASE, or asked on a terminal; a new one is asked for twice.
 * @throws `usage` when there is none, `input-invalid` when the two differ
 */
export async function readPassphrase(
  { passphraseFile }: PassphraseOptions,
  io: CommandIo,
  purpose: 'open' | 'new',
): Promise<string> {
  if (passphraseFile !== undefined) {
    const bytes = await readNamedFile(passphraseFile, MAX_SECRET_BYTES);
    return Buffer.from(bytes).toString('utf8').split(/\r?\n/)[0]!;
  }
  const fromEnvironment = io.env['DUNLIN_PASSPHRASE'];
  if (fromEnvironment !== undefined) return fromEnvironment;
  if (!io.interactive || !process.stdin.isTTY) {
    const message = 'no passphrase: name a file with --passphrase-file, or set DUNLIN_PASSPHRASE';
    throw new DunlinError(message, { code: 'usage' });
  }
  const passphrase = await askHidden('Passphrase of the offline keys: ', io);
  if (purpose === 'new' && (await askHidden('The same once more: ', io)) !== passphrase) {
    throw new DunlinError('the two passphrases differ; nothing was made', {
      code: 'input-invalid',
    });
  }
  return passphrase;
}

async function askHidden(question: string, io: CommandIo): Promise<string> {
  io.err(question);
  // Readline echoes to its output: this one shows nothing.
  const output = new Writable({ write: (_chunk, _encoding, done) => done() });
  const reader = createInterface({ input: process.stdin, output, terminal: true });
  try {
    return await reader.question('', { signal: io.signal });
  } finally {
    reader.close();
    io.err('\n');
  }
}
