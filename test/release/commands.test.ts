import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { assignCommand } from '../../src/cli/assign.ts';
import type { CommandFactory } from '../../src/cli/command.ts';
import { keysCommand } from '../../src/cli/keys.ts';
import { releaseCommand } from '../../src/cli/release.ts';
import { errorCode, nodeFiles, silentLogger, systemClock } from '../../src/core/index.ts';
import { fleetTopics } from '../../src/link/index.ts';
import { Repository, withRepositoryLock } from '../../src/release/index.ts';
import {
  AssignmentFloors,
  openAssignment,
  type ReleaseDocument,
  TrustStore,
} from '../../src/update/index.ts';
import { FakeBroker } from '../fakes/broker.ts';
import { motor, run, type Said } from './run-command.ts';

async function setUp(t: ExecutionContext) {
  const dir = await mkdtemp(join(tmpdir(), 'dunlin-release-'));
  const broker = await FakeBroker.start();
  t.teardown(async () => {
    await broker.stop();
    await rm(dir, { recursive: true });
  });
  const path = (name: string): string => join(dir, name);
  const repo = ['--repo', path('repo')];
  const keys = ['--offline', path('off'), '--online', path('on')];
  const publisher = [...repo, '--online', path('on'), '--broker', broker.url];
  const build = (version: string, ...more: string[]): Promise<Said> =>
    run(releaseCommand, [
      ...['build', ...repo, '--model', 'motor', '--version', version],
      ...['--cpu', motor('v1/int8.tflite'), '--golden-inputs', motor('golden-inputs.npy')],
      ...['--labels', motor('labels.json'), '--chunk-bytes', '4096', ...more],
    ]);
  return { dir, broker, path, repo, keys, publisher, build };
}

