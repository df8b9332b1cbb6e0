import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ExecutionContext } from 'ava';
import { mcuCommand } from '../../src/cli/mcu/mcu.ts';
import { ERROR_EXIT_STATUS, type ErrorCode, errorCode } from '../../src/core/index.ts';
import { openPtyDevice, type PtyDevice } from '../fakes/pty-device.ts';
import type { SmpDeviceOptions } from '../fakes/smp-upload.ts';
import { KEY } from '../mcu/device.ts';
import { run } from '../release/run-command.ts';

const MAIN = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));
const TEST_MS = 120_000;

export interface Ended {
  readonly status: number | null;
  readonly out: string;
  readonly err: string;
}

export interface Command {
  readonly ended: Promise<Ended>;
  kill(signal: NodeJS.Signals): void;
  /** Resolves when standard output or error has it. */
  says(pattern: RegExp): Promise<void>;
}

export type McuBench = CommandBench & PtyDevice;

/** The command line as a process, with a folder and a state directory of its own. */
export interface CommandBench {
  /** A file in a folder of this test. */
  readonly path_: (name: string) => string;
  readonly keyPath: string;
  start(...args: readonly string[]): Command;
  /** `dunlin mcu …` to its end. */
  mcu(...args: readonly string[]): Promise<Ended>;
  /** The same, and what it printed as JSON. */
  json(...args: readonly string[]): Promise<ReturnType<typeof JSON.parse>>;
  refused(code: ErrorCode, says: RegExp, ...args: readonly string[]): Promise<void>;
  /** The same in this process, for what is wrong before a line is opened. */
  refusedEarly(code: ErrorCode, says: RegExp, ...args: readonly string[]): Promise<void>;
}

/** With a fake device behind a pty, which trusts the key of `keyPath`. */
export async function mcuBench(
  t: ExecutionContext,
  options: SmpDeviceOptions = {},
): Promise<McuBench> {
  const device = await openPtyDevice({ keys: [KEY.publicKey], ...options });
  t.teardown(() => device.close());
  return Object.assign(device, await commandBench(t));
}

export async function commandBench(t: ExecutionContext): Promise<CommandBench> {
  t.timeout(TEST_MS);
  const folder = await mkdtemp(join(tmpdir(), 'dunlin-mcu-test-'));
  t.teardown(() => rm(folder, { recursive: true }));
  const path_ = (name: string): string => join(folder, name);
  const keyPath = path_('key.pem');
  await writeFile(keyPath, KEY.privateKey.export({ format: 'pem', type: 'pkcs8' }));
  const env = { ...process.env, XDG_STATE_HOME: path_('state') };
  const start = (...args: readonly string[]): Command => startCommand(['mcu', ...args], env);
  const mcu = (...args: readonly string[]): Promise<Ended> => start(...args).ended;
  const json = async (...args: readonly string[]) => {
    const { status, out, err } = await mcu(...args, '--json');
    t.is(status, 0, err);
    return JSON.parse(out);
  };
  const refused = async (code: ErrorCode, says: RegExp, ...args: readonly string[]) => {
    const { status, out, err } = await mcu(...args);
    t.is(status, ERROR_EXIT_STATUS[code], err);
    t.is(out, '');
    const line =
      err
        .trim()
        .split('\n')
        .find((text) => text.startsWith('dunlin: ')) ?? '';
    t.true(line.endsWith(`[${code}]`), err);
    t.regex(line, says);
  };
  const refusedEarly = async (code: ErrorCode, says: RegExp, ...args: readonly string[]) => {
    const error = await t.throwsAsync(run(mcuCommand, args));
    t.is(errorCode(error), code, error.message);
    t.regex(error.message, says);
  };
  return { path_, keyPath, start, mcu, json, refused, refusedEarly };
}

function startCommand(args: readonly string[], env: NodeJS.ProcessEnv): Command {
  const child = spawn(process.execPath, [MAIN, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env,
  });
  let [out, err] = ['', ''];
  let onText = (): void => {};
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text;
    onText();
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    err += text;
    onText();
  });
  const ended = once(child, 'close').then(() => {
    const signal = child.signalCode === null ? '' : `ended by ${child.signalCode}\n`;
    return { status: child.exitCode, out, err: `${err}${signal}` };
  });
  return {
    ended,
    kill: (signal) => child.kill(signal),
    says: (pattern) =>
      new Promise((resolve, reject) => {
        onText = () => {
          if (pattern.test(out) || pattern.test(err)) resolve();
        };
        onText();
        void ended.then(() => reject(new Error(`ended without ${pattern}: ${out}${err}`)));
      }),
  };
}
