import test, { type ExecutionContext } from 'ava';
import { type Clock, errorCode, silentLogger, systemClock } from '../../src/core/index.ts';
import { fleetTopics, Link, readRetained } from '../../src/link/index.ts';
import { Publisher } from '../../src/release/index.ts';
import { CrashFiles } from '../fakes/crash-files.ts';
import { Mosquitto, mosquittoIsInstalled } from '../fakes/mosquitto.ts';
import { HandClock, SignedRepository } from '../fakes/signed-repository.ts';

const topics = fleetTopics('plant');
const logger = silentLogger;
const { signal } = new AbortController();
/** The quiet times that follow the first one would be the length of this test. */
const clock: Clock = {
  ...systemClock,
  sleep: (durationMs, abort) =>
    systemClock.sleep([4_000, 16_000].includes(durationMs) ? 1_000 : durationMs, abort),
};

/** Debian's package `mosquitto` belongs to these tests: only a machine that is no CI may do without. */
const withMosquitto = (
  title: string,
  settings: readonly string[],
  body: (t: ExecutionContext, broker: Mosquitto, link: Link) => Promise<void>,
): void => {
  test(title, async (t) => {
    if (!mosquittoIsInstalled()) {
      t.log('needs mosquitto: apt-get install mosquitto');
      if (process.env['CI'] !== undefined) t.fail('mosquitto is not installed');
      else t.pass('skipped: mosquitto is not installed');
      return;
    }
    const broker = await Mosquitto.start({ settings });
    const link = await Link.open({
      ...{ url: broker.url, clientId: 'publisher', clean: true, clock, logger },
      backoff: { minMs: 10, maxMs: 50 },
    });
    try {
      await link.waitConnected();
      await body(t, broker, link);
    } finally {
      await link.close();
      await broker.stop();
    }
  });
};

async function published(link: Link) {
  const fleet = await new SignedRepository(Date.now()).publish('1');
  const { repository } = fleet;
  const publisher = new Publisher({ link, fleet: 'plant', repository, logger, signal });
  fleet.fetch = (name, maxBytes) =>
    readRetained(link, topics.tuf(name), { timeoutMs: 1_000, maxBytes, signal });
  const device = async () => {
    const store = await fleet.openStore(new CrashFiles(), new HandClock(Date.now()));
    return store.refresh(signal);
  };
  return { publisher, device };
}

withMosquitto(
  'mosquitto, killed with nothing saved, gets everything back',
  [],
  async (t, broker, link) => {
    const { publisher, device } = await published(link);
    await publisher.publishRelease('motor', '1');
    t.truthy((await device()).releaseTarget('motor', '1'));
    await broker.kill('SIGKILL');
    await broker.restart();
    await link.waitConnected();
    t.is(errorCode(await t.throwsAsync(device())), 'metadata-missing', 'it kept nothing');
    await publisher.mend();
    t.truthy((await device()).releaseTarget('motor', '1'));
  },
);

withMosquitto(
  'mosquitto acknowledges what it drops for its size: that is noticed, with advice',
  ['message_size_limit 1000'],
  async (t, _broker, link) => {
    const { publisher, device } = await published(link);
    const error = await t.throwsAsync(publisher.publishRelease('motor', '1'));
    t.is(errorCode(error), 'broker-lost-data');
    t.regex(error.message, /--chunk-bytes/);
    t.is(
      errorCode(await t.throwsAsync(device())),
      'metadata-missing',
      'no metadata without chunks',
    );
  },
);
