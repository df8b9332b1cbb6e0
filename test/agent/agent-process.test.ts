import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { AgentProcess, isRunning, kill } from './agent-process.ts';
import { buildMotor, MODEL, motorModel } from './motor.ts';
import { Blueprint, Plant } from './plant.ts';

const SENSOR = fileURLToPath(new URL('../../examples/motor/stream.js', import.meta.url));
const POLL_MS = 20;
const MAX_POLLS = 1_000;
const STOP_WITHIN_MS = 5_000;
let blueprint: Blueprint | undefined;

test.before(async () => {
  const [v1, v2] = [await motorModel('v1'), await motorModel('v2')];
  blueprint = await Blueprint.make(async (repository) => {
    await buildMotor(repository, '1', { cpu: v1 });
    await buildMotor(repository, '2', { cpu: v2 });
  });
});
test.after.always(() => blueprint?.remove());

async function until(what: string, holds: () => boolean): Promise<void> {
  for (let poll = 0; poll < MAX_POLLS; poll++) {
    if (holds()) return;
    await delay(POLL_MS);
  }
  throw new Error(`${what}: not within ${(POLL_MS * MAX_POLLS) / 1000} s`);
}

test('a killed agent is offline by its last will and leaves no process behind', async (t) => {
  const plant = await Plant.open(t, blueprint!);
  const { seen } = plant;
  const agent = new AgentProcess(t, await plant.writeConfig());
  await plant.bringTo('1');
  const { bootId } = seen.state!;
  t.deepEqual(seen.statuses, [{ online: true, bootId }]);
  const children = agent.descendants();
  t.true(children.length > 0);
  await agent.signal('SIGKILL');
  await seen.waitFor('the last will', () => seen.statuses.length > 1);
  t.deepEqual(seen.statuses.at(-1), { online: false, bootId });
  await until('the end of the orphans', () => !children.some(isRunning));

  const next = new AgentProcess(t, await plant.writeConfig());
  await seen.waitFor('the next start', () => seen.statuses.at(-1)?.online);
  t.not(seen.statuses.at(-1)?.bootId, bootId);
  await plant.inferences('1');
  t.is(await next.signal('SIGTERM'), 0);
  t.is(seen.messages.missingCount, 0, 'what the killed one had to say was said by the next');
  t.deepEqual(seen.refusals, []);
});

test('a stop in order takes less than five seconds and leaves no process behind', async (t) => {
  const plant = await Plant.open(t, blueprint!);
  const { seen } = plant;
  const vibration = {
    model: MODEL,
    source: {
      kind: 'command',
      argv: [process.execPath, SENSOR, '--rate-hz', '2560', '--seed', '7'],
      channels: 3,
    },
    window: { samples: 256, stride: 256 },
  };
  const agent = new AgentProcess(t, await plant.writeConfig({ pipelines: { vibration } }));
  await plant.bringTo('1');
  await plant.inferences('1');
  const children = agent.descendants();
  t.is(agent.sandboxes().length, 1);
  t.true(children.length >= 2, 'the sandbox and the sensor');
  const startedMs = performance.now();
  t.is(await agent.signal('SIGTERM'), 0, agent.log);
  t.true(performance.now() - startedMs < STOP_WITHIN_MS);
  t.deepEqual(children.filter(isRunning), []);
  t.is(seen.statuses.at(-1)?.online, false);

  const { inferences, telemetry } = seen.state!;
  t.is(telemetry.waiting, 0);
  t.is(seen.messages.receivedCount, telemetry.enqueued, 'nothing stayed behind');
  t.is(seen.inferences.length, inferences.windows, 'every window that was cut was inferred');
  t.is(inferences.dropped + inferences.failed, 0);
});

test('a release whose inference process keeps dying is rolled back', async (t) => {
  const plant = await Plant.open(t, blueprint!);
  const { seen } = plant;
  const first = new AgentProcess(t, await plant.writeConfig());
  await plant.bringTo('1');
  t.is(await first.signal('SIGTERM'), 0, first.log);
  // So many that it cannot be through before the first kill.
  const update = { retryMinMs: 100, retryMaxMs: 1_000, probationInferences: 10_000 };
  const agent = new AgentProcess(t, await plant.writeConfig({ update }));
  const slots = join(plant.dir, 'state/models', MODEL, 'state.json');
  const activeVersion = (): string => JSON.parse(readFileSync(slots, 'utf8')).active?.version;
  // Only while the disk says that v2 serves: what is started after the rollback lives.
  const killer = setInterval(() => {
    if (activeVersion() !== '2') return;
    for (const pid of agent.sandboxes()) kill(pid);
  }, POLL_MS);
  t.teardown(() => clearInterval(killer));
  await plant.publish('2');
  await plant.assign('2');
  const rolledBack = (): number => seen.eventsOf('2', 'update-rolled-back').length;
  await seen.waitFor('the rollback', () => rolledBack() > 0);
  clearInterval(killer);
  t.is(seen.eventsOf('2', 'update-rolled-back')[0]?.reason, 'probation-failed');
  await plant.inferences('1');
  const model = await seen.waitFor('the state', () => {
    const state = seen.state?.models[MODEL];
    return state?.active?.version === '1' && state;
  });
  t.like(model, {
    active: { phase: 'committed' },
    update: { version: '2', phase: 'refused', reason: 'probation-failed' },
  });
  await plant.passes(2, () => plant.assign('2'));
  t.is(seen.eventsOf('2', 'update-activated').length, 1, 'it is not tried again');
  t.is(await agent.signal('SIGTERM'), 0, agent.log);
});

test('a release that served before outlives a bad start', async (t) => {
  const plant = await Plant.open(t, blueprint!);
  const { seen } = plant;
  const config = await plant.writeConfig();
  const first = new AgentProcess(t, config);
  await plant.bringTo('1');
  t.is(await first.signal('SIGTERM'), 0, first.log);

  const agent = new AgentProcess(t, config);
  let unlucky = 0;
  // Before it has loaded its model, as happens where memory is short while everything starts.
  await until('an inference process', () => {
    for (const pid of agent.sandboxes()) {
      kill(pid);
      unlucky += 1;
    }
    return unlucky > 0;
  });
  await seen.waitFor('the start', () => seen.statuses.at(-1)?.online);
  await plant.inferences('1');
  t.regex(agent.log, /did not start/);
  t.deepEqual(seen.eventsOf('1', 'update-rolled-back'), []);
  t.is(await agent.signal('SIGTERM'), 0, agent.log);
});
