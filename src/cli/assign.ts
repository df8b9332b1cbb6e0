import { Command, Option } from 'commander';
import { DunlinError, systemClock } from '../core/index.ts';
import {
  DAY_MS,
  DEFAULT_LIFETIMES,
  loadOnlineKeys,
  loadRoot,
  Repository,
  signAssignment,
  withRepositoryLock,
} from '../release/index.ts';
import type { AssignmentSubject } from '../update/index.ts';
import type { CommandFactory, CommandIo } from './command.ts';
import { daysMs } from './option-values.ts';
import {
  describeReport,
  fleetOf,
  type PublisherCommandOptions,
  withPublisher,
  withPublisherOptions,
} from './publisher-options.ts';

const HELP = `
The releases that are named are all that the device or group is to run by this assignment: a later one replaces it.
A device's own assignment outranks its groups', model by model. Releases have to be published before.

Examples:
  dunlin assign --group presses motor/2 --repo repo --online keys --broker mqtts://broker:8883 --ca ca.pem
  dunlin assign --device press-7 motor/1 --repo repo …     one device back to version 1
  dunlin assign --device press-7 --none --repo repo …      press-7 follows its groups again`;

interface AssignCommandOptions extends PublisherCommandOptions {
  readonly device?: string;
  readonly group?: string;
  readonly none: boolean;
  readonly expiresDays: string;
}

/** `dunlin assign`: what a device or a group should run. */
export const assignCommand: CommandFactory = (io) =>
  withPublisherOptions(
    new Command('assign')
      .description('say what a device or a group should run')
      .argument('[releases...]', 'releases as model/version')
      .addOption(new Option('--device <name>', 'one device').conflicts('group'))
      .addOption(new Option('--group <name>', 'every device of a group'))
      .option('--none', 'take the assignment back', false)
      .option(
        '--expires-days <n>',
        'how long it holds unless "release refresh" renews it',
        String(DEFAULT_LIFETIMES.assignmentMs / DAY_MS),
      ),
  )
    .addHelpText('after', HELP)
    .action((releases: string[], options: AssignCommandOptions) => assign(io, releases, options));

async function assign(
  io: CommandIo,
  releases: readonly string[],
  options: AssignCommandOptions,
): Promise<void> {
  const subject = subjectOf(options);
  if ((releases.length === 0) !== options.none) {
    throw new DunlinError('name releases as model/version, or --none', { code: 'usage' });
  }
  const lifetimeMs = daysMs(options.expiresDays, '--expires-days');
  const fleet = fleetOf(options, await loadRoot(options.online));
  const repository = new Repository(options.repo);
  const online = await loadOnlineKeys(options.online);
  const guard = { clock: systemClock, signal: io.signal };
  await withRepositoryLock(options.repo, guard, async () => {
    const nowMs = systemClock.nowMs();
    const assignment = await signAssignment({
      ...{ repository, online, fleet, subject, releases, nowMs, lifetimeMs },
    });
    const report = await withPublisher(options, { repository, fleet }, io, (publisher) =>
      publisher.publishAssignment(subject),
    );
    if (options.json) {
      io.out(`${JSON.stringify({ assignment, ...report })}\n`);
      return;
    }
    const { sequence, expires, targets } = assignment;
    const runs = targets.map(({ model, version }) => `${model}/${version}`).join(', ') || 'nothing';
    io.out(`${subject.kind} ${subject.name}: ${runs} (sequence ${sequence}, until ${expires})\n`);
    io.out(`${describeReport(report)}\n`);
  });
}

function subjectOf({ device, group }: AssignCommandOptions): AssignmentSubject {
  if (device !== undefined) return { kind: 'device', name: device };
  if (group !== undefined) return { kind: 'group', name: group };
  throw new DunlinError('name whom: --device or --group', { code: 'usage' });
}
