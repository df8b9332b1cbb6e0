import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { nodeFiles, sha256Hex } from '../../core/index.ts';
import type { CommandIo } from '../command.ts';
import { stableName } from './connection.ts';

const MAX_NAME_CHARACTERS = 100;
const DIGEST_CHARACTERS = 12;

/**
 * Where a device's flash jobs are written down: $XDG_STATE_HOME/dunlin/mcu/<device>, so that a job that was cut off
 * can be resumed by whoever runs the command next. XDG Base Directory Specification: relative paths are ignored.
 */
export async function journalDirectory({ env }: CommandIo, port: string): Promise<string> {
  const named = env['XDG_STATE_HOME'];
  const home = env['HOME'] ?? homedir();
  const base = named !== undefined && isAbsolute(named) ? named : join(home, '.local/state');
  const directory = join(base, 'dunlin/mcu');
  await nodeFiles.makeDirectory(directory);
  return join(directory, fileNameOf(await stableName(port)));
}

/** Readable, and another for every name. */
function fileNameOf(name: string): string {
  const readable = name.replace(/[^A-Za-z0-9._-]+/g, '_').slice(-MAX_NAME_CHARACTERS);
  return `${readable}-${sha256Hex(name).slice(0, DIGEST_CHARACTERS)}`;
}
