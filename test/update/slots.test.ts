import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import {
  type ErrorCode,
  errorCode,
  type Files,
  nodeFiles,
  sha256Hex,
  silentLogger,
  systemClock,
} from '../../src/core/index.ts';
import {
  type Candidate,
  cutIntoArtifact,
  DEFAULT_PROBATION,
  MAX_PLAN_ROUNDS,
  planSlots,
  Slots,
} from '../../src/update/index.ts';
import { CrashFiles, PowerCut, SURVIVALS } from '../fakes/crash-files.ts';

const MODEL = 'motor';
const probation = { ...DEFAULT_PROBATION, goodInferences: 3 };

/** A release as it would be fetched; the version makes its bytes. */
function candidate(version: string): Candidate {
  const artifacts = new Map<string, Uint8Array>([
    ['cpu.tflite', Buffer.from(`model ${version} `.repeat(20))],
    ['golden.npz', Buffer.from(`golden ${version}`)],
  ]);
  const cut = (bytes: Uint8Array) =>
    cutIntoArtifact(bytes, { chunkBytes: 1024, encoding: 'identity' }).artifact;
  const document = Buffer.from(
    JSON.stringify({
      type: 'dunlin-release',
      formatVersion: 1,
      model: MODEL,
      version,
      createdAt: '2026-01-01T00:00:00Z',
      task: { kind: 'classification', labels: ['a', 'b'] },
      input: { type: 'int8', shape: [1, 4] },
      output: { type: 'int8', shape: [1, 2] },
      metrics: {},
      provenance: {},
      golden: {
        count: 1,
        on: 'output',
        paths: { stock: { toleranceAbs: 0 } },
        latencyBudgetUs: 1000,
      },
      artifacts: Object.fromEntries([...artifacts].map(([name, bytes]) => [name, cut(bytes)])),
    }),
  );
  return { document, releaseSha256: sha256Hex(document), artifacts };
}

const RELEASES = new Map(['1', '2', '3', 'bad'].map((version) => [version, candidate(version)]));
const sha = (version: string): string => RELEASES.get(version)!.releaseSha256;

async function open(files: Files): Promise<Slots> {
  const [clock, logger] = [systemClock, silentLogger];
  return await Slots.open({ files, dir: '/slots', model: MODEL, probation, clock, logger });
}

/** What an agent does: plan, carry out, plan again. The gate refuses release `bad`. */
async function reach(slots: Slots, version: string): Promise<void> {
  const target = { releaseSha256: sha(version), version };
  let gate: { releaseSha256: string; verdict: 'passed' | 'golden-mismatch' } | undefined;
  for (let round = 0; ; round++) {
    const facts = { stored: slots.stored, ...(gate === undefined ? {} : { gate }) };
    const steps = planSlots(slots.state, target, facts);
    if (steps.length === 0) return;
    if (round > MAX_PLAN_ROUNDS) throw new Error('the plan does not end');
    for (const step of steps) {
      if (step.kind === 'install') await slots.install(RELEASES.get(step.target.version)!);
      else if (step.kind === 'gate') {
        const { releaseSha256 } = step;
        const verdict = releaseSha256 === sha('bad') ? 'golden-mismatch' : 'passed';
        gate = { releaseSha256, verdict };
      } else await slots.carryOut(step);
    }
  }
}

async function run(slots: Slots, version: string): Promise<void> {
  await reach(slots, version);
  for (let index = 0; index < probation.goodInferences; index++) await slots.countInference(true);
}

async function newDisk(): Promise<CrashFiles> {
  return new CrashFiles();
}

async function running(...versions: string[]): Promise<CrashFiles> {
  const files = await newDisk();
  for (const version of versions) await run(await open(files), version);
  return files.reopen('lost');
}

test('a first release is installed, gated, activated and committed by good inferences', async (t) => {
  const files = await newDisk();
  const slots = await open(files);
  t.is(slots.state.active, null);
  t.is(errorCode(await t.throwsAsync(slots.read('active'))), 'release-missing');
  await reach(slots, '1');
  t.is(slots.state.active?.phase, 'probation');
  const verdicts = [];
  for (let index = 0; index < 4; index++) verdicts.push(await slots.countInference(true));
  t.deepEqual(verdicts, ['go-on', 'go-on', 'commit', 'go-on']);
  const { active, previous, candidate: staged } = (await open(files.reopen('lost'))).state;
  t.is(active?.version, '1');
  t.is(active?.phase, 'committed');
  t.is(previous, null);
  t.is(staged, null);
  const stored = await slots.read('active');
  const bytes = stored.artifacts.get('cpu.tflite')!;
  t.is(Buffer.compare(bytes, RELEASES.get('1')!.artifacts.get('cpu.tflite')!), 0);
});

