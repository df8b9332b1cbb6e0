import { readFile } from 'node:fs/promises';
import { errorMessage, parseJson } from '../core/index.ts';
import { fleetTopics, readRetained } from '../link/index.ts';
import { MAX_CHUNK_BYTES, ReleaseDocument } from '../update/index.ts';
import { MCU_STEPS } from './mcu-steps.ts';
import {
  eventOf,
  failed,
  PUBLISHER,
  reasonOf,
  type Step,
  type StepResult,
  type Tour,
  waitCommitted,
  waitFor,
  waitInferences,
} from './tour.ts';
import { FLEET, MODEL } from './workshop.ts';

const READ_TIMEOUT_MS = 5_000;
const INFERENCES_WATCHED = 6;

const STRANGER = 'stranger';

/** Those that need no microcontroller. */
export const GATEWAY_STEPS: readonly Step[] = [
  {
    name: 'v1-active',
    title: 'v1 is published, pulled, verified, gated, and classifies a live vibration stream',
    run: async (tour) => {
      const { workshop } = tour;
      await workshop.build(PUBLISHER, '1', { cpu: workshop.example('v1/int8.tflite') });
      await release(tour, '1');
      await committed(tour, '1');
      await inferences(tour, '1');
      return 'committed';
    },
  },
  {
    name: 'v2-takes-over',
    title: 'v2, pruned and trained longer, takes over while the stream goes on',
    run: async (tour) => {
      const { workshop, fleet } = tour;
      await workshop.build(PUBLISHER, '2', { cpu: workshop.example('v2/int8.tflite') });
      await release(tour, '2');
      await committed(tour, '2');
      await inferences(tour, '2');
      const missing = fleet.missingInferences();
      if (missing > 0) throw failed(`${missing} inferences lost in the exchange`);
      return 'committed';
    },
  },
  {
    name: 'v3-refused',
    title: 'v3 is authentic, but does not give the outputs that its release promises',
    run: async (tour) => {
      const { workshop } = tour;
      await workshop.build(PUBLISHER, '3', {
        cpu: await workshop.spoilt('v2/int8.tflite'),
        reference: workshop.example('v2/int8.tflite'),
      });
      await release(tour, '3');
      const event = await eventOf(tour, '3', ['update-refused']);
      await stillServes(tour, '2');
      return reasonOf(event);
    },
  },
  {
    name: 'v4-refused',
    title: 'a chunk of v4 is tampered with on the broker',
    run: async (tour) => {
      const { workshop, link } = tour;
      await workshop.build(PUBLISHER, '4', { cpu: workshop.example('v1/int8.tflite') });
      await workshop.publish(PUBLISHER, '4');
      const topic = fleetTopics(FLEET).chunk(await firstChunk(tour, '4'));
      const options = { timeoutMs: READ_TIMEOUT_MS, maxBytes: MAX_CHUNK_BYTES };
      const chunk = await readRetained(link, topic, options);
      if (chunk === undefined) throw failed('the chunk to tamper with is not on the broker');
      const tampered = Buffer.from(chunk);
      tampered[tampered.length >> 1]! ^= 0x01;
      await link.publish(topic, tampered, { qos: 1, retain: true });
      await workshop.assign(PUBLISHER, '4');
      const event = await eventOf(tour, '4', ['update-failed', 'update-refused']);
      await stillServes(tour, '2');
      await workshop.assign(PUBLISHER, '2');
      await workshop.refresh(PUBLISHER);
      return reasonOf(event);
    },
  },
  {
    name: 'v5-refused',
    title: 'a stranger signs v5 with keys of his own and takes over the topics',
    run: async (tour) => {
      const { workshop, fleet } = tour;
      const before = fleet.events.length;
      await workshop.keysInit(STRANGER);
      await workshop.build(STRANGER, '5', { cpu: workshop.example('v1/int8.tflite') });
      await workshop.publish(STRANGER, '5');
      await workshop.assign(STRANGER, '5');
      const event = await waitFor(tour, 'the refusal of the stranger', () =>
        fleet.events.slice(before).find(({ name }) => name === 'metadata-refused'),
      );
      await stillServes(tour, '2');
      await workshop.refresh(PUBLISHER);
      return reasonOf(event);
    },
  },
  {
    name: 'agent-killed',
    title:
      'the agent is killed in the middle of the transfer of v6 and goes on with the chunks it has',
    run: async (tour) => {
      const { workshop, fleet, view, figures } = tour;
      await workshop.build(PUBLISHER, '6', { cpu: workshop.example('v1/int8.tflite') });
      await release(tour, '6');
      const { chunksPresent } = await waitFor(tour, 'the transfer of v6', () => {
        const update = fleet.state?.models[MODEL]?.update;
        const halfway = update?.version === '6' && update.chunksPresent >= 2;
        return halfway && update.chunksPresent < update.chunksTotal ? update : undefined;
      });
      await tour.agent.kill();
      view.note(`SIGKILL with ${chunksPresent} chunks on disk`);
      tour.agent = tour.startAgent();
      const event = await eventOf(tour, '6', ['update-activated', 'update-refused']);
      figures.chunksFetchedAfterRestart = event.chunksFetched ?? 0;
      figures.chunksTotal = event.chunksTotal ?? 0;
      view.note(`${event.chunksFetched} of ${event.chunksTotal} chunks fetched after the restart`);
      if (figures.chunksFetchedAfterRestart >= figures.chunksTotal) {
        throw failed('everything was fetched again');
      }
      await committed(tour, '6');
      return 'resumed';
    },
  },
  {
    name: 'broker-killed',
    title: 'the broker is killed, forgets everything, and is given back what it lost',
    run: async (tour) => {
      const { workshop, fleet, view, broker, weakLink, link } = tour;
      weakLink.admitting = false;
      await broker.kill();
      weakLink.cut();
      view.note('SIGKILL; the agent goes on inferring and keeps its telemetry');
      const silentSince = fleet.messages.highest;
      await tour.clock.sleep(OUTAGE_MS, tour.signal);
      await broker.start();
      await link.waitConnected(tour.signal);
      await workshop.refresh(PUBLISHER);
      await workshop.assign(PUBLISHER, '6');
      weakLink.admitting = true;
      await waitFor(tour, 'the telemetry of the outage', () => {
        const waiting = fleet.state?.telemetry.waiting;
        return fleet.messages.highest > silentSince + 2 && waiting === 0;
      });
      if (fleet.messages.missingCount > 0) {
        throw failed(`${fleet.messages.missingCount} messages of the outage are missing`);
      }
      await stillServes(tour, '6');
      return 'caught-up';
    },
  },
];

