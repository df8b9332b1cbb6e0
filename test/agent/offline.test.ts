import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import test from 'ava';
import { buildMotor, MODEL, motorModel } from './motor.ts';
import { Blueprint, Plant } from './plant.ts';

const POLL_MS = 50;
const MAX_POLLS = 400;
/** Of telemetry: several messages of some windows. */
const GROWTH_BYTES = 3_000;
const STOP_WITHIN_MS = 5_000;
let blueprint: Blueprint | undefined;

test.before(async () => {
  const v1 = await motorModel('v1');
  blueprint = await Blueprint.make(async (repository) => {
    await buildMotor(repository, '1', { cpu: v1 });
  });
});
test.after.always(() => blueprint?.remove());

/** Bytes that the outbox's database has logged in files that are there now. */
async function outboxBytes(plant: Plant): Promise<number> {
  const dir = join(plant.dir, 'state/outbox');
  const logs = (await readdir(dir)).filter((name) => name.endsWith('.log'));
  const sizes = await Promise.all(
    logs.map((name) =>
      stat(join(dir, name)).then(
        ({ size }) => size,
        () => 0,
      ),
    ),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}

/** Waits until the agent, which nobody can hear, has written down some results. */
async function telemetryPilesUp(plant: Plant): Promise<void> {
  const before = await outboxBytes(plant);
  for (let poll = 0; poll < MAX_POLLS; poll++) {
    if ((await outboxBytes(plant)) >= before + GROWTH_BYTES) return;
    await delay(POLL_MS);
  }
  throw new Error('the agent wrote no telemetry while the broker was away');
}

test('what happens while the broker is away arrives when it is back, with no gap', async (t) => {
  const plant = await Plant.open(t, blueprint!);
  const { seen, broker } = plant;
  const agent = plant.start(t);
  await plant.bringTo('1');
  await broker.stop();
  const fromMs = Date.now();
  await telemetryPilesUp(plant);
  const toMs = Date.now();
  // A broker that kept nothing: it has neither metadata nor assignments.
  await broker.restart();
  await plant.inferences('1');
  await seen.waitFor('an empty outbox', () => seen.state?.telemetry.waiting === 0);
  await agent.stop();

  const during = seen.inferences.filter(({ at }) => {
    const atMs = Date.parse(at);
    return atMs > fromMs && atMs < toMs;
  });
  t.true(during.length > 5, `${during.length} inferences of the outage`);
  t.deepEqual(seen.missingWindows(), []);
  t.is(seen.messages.missingCount, 0);
  t.is(seen.state?.telemetry.dropped, 0);
  t.deepEqual(seen.refusals, []);
});

test('an agent that starts without a broker serves its model at once', async (t) => {
  const plant = await Plant.open(t, blueprint!);
  const { seen, broker } = plant;
  const before = plant.start(t);
  await plant.bringTo('1');
  await before.stop();
  const firstBoot = seen.state?.bootId;
  await broker.stop();
  const agent = plant.start(t);
  await telemetryPilesUp(plant);
  await broker.restart();
  const ofThisBoot = () => seen.inferences.filter(({ bootId }) => bootId !== firstBoot);
  await seen.waitFor('what was inferred meanwhile', () => ofThisBoot().length > 10);
  t.is(ofThisBoot()[0]?.window, 1);
  await seen.waitFor('the state', () => seen.state?.bootId !== firstBoot);
  t.like(seen.state?.models[MODEL]?.active, { version: '1', phase: 'committed' });
  t.is(seen.eventsOf('1', 'update-started').length, 1, 'nothing was fetched again');
  await agent.stop();
  t.deepEqual(seen.missingWindows(), []);
  t.is(seen.messages.missingCount, 0);
});

test('a broker that takes everything and answers nothing does not hold up a stop', async (t) => {
  const plant = await Plant.open(t, blueprint!);
  const { seen, broker } = plant;
  const agent = plant.start(t);
  await plant.bringTo('1');
  broker.fallSilent();
  await telemetryPilesUp(plant);
  const startedMs = performance.now();
  await agent.stop();
  t.true(performance.now() - startedMs < STOP_WITHIN_MS);
  await broker.stop();
  await broker.restart();

  const next = plant.start(t);
  await seen.waitFor('an empty outbox', () => seen.state?.telemetry.waiting === 0);
  await plant.inferences('1');
  await next.stop();
  t.deepEqual(seen.missingWindows(), []);
  t.is(seen.messages.missingCount, 0);
});