test('keeps active and previous, and prunes the rest', async (t) => {
  const files = await running('1', '2', '3');
  const slots = await open(files);
  await reach(slots, '3');
  t.is(slots.state.active?.version, '3');
  t.is(slots.state.previous?.version, '2');
  t.deepEqual(await files.list(`/slots/${MODEL}/releases`), [sha('2'), sha('3')].sort());
});

test('bad inferences on probation bring the previous release back, and the new one is refused', async (t) => {
  const files = await running('1');
  const slots = await open(files);
  await reach(slots, '2');
  const verdicts = [];
  for (let index = 0; index <= probation.maxBadInferences; index++) {
    verdicts.push(await slots.countInference(false));
  }
  t.is(verdicts.at(-1), 'rollback');
  t.deepEqual(verdicts.slice(0, -1), Array(probation.maxBadInferences).fill('go-on'));
  t.is(slots.state.active?.version, '1');
  t.is(slots.state.refused?.reason, 'probation-failed');
  await reach(slots, '2');
  t.is(slots.state.active?.version, '1', 'not tried again');
  await reach(slots, '3');
  await reach(slots, '2');
  t.is(slots.state.active?.version, '2', 'tried again after the assignment had changed');
});

test('an agent that crashes again and again on a new release is given the previous one back', async (t) => {
  const files = await running('1');
  await reach(await open(files), '2');
  for (let start = 1; start <= probation.maxStarts; start++) {
    t.is((await open(files.reopen('lost'))).state.active?.version, '2');
    const survivor = await open(files);
    t.is(survivor.state.active?.starts, start);
  }
  const { active, refused } = (await open(files)).state;
  t.is(active?.version, '1');
  t.is(refused?.version, '2');
  t.is(refused?.reason, 'probation-failed');
});

test('files that rot: active falls back to previous, both rotten to none, and both can be installed again', async (t) => {
  const file = (version: string, name: string) =>
    `/slots/${MODEL}/releases/${sha(version)}/${name}`;
  const files = await running('1', '2');
  files.rot(file('2', 'cpu.tflite'));
  const slots = await open(files);
  t.is(slots.state.active?.version, '1');
  t.deepEqual(slots.state.damaged, {
    releaseSha256: sha('2'),
    version: '2',
    reason: 'digest-mismatch',
  });
  await run(slots, '2');
  t.is((await open(files.reopen('lost'))).state.active?.version, '2');
  files.rot(file('2', 'golden.npz'));
  files.rot(file('1', 'release.json'));
  const none = await open(files);
  t.is(none.state.active, null);
  t.is(none.state.previous, null);
  await run(none, '2');
  t.is((await none.read('active')).release.version, '2');
});

test('a rotten previous release is not rolled back to', async (t) => {
  const files = await running('1', '2');
  const slots = await open(files);
  files.rot(`/slots/${MODEL}/releases/${sha('1')}/cpu.tflite`);
  await slots.rollback('golden-mismatch');
  t.is(slots.state.active, null);
  t.is(slots.state.refused?.reason, 'golden-mismatch');
});

test('a state file that rotted costs the model, not the agent', async (t) => {
  const files = await running('1');
  files.rot(`/slots/${MODEL}/state.json`);
  const slots = await open(files);
  t.is(slots.state.active, null);
  await run(slots, '1');
  t.is(slots.state.active?.version, '1');
});

test('what is not what was signed is not installed', async (t) => {
  const good = RELEASES.get('1')!;
  const other = new Map([['cpu.tflite', Buffer.from('other')]]);
  const unknown = new Map([['firmware.bin', Buffer.from('x')]]);
  const rubbish = Buffer.from('{}');
  const cases: [Candidate, ErrorCode][] = [
    [{ ...good, artifacts: other }, 'digest-mismatch'],
    [{ ...good, releaseSha256: sha('2') }, 'digest-mismatch'],
    [{ ...good, artifacts: unknown }, 'release-missing'],
    [{ ...good, document: rubbish, releaseSha256: sha256Hex(rubbish) }, 'metadata-malformed'],
  ];
  const slots = await open(await newDisk());
  for (const [wrong, code] of cases) {
    t.is(errorCode(await t.throwsAsync(slots.install(wrong))), code);
    t.is(slots.state.candidate, null);
  }
  const [clock, logger, files] = [systemClock, silentLogger, await newDisk()];
  const options = { files, dir: '/slots', clock, logger };
  const fan = await Slots.open({ ...options, model: 'fan' });
  t.is(errorCode(await t.throwsAsync(fan.install(good))), 'metadata-malformed');
  const outside = Slots.open({ ...options, model: '../motor' });
  t.is(errorCode(await t.throwsAsync(outside)), 'input-invalid');
});

