import { Command } from 'commander';
import { systemClock } from '../core/index.ts';
import {
  DAY_MS,
  DEFAULT_LIFETIMES,
  listReleases,
  loadOfflineKey,
  loadOnlineKeys,
  loadRoot,
  parseReleaseName,
  Repository,
  renewAssignments,
  signFreshness,
  signRelease,
  withRepositoryLock,
} from '../release/index.ts';
import type { CommandFactory, CommandIo } from './command.ts';
import { daysMs } from './option-values.ts';
import { PASSPHRASE_OPTION, type PassphraseOptions, readPassphrase } from './passphrase.ts';
import {
  describeReport,
  type FreshnessOptions,
  fleetOf,
  freshnessLifetimes,
  type PublisherCommandOptions,
  withFreshnessOptions,
  withPublisher,
  withPublisherOptions,
} from './publisher-options.ts';
import { releaseBuildCommand } from './release-build.ts';

/** Within so many days of its end, a role that needs the offline keys is mentioned. */
const WARN_DAYS = 14;

const PUBLISH_HELP = `
Signs the release with the offline targets key, publishes its chunks, then the metadata, all as retained messages, and
reads everything back. Interrupted, or when the broker lost something: run it again. For a release that is signed
already it signs the targets anew when half of their time has passed.

Examples:
  dunlin release publish motor/1 --repo repo --offline /media/usb/keys --online keys \\
    --broker mqtts://broker:8883 --ca ca.pem --username publisher --password-file password.txt
  DUNLIN_PASSPHRASE=… dunlin release publish motor/1 --repo repo --offline … --online … --broker mqtt://localhost`;

const REFRESH_HELP = `
Signs snapshot and timestamp anew, renews assignments that are past half of their time, reads every retained message
of the repository back, publishes again what the broker lost, and clears what no release needs. Without it devices
take no updates once the timestamp has expired: run it from a timer, several times within --timestamp-days.

Example:
  dunlin release refresh --repo repo --online keys --broker mqtts://broker:8883 --ca ca.pem --json`;

const LIST_HELP = `
Examples:
  dunlin release list --repo repo
  dunlin release list --repo repo --json`;

/** `dunlin release`: build, publish, refresh and list. */
export const releaseCommand: CommandFactory = (io) =>
  new Command('release')
    .description('build, publish, refresh and list releases')
    .addCommand(releaseBuildCommand(io))
    .addCommand(publishCommand(io))
    .addCommand(refreshCommand(io))
    .addCommand(listCommand(io));

interface PublishCommandOptions
  extends PublisherCommandOptions,
    PassphraseOptions,
    FreshnessOptions {
  readonly offline: string;
  readonly targetsDays: string;
}

function publishCommand(io: CommandIo): Command {
  const command = new Command('publish')
    .description('sign a release and publish it')
    .argument('<release>', 'model/version')
    .requiredOption('--offline <dir>', 'the offline keys')
    .option(...PASSPHRASE_OPTION)
    .option(
      '--targets-days <n>',
      'how long the signed list of releases holds',
      String(DEFAULT_LIFETIMES.targetsMs / DAY_MS),
    );
  return withFreshnessOptions(withPublisherOptions(command))
    .addHelpText('after', PUBLISH_HELP)
    .action((release: string, options: PublishCommandOptions) => publish(io, release, options));
}

