import { randomUUID } from 'node:crypto';
import type { Command } from 'commander';
import { DunlinError, systemClock } from '../core/index.ts';
import { Link } from '../link/index.ts';
import {
  DAY_MS,
  DEFAULT_LIFETIMES,
  type Lifetimes,
  Publisher,
  type PublishProgress,
  type PublishReport,
  type Repository,
  type RootFile,
} from '../release/index.ts';
import type { CommandIo } from './command.ts';
import { commandLogger } from './command-logger.ts';
import { daysMs } from './option-values.ts';

const CONNECT_TIMEOUT_MS = 15_000;

/** Options of every command that talks to the broker as the publisher. */
export interface PublisherCommandOptions {
  readonly repo: string;
  readonly online: string;
  readonly fleet?: string;
  readonly broker: string;
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly username?: string;
  readonly passwordFile?: string;
  readonly json?: boolean;
}

export function withPublisherOptions(command: Command): Command {
  return command
    .requiredOption('--repo <dir>', 'the release repository')
    .requiredOption('--online <dir>', 'the online keys and root.json (dunlin keys init)')
    .requiredOption('--broker <url>', 'mqtt://host:1883 or mqtts://host:8883')
    .option(
      '--fleet <name>',
      'whose topics, dunlin/v1/<name>/…; needed unless the keys were made for one',
    )
    .option('--ca <file>', 'the certificate authority of an mqtts broker, PEM')
    .option('--cert <file>', 'client certificate, PEM')
    .option('--key <file>', "the client certificate's key, PEM")
    .option('--username <name>', 'user at the broker')
    .option('--password-file <file>', "the user's password, first line of a file")
    .option('--json', 'print what was done as one JSON document', false);
}

export interface FreshnessOptions {
  readonly snapshotDays: string;
  readonly timestampDays: string;
}

export function withFreshnessOptions(command: Command): Command {
  const days = (lifetimeMs: number): string => String(lifetimeMs / DAY_MS);
  return command
    .option(
      '--snapshot-days <n>',
      'how long the snapshot holds',
      days(DEFAULT_LIFETIMES.snapshotMs),
    )
    .option(
      '--timestamp-days <n>',
      'how long the timestamp holds: as long a broker can hide what is newer',
      days(DEFAULT_LIFETIMES.timestampMs),
    );
}

/** @throws `usage` */
export function freshnessLifetimes({ snapshotDays, timestampDays }: FreshnessOptions): Lifetimes {
  return {
    ...DEFAULT_LIFETIMES,
    snapshotMs: daysMs(snapshotDays, '--snapshot-days'),
    timestampMs: daysMs(timestampDays, '--timestamp-days'),
  };
}

/** The fleet that is named, or the one that the keys were made for. @throws `usage` */
export function fleetOf({ fleet }: { readonly fleet?: string }, root: RootFile): string {
  const usage = (message: string): DunlinError => new DunlinError(message, { code: 'usage' });
  if (fleet !== undefined && root.fleet !== undefined && fleet !== root.fleet) {
    throw usage(`--fleet ${fleet}: these keys were made for fleet ${root.fleet}`);
  }
  const name = fleet ?? root.fleet;
  if (name === undefined) throw usage('name the fleet with --fleet: the keys were made for none');
  return name;
}

/**
 * Connects to the broker and lets `work` publish.
 * @throws `broker-unreachable`, `broker-lost-data`
 */
export async function withPublisher(
  options: PublisherCommandOptions,
  { repository, fleet }: { readonly repository: Repository; readonly fleet: string },
  io: CommandIo,
  work: (publisher: Publisher) => Promise<PublishReport>,
): Promise<PublishReport> {
  const logger = commandLogger(io);
  const { ca, cert, key, username, passwordFile } = options;
  const link = await Link.open({
    url: options.broker,
    clientId: `dunlin-publisher-${randomUUID().slice(0, 8)}`,
    clean: true,
    ...(ca === undefined ? {} : { caFile: ca }),
    ...(cert === undefined ? {} : { certFile: cert }),
    ...(key === undefined ? {} : { keyFile: key }),
    ...(username === undefined ? {} : { username }),
    ...(passwordFile === undefined ? {} : { passwordFile }),
    clock: systemClock,
    logger,
  });
  try {
    await connected(link, options.broker, io.signal);
    const onProgress = (progress: PublishProgress): void => showProgress(progress, io);
    const { signal } = io;
    return await work(new Publisher({ link, repository, fleet, logger, signal, onProgress }));
  } finally {
    if (io.interactive) io.err('\r\x1b[K');
    await link.close();
  }
}

export function describeReport({ wanted, published, cleared }: PublishReport): string {
  const past = cleared === 0 ? '' : `, ${cleared} outdated cleared`;
  return `${published} of ${wanted} retained messages published${past}; all of them read back`;
}

async function connected(link: Link, url: string, signal: AbortSignal): Promise<void> {
  const timeout = AbortSignal.timeout(CONNECT_TIMEOUT_MS);
  try {
    await link.waitConnected(AbortSignal.any([signal, timeout]));
  } catch (cause) {
    signal.throwIfAborted();
    throw new DunlinError(
      `broker ${url}: no connection within ${CONNECT_TIMEOUT_MS / 1000} s (${link.lastProblem})`,
      { code: 'broker-unreachable', cause },
    );
  }
}

function showProgress({ what, done, total }: PublishProgress, io: CommandIo): void {
  if (io.interactive) io.err(`\r\x1b[K${what} ${done}/${total}`);
}
