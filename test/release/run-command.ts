import { fileURLToPath } from 'node:url';
import type { CommandFactory } from '../../src/cli/command.ts';

/** A file of the sample. */
export const motor = (name: string): string =>
  fileURLToPath(new URL(`../../../examples/motor/${name}`, import.meta.url));

export interface Said {
  readonly out: string;
  readonly err: string;
}

/** Runs a command as main.ts does, in this process. */
export async function run(
  factory: CommandFactory,
  args: readonly string[],
  env: Record<string, string> = { DUNLIN_PASSPHRASE: 'correct horse battery' },
): Promise<Said> {
  let [out, err] = ['', ''];
  const command = factory({
    out: (text) => {
      out += text;
    },
    err: (text) => {
      err += text;
    },
    env,
    interactive: false,
    signal: new AbortController().signal,
  });
  for (const each of [command, ...command.commands]) {
    each.exitOverride().configureOutput({
      writeOut: (text) => {
        out += text;
      },
    });
  }
  await command.parseAsync([...args], { from: 'user' }).catch((error: unknown) => {
    if ((error as { code?: string }).code !== 'commander.helpDisplayed') throw error;
  });
  return { out, err };
}