export const STEPS: readonly Step[] = [...GATEWAY_STEPS, ...MCU_STEPS];

/** Long enough for several windows and messages to pile up in the outbox. */
const OUTAGE_MS = 4_000;

/** Runs one step; a failure is a result, not the end of the tour. */
export async function runStep(step: Step, tour: Tour): Promise<StepResult> {
  const { view, signal } = tour;
  view.begin(step.title);
  let result: StepResult;
  try {
    result = { name: step.name, ok: true, reason: await step.run(tour) };
  } catch (error) {
    signal.throwIfAborted();
    result = { name: step.name, ok: false, reason: errorMessage(error) };
  }
  view.end(result);
  return result;
}

/** Publishes a release that was built, and assigns it. */
async function release(tour: Tour, version: string): Promise<void> {
  await tour.workshop.publish(PUBLISHER, version);
  await tour.workshop.assign(PUBLISHER, version);
}

function committed(tour: Tour, version: string): Promise<void> {
  return waitCommitted(tour, version, () => tour.fleet.state?.models[MODEL]?.active);
}

/** Some more windows that the version has classified. */
function inferences(tour: Tour, version: string): Promise<void> {
  return waitInferences(
    ...([tour, `v${version}`, INFERENCES_WATCHED] as const),
    ({ model }) => model.version === version,
  );
}

async function stillServes(tour: Tour, version: string): Promise<void> {
  const active = tour.fleet.state?.models[MODEL]?.active?.version;
  if (active !== version) throw failed(`v${active} is in service, not v${version}`);
  await inferences(tour, version);
}

/** The first chunk of a release's model, from the publisher's own repository. */
async function firstChunk({ workshop }: Tour, version: string): Promise<string> {
  const path = workshop.path(PUBLISHER, 'repo', 'releases', MODEL, version, 'release.json');
  const document = parseJson(ReleaseDocument, await readFile(path), path);
  return document.artifacts['cpu.tflite']!.chunks[0]!.sha256;
}