async function publish(
  io: CommandIo,
  release: string,
  options: PublishCommandOptions,
): Promise<void> {
  const { model, version } = parseReleaseName(release);
  const targetsMs = daysMs(options.targetsDays, '--targets-days');
  const lifetimes = { ...freshnessLifetimes(options), targetsMs };
  const repository = new Repository(options.repo);
  await repository.readRelease(model, version);
  const root = await loadRoot(options.online);
  const fleet = fleetOf(options, root);
  const online = await loadOnlineKeys(options.online);
  const passphrase = await readPassphrase(options, io, 'open');
  const targetsKey = await loadOfflineKey(options.offline, 'targets', passphrase);
  const guard = { clock: systemClock, signal: io.signal };
  await withRepositoryLock(options.repo, guard, async () => {
    const signing = { root, targetsKey, online, nowMs: systemClock.nowMs(), lifetimes };
    await signRelease(repository, model, version, signing);
    const report = await withPublisher(options, { repository, fleet }, io, (publisher) =>
      publisher.publishRelease(model, version),
    );
    const expires = await repository.metadata.expiries();
    if (options.json) io.out(`${JSON.stringify({ release, ...report, expires })}\n`);
    else io.out(`${release}: ${describeReport(report)}\n`);
    warnOfExpiry(io, expires);
  });
}

function refreshCommand(io: CommandIo): Command {
  const command = new Command('refresh').description(
    'sign freshness anew, put back what the broker lost',
  );
  return withFreshnessOptions(withPublisherOptions(command))
    .addHelpText('after', REFRESH_HELP)
    .action((options: PublisherCommandOptions & FreshnessOptions) => refresh(io, options));
}

async function refresh(
  io: CommandIo,
  options: PublisherCommandOptions & FreshnessOptions,
): Promise<void> {
  const lifetimes = freshnessLifetimes(options);
  const repository = new Repository(options.repo);
  const root = await loadRoot(options.online);
  const fleet = fleetOf(options, root);
  const online = await loadOnlineKeys(options.online);
  const guard = { clock: systemClock, signal: io.signal };
  await withRepositoryLock(options.repo, guard, async () => {
    const nowMs = systemClock.nowMs();
    await signFreshness(repository, { root, online, nowMs, lifetimes });
    const renewedAssignments = await renewAssignments({ repository, online, nowMs });
    const report = await withPublisher(options, { repository, fleet }, io, (publisher) =>
      publisher.mend(),
    );
    const expires = await repository.metadata.expiries();
    if (options.json) io.out(`${JSON.stringify({ renewedAssignments, ...report, expires })}\n`);
    else io.out(`${describeReport(report)}; ${renewedAssignments} assignments renewed\n`);
    warnOfExpiry(io, expires);
  });
}

/** A refresh cannot renew what the offline keys sign: somebody has to fetch them from the drawer. */
function warnOfExpiry(io: CommandIo, expires: Readonly<Record<string, string>>): void {
  const advice: Record<string, string> = {
    targets: 'publish any release to sign the targets anew',
    root: 'devices need a new root.json then',
  };
  for (const [role, what] of Object.entries(advice)) {
    const date = expires[role];
    if (date === undefined) continue;
    const days = Math.floor((Date.parse(date) - systemClock.nowMs()) / DAY_MS);
    if (days < WARN_DAYS) io.err(`warning: ${role} expires in ${days} days, at ${date}: ${what}\n`);
  }
}

function listCommand(io: CommandIo): Command {
  return new Command('list')
    .description('releases of a repository')
    .requiredOption('--repo <dir>', 'the release repository')
    .option('--json', 'print one JSON document', false)
    .addHelpText('after', LIST_HELP)
    .action((options: { repo: string; json: boolean }) => list(io, options));
}

async function list(io: CommandIo, { repo, json }: { repo: string; json: boolean }): Promise<void> {
  const releases = await listReleases(new Repository(repo));
  if (json) {
    io.out(`${JSON.stringify({ releases })}\n`);
    return;
  }
  if (releases.length === 0) io.out(`${repo}: no releases; see: dunlin release build --help\n`);
  for (const { release, createdAt, signed, assignedTo, encodedBytes, chunkCount } of releases) {
    const state = signed ? 'signed' : 'built ';
    const size = `${encodedBytes} bytes in ${chunkCount} chunks`;
    const subjects = assignedTo.length === 0 ? '' : `  ${assignedTo.join(', ')}`;
    io.out(`${release.padEnd(24)} ${state}  ${createdAt.slice(0, 19)}Z  ${size}${subjects}\n`);
  }
}
