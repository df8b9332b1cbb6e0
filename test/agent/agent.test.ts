import test from 'ava';
import { systemClock } from '../../src/core/index.ts';
import { fleetTopics } from '../../src/link/index.ts';
import { DEFAULT_LIFETIMES } from '../../src/release/index.ts';
import { buildMotor, MODEL, motorModel } from './motor.ts';
import { Blueprint, FLEET, GROUP, OWN, Plant } from './plant.ts';

const DAY_MS = 24 * 60 * 60 * 1000;
const topics = fleetTopics(FLEET);
let blueprint: Blueprint | undefined;

test.before(async () => {
  const [v1, v2] = [await motorModel('v1'), await motorModel('v2')];
  blueprint = await Blueprint.make(async (repository) => {
    await buildMotor(repository, '1', { cpu: v1 });
    await buildMotor(repository, '2', { cpu: v2 });
    await buildMotor(repository, '3', { cpu: v2, goldenReference: v1 });
  });
});
test.after.always(() => blueprint?.remove());

test('a first release goes into service, the next takes over, and no window is lost', async (t) => {
  const plant = await Plant.open(t, blueprint!);
  const { seen } = plant;
  const agent = plant.start(t);
  await plant.bringTo('1');
  t.like(seen.state?.models[MODEL]?.active, { variant: 'cpu', phase: 'committed' });
  t.like(seen.state?.metadata, { ok: true });
  await plant.bringTo('2');
  await plant.inferences('2');
  await agent.stop();

  for (const version of ['1', '2']) {
    t.is(seen.eventsOf(version, 'update-started').length, 1);
    t.is(seen.eventsOf(version, 'update-activated').length, 1);
    t.is(seen.eventsOf(version, 'update-committed').length, 1);
    t.deepEqual(seen.eventsOf(version, 'update-failed'), []);
  }
  t.deepEqual(seen.missingWindows(), []);
  t.true(seen.inferences.every(({ label }) => label !== undefined));
  t.is(seen.messages.missingCount, 0);
  t.deepEqual(seen.refusals, [], 'every message was signed with the key of the device');
});

test('a release that is wrong on its golden inputs is refused, once, until the assignment changes', async (t) => {
  const plant = await Plant.open(t, blueprint!);
  const { seen } = plant;
  let agent = plant.start(t);
  await plant.bringTo('1');
  await plant.publish('3');
  await plant.assign('3');
  const refused = () => seen.eventsOf('3', 'update-refused');
  await seen.waitFor('the refusal', () => refused().length > 0);
  t.is(refused()[0]?.reason, 'golden-mismatch');
  const state = () => seen.state?.models[MODEL];
  await seen.waitFor('the refusal in the state', () => state()?.update?.phase === 'refused');
  t.like(state(), { active: { version: '1' }, update: { reason: 'golden-mismatch' } });

  // The same assignment again, signed anew: two more passes, the first of them complete.
  await plant.passes(2, () => plant.assign('3'));
  t.is(refused().length, 1);
  await plant.inferences('1');
  await agent.stop();
  const firstBoot = seen.state?.bootId;
  agent = plant.start(t);
  const restarted = await seen.waitFor(
    'the state after a restart',
    () => seen.state?.bootId !== firstBoot && state()?.active && state(),
  );
  t.like(restarted, { active: { version: '1' }, update: { version: '3', phase: 'refused' } });
  await plant.passes(2, () => plant.assign('3'));
  t.is(refused().length, 1, 'a restart does not make it forget');

  await plant.bringTo('2');
  await plant.assign('3');
  await seen.waitFor('the second refusal', () => refused().length === 2);
  await plant.inferences('2');
  await agent.stop();
  t.deepEqual(seen.missingWindows(), []);
});

test('expired metadata stops updates, not the model', async (t) => {
  const plant = await Plant.open(t, blueprint!);
  const { seen } = plant;
  let aheadMs = 0;
  const clock = { ...systemClock, nowMs: () => Date.now() + aheadMs };
  const agent = plant.start(t, { clock });
  await plant.bringTo('1');
  // Longer than the timestamp's day.
  aheadMs = 2 * DAY_MS;
  await plant.publish('2');
  await plant.assign('2');
  const state = await seen.waitFor('the state', () => !seen.state?.metadata.ok && seen.state);
  t.is(state.metadata.reason, 'metadata-expired');
  await plant.inferences('1');
  t.is(seen.state?.models[MODEL]?.active?.version, '1');
  const event = seen.events.find(({ name }) => name === 'metadata-refused');
  t.is(event?.reason, 'metadata-expired');

  await plant.publish('2', { ...DEFAULT_LIFETIMES, timestampMs: 3 * DAY_MS });
  await plant.committed('2');
  t.true(seen.state?.metadata.ok);
  await agent.stop();
  t.deepEqual(seen.missingWindows(), []);
});

test('an older assignment played again is refused', async (t) => {
  const plant = await Plant.open(t, blueprint!);
  const { seen, broker } = plant;
  plant.start(t);
  await plant.bringTo('1');
  const topic = topics.assignment(GROUP);
  const older = broker.retained.get(topic)!.payload;
  await plant.bringTo('2');
  await broker.publish(topic, older, true);
  const event = await seen.waitFor('the refusal', () =>
    seen.events.find(({ name }) => name === 'metadata-refused'),
  );
  t.is(event.reason, 'metadata-rollback');
  await plant.passes(2, () => broker.publish(topic, older, true));
  await plant.inferences('2');
  t.is(seen.state?.models[MODEL]?.active?.version, '2');
  t.is(seen.events.filter(({ name }) => name === 'metadata-refused').length, 1, 'reported once');
});

test("the device's own assignment outranks its group's", async (t) => {
  const plant = await Plant.open(t, blueprint!);
  await plant.publish('1');
  await plant.publish('2');
  await plant.assign('2', GROUP);
  await plant.assign('1', OWN);
  plant.start(t);
  await plant.committed('1');
  await plant.passes(2, () => plant.assign('2', GROUP));
  await plant.inferences('1');
  t.is(plant.seen.state?.models[MODEL]?.active?.version, '1');
  t.deepEqual(plant.seen.eventsOf('2', 'update-started'), []);
});
