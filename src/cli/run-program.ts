import { spawn } from 'node:child_process';
import { DunlinError, errnoOf } from '../core/index.ts';
import type { ProgramResult, RunProgram } from '../plan/index.ts';

/** What is asked for if a program is not there. */
const REMEDIES: readonly (readonly [ending: string, remedy: string])[] = [
  ['qemu-system-arm', 'install the Debian package qemu-system-arm'],
  ['dunlin-plan-native', 'build it with `make firmware`'],
];

/** Runs programs of this machine; they die with the command. */
export const runProgramUntil =
  (signal: AbortSignal): RunProgram =>
  (command, args, { timeoutMs, maxOutputBytes }) =>
    new Promise<ProgramResult>((resolve, reject) => {
      const child = spawn(command, args, {
        stdio: ['ignore', 'pipe', 'pipe'],
        signal,
        killSignal: 'SIGKILL',
      });
      // Not spawn's own timeout: where a program is not there Node waits it out before it ends.
      const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs);
      const parts: Buffer[] = [];
      let sizeBytes = 0;
      let stderr = '';
      child.stdout.on('data', (part: Buffer) => {
        sizeBytes += part.length;
        if (sizeBytes > maxOutputBytes) child.kill('SIGKILL');
        else parts.push(part);
      });
      child.stderr.setEncoding('utf8').on('data', (text: string) => {
        if (stderr.length < maxOutputBytes) stderr += text;
      });
      child.on('error', (cause) => {
        clearTimeout(timer);
        reject(startFailure(command, cause));
      });
      child.on('close', (status) => {
        clearTimeout(timer);
        resolve({ status, stdout: Buffer.concat(parts), stderr });
      });
    });

function startFailure(command: string, cause: Error): Error {
  if (errnoOf(cause) !== 'ENOENT') return cause;
  const [, remedy] = REMEDIES.find(([ending]) => command.endsWith(ending)) ?? ['', 'install it'];
  return new DunlinError(`${command}: not there; ${remedy}`, { code: 'file-unreadable', cause });
}