test('from keys to a device that trusts the release and its assignment', async (t) => {
  const { broker, path, repo, keys, publisher, build } = await setUp(t);
  const made = await run(keysCommand, ['init', ...keys, '--fleet', 'plant', '--json']);
  t.like(JSON.parse(made.out), {
    rootFile: path('on/root.json'),
    mcuPublicKeyFile: path('on/mcu.pub.pem'),
  });
  const built = await build('1', '--metric', 'accuracy=0.97', '--json');
  const document: ReleaseDocument = JSON.parse(built.out);
  t.deepEqual(document.metrics, { accuracy: 0.97 });
  const offline = ['--offline', path('off')];
  const published = await run(releaseCommand, [
    'publish',
    'motor/1',
    ...publisher,
    ...offline,
    '--json',
  ]);
  t.like(JSON.parse(published.out), { release: 'motor/1', cleared: 0 });
  const assigned = await run(assignCommand, ['motor/1', '--group', 'presses', ...publisher]);
  t.regex(assigned.out, /group presses: motor\/1 \(sequence 1/);
  const refreshed = await run(releaseCommand, ['refresh', ...publisher, '--json']);
  t.like(JSON.parse(refreshed.out), { renewedAssignments: 0 });
  const listed = await run(releaseCommand, ['list', ...repo, '--json']);
  t.like(JSON.parse(listed.out).releases[0], {
    release: 'motor/1',
    signed: true,
    assignedTo: ['group/presses'],
  });
  t.regex((await run(releaseCommand, ['list', ...repo])).out, /^motor\/1 +signed/);

  const topics = fleetTopics('plant');
  const store = await TrustStore.open({
    files: nodeFiles,
    dir: path('device'),
    initialRoot: await readFile(path('on/root.json')),
    fetchMetadata: async (name) => broker.retained.get(topics.tuf(name))?.payload,
    clock: systemClock,
    logger: silentLogger,
  });
  const trusted = await store.refresh(new AbortController().signal);
  const subject = { kind: 'group', name: 'presses' } as const;
  const floors = await AssignmentFloors.open(nodeFiles, path('device'));
  const assignment = await openAssignment(
    broker.retained.get(topics.assignment(subject))!.payload,
    trusted,
    { fleet: 'plant', subject, floors, nowMs: store.nowMs },
  );
  const target = trusted.releaseTarget('motor', '1');
  t.is(assignment.targets[0]?.releaseSha256, target?.sha256);
  for (const chunk of [...target!.chunks, ...document.artifacts['cpu.tflite']!.chunks]) {
    t.is(broker.retained.get(topics.chunk(chunk.sha256))?.payload.byteLength, chunk.lengthBytes);
  }

  const again = await run(assignCommand, ['--none', '--group', 'presses', ...publisher, '--json']);
  t.like(JSON.parse(again.out).assignment, { sequence: 2, targets: [] });
});

test('mistakes have their codes, and change nothing', async (t) => {
  const { path, keys, publisher, build, repo } = await setUp(t);
  const refused = async (factory: CommandFactory, ...args: string[]): Promise<string | undefined> =>
    errorCode(await t.throwsAsync(run(factory, args)));
  await run(keysCommand, ['init', ...keys]);
  t.is(await refused(keysCommand, 'init', ...keys), 'input-invalid', 'keys are there');
  t.is(await refused(keysCommand, 'add-mcu', ...keys), 'input-invalid', 'so is this one');
  await rm(path('on/mcu.pub.pem'));
  t.regex((await run(keysCommand, ['add-mcu', ...keys])).out, /trust .*on\/mcu\.pub\.pem\n$/);
  const noPassphrase = run(
    keysCommand,
    ['init', '--offline', path('a'), '--online', path('b')],
    {},
  );
  t.is(errorCode(await t.throwsAsync(noPassphrase)), 'usage');
  await build('1');
  t.is(errorCode(await t.throwsAsync(build('1'))), 'release-exists');
  for (const [option, value, code] of [
    ['--metric', 'accuracy', 'usage'],
    ['--metric', '=1', 'usage'],
    ['--chunk-bytes', '10', 'input-invalid'],
    ['--chunk-bytes', 'many', 'usage'],
    ['--latency-budget-us', '0', 'usage'],
    ['--labels', 'a,b', 'input-invalid'],
    ['--labels', path('nothing'), 'file-missing'],
    ['--cpu', path('nothing'), 'file-missing'],
    ['--model', 'Motor', 'input-invalid'],
  ] as const) {
    t.is(errorCode(await t.throwsAsync(build('2', option, value))), code, `${option} ${value}`);
  }
  const publish = (...more: string[]): Promise<string | undefined> =>
    refused(releaseCommand, 'publish', 'motor/1', ...publisher, '--offline', path('off'), ...more);
  t.is(await publish(), 'usage', 'the fleet is not known');
  await writeFile(path('wrong'), 'not the passphrase\n');
  t.is(await publish('--fleet', 'plant', '--passphrase-file', path('wrong')), 'wrong-passphrase');
  t.is(await publish('--fleet', 'plant', '--timestamp-days', '0'), 'usage');
  t.is(await publish('--fleet', 'pl/ant'), 'input-invalid');
  t.is(await refused(releaseCommand, 'refresh', ...publisher), 'usage', 'the fleet is not known');
  const assign = (...more: string[]): Promise<string | undefined> =>
    refused(assignCommand, ...publisher, '--fleet', 'plant', ...more);
  t.is(await assign('motor/1'), 'usage', 'nobody is named');
  t.is(await assign('--device', 'p'), 'usage', 'nothing is named');
  t.is(await assign('--device', 'p', '--none', 'motor/1'), 'usage');
  t.is(await assign('--device', 'p', 'motor/2'), 'release-missing');
  const listed = JSON.parse((await run(releaseCommand, ['list', ...repo, '--json'])).out);
  t.deepEqual(listed.releases.length, 1);
});

test('help teaches with examples', async (t) => {
  const commands: [CommandFactory, string[]][] = [
    [keysCommand, ['init']],
    [keysCommand, ['add-mcu']],
    [assignCommand, []],
    ...['build', 'publish', 'refresh', 'list'].map(
      (name) => [releaseCommand, [name]] as [CommandFactory, string[]],
    ),
  ];
  for (const [factory, args] of commands) {
    const { out } = await run(factory, [...args, '--help']);
    t.regex(out, /Examples?:\n {2}dunlin /, args.join());
  }
});

test('one process at a time changes a repository, and a dead one is not waited for', async (t) => {
  const { path } = await setUp(t);
  const guard = { clock: systemClock, signal: new AbortController().signal };
  const order: string[] = [];
  const work = (name: string) => () =>
    withRepositoryLock(path('repo'), guard, async () => {
      order.push(`${name} in`);
      await new Repository(path('repo')).releases();
      order.push(`${name} out`);
    });
  await Promise.all([work('a')(), work('b')()]);
  t.true(['a in,a out,b in,b out', 'b in,b out,a in,a out'].includes(order.join()));
  const NO_PROCESS = 2 ** 22 + 1;
  await writeFile(path('repo/lock'), `${NO_PROCESS}\n`);
  await work('c')();
  t.is(order.at(-1), 'c out');
  await writeFile(path('repo/lock'), `${process.pid}\n`);
  const impatient = { ...systemClock, sleep: async () => {} };
  const held = withRepositoryLock(path('repo'), { ...guard, clock: impatient }, async () => {});
  const error = await t.throwsAsync(held);
  t.is(errorCode(error), 'input-invalid');
  t.regex(error.message, new RegExp(`in use by process ${process.pid}`));
});