test('a disk that refuses the state changes nothing, and the next try works', async (t) => {
  const disk = await running('1');
  let full = false;
  const files: Files = {
    read: (path) => disk.read(path),
    write: (path, bytes) => (full ? Promise.reject(new Error('ENOSPC')) : disk.write(path, bytes)),
    rename: (from, to) => disk.rename(from, to),
    syncDirectory: (path) => disk.syncDirectory(path),
    remove: (path) => disk.remove(path),
    makeDirectory: (path) => disk.makeDirectory(path),
    list: (path) => disk.list(path),
  };
  const slots = await open(files);
  full = true;
  await t.throwsAsync(reach(slots, '2'), { message: 'ENOSPC' });
  t.is(slots.state.active?.version, '1');
  full = false;
  await run(slots, '2');
  t.is((await open(disk.reopen('lost'))).state.active?.version, '2');
});

test('the same on a real file system', async (t) => {
  const dir = await mkdtemp(join(tmpdir(), 'dunlin-slots-'));
  t.teardown(() => rm(dir, { recursive: true, force: true }));
  const [clock, logger, files] = [systemClock, silentLogger, nodeFiles];
  const openHere = () =>
    Slots.open({ files, dir: join(dir, 'slots'), model: MODEL, probation, clock, logger });
  for (const version of ['1', '2', '3', 'bad']) await run(await openHere(), version);
  const slots = await openHere();
  t.is(slots.state.active?.version, '3');
  t.is(slots.state.previous?.version, '2');
  t.is(slots.state.refused?.version, 'bad');
  const { document, artifacts } = await slots.read('active');
  t.is(document.version, '3');
  t.is(artifacts.size, 2);
  t.deepEqual(await files.list(join(dir, 'slots', MODEL, 'releases')), [sha('2'), sha('3')].sort());
});

interface Scenario {
  readonly name: string;
  readonly before: readonly string[];
  readonly act: (slots: Slots) => Promise<void>;
  /** What the assignment names, during and after. */
  readonly target: string;
  readonly ends: string | null;
}

const SCENARIOS: readonly Scenario[] = [
  { name: 'first install', before: [], act: (s) => reach(s, '1'), target: '1', ends: '1' },
  { name: 'update', before: ['1'], act: (s) => reach(s, '2'), target: '2', ends: '2' },
  { name: 'commit', before: ['1'], act: (s) => run(s, '2'), target: '2', ends: '2' },
  {
    name: 'rollback',
    before: ['1', '2'],
    act: (s) => s.rollback('golden-mismatch'),
    target: '1',
    ends: '1',
  },
  { name: 'refuse', before: ['1'], act: (s) => reach(s, 'bad'), target: 'bad', ends: '1' },
  { name: 'refuse the first', before: [], act: (s) => reach(s, 'bad'), target: 'bad', ends: null },
  { name: 'prune', before: ['1', '2'], act: (s) => run(s, '3'), target: '3', ends: '3' },
  { name: 'back to previous', before: ['1', '2'], act: (s) => run(s, '1'), target: '1', ends: '1' },
];

for (const scenario of SCENARIOS) {
  test(`killed at any operation: ${scenario.name}`, async (t) => {
    for (const survival of SURVIVALS) {
      const disk = await running(...scenario.before);
      const versions = new Set([...scenario.before.slice(-2), scenario.target]);
      let completed = false;
      for (let n = 1; !completed; n++) {
        const files = disk.reopen('kept').dieAt(n);
        try {
          await scenario.act(await open(files));
          completed = true;
        } catch (error) {
          if (!(error instanceof PowerCut)) throw error;
        }
        const where = `${survival}, operation ${n}`;
        const after = files.reopen(survival, n);
        const slots = await open(after);
        const { active, damaged } = slots.state;
        t.is(damaged, null, `${where}: no file that the state names was torn`);
        if (scenario.before.length > 0) t.truthy(active, `${where}: a model is active`);
        if (active !== null) {
          t.true(versions.has(active.version), where);
          t.is((await slots.read('active')).release.version, active.version, where);
        }
        await reach(slots, scenario.target);
        t.is(slots.state.active?.version ?? null, scenario.ends, `${where}: the target is reached`);
        const again = await open(after.reopen('lost'));
        t.is(again.state.active?.version ?? null, scenario.ends, `${where}: durably`);
        t.deepEqual(again.stored.length, slots.stored.length, `${where}: nothing is left over`);
      }
    }
  });
}
