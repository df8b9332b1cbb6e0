import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import test from 'ava';
import { silentLogger, systemClock } from '../../src/core/index.ts';
import {
  type DemoBroker,
  type DemoReport,
  GATEWAY_STEPS,
  PlainView,
  runDemo,
} from '../../src/demo/index.ts';
import { Mosquitto, makeCertificates, mosquittoIsInstalled } from '../fakes/mosquitto.ts';
import { expectTour } from './expected-report.ts';

const MAIN = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));
const TOUR_TIMEOUT_MS = 600_000;

test.serial('dunlin demo --once --json: the whole tour with aedes', async (t) => {
  t.timeout(TOUR_TIMEOUT_MS);
  const dir = await mkdtemp(join(tmpdir(), 'dunlin-tour-'));
  t.teardown(() => rm(dir, { recursive: true, force: true }));
  const args = [MAIN, 'demo', '--once', '--json', '--dir', join(dir, 'demo')];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  expectTour(t, JSON.parse(stdout) as DemoReport);
});

test.serial(
  "the gateway's part of the tour with mosquitto over TLS, with client certificates",
  async (t) => {
    t.timeout(TOUR_TIMEOUT_MS);
    if (!mosquittoIsInstalled()) {
      t.log('needs the Debian package mosquitto');
      if (process.env['CI'] === undefined) t.pass();
      else t.fail();
      return;
    }
    const dir = await mkdtemp(join(tmpdir(), 'dunlin-tour-'));
    t.teardown(() => rm(dir, { recursive: true, force: true }));
    const certificates = await makeCertificates(dir, 'press-7');
    const mosquitto = await Mosquitto.start({ tls: certificates.server });
    await mosquitto.kill();
    t.teardown(() => mosquitto.stop());
    let running = false;
    const broker: DemoBroker = {
      name: 'mosquitto',
      access: { scheme: 'mqtts', ...certificates.client },
      port: mosquitto.port,
      get running() {
        return running;
      },
      start: async () => {
        await mosquitto.restart();
        running = true;
      },
      kill: async () => {
        running = false;
        await mosquitto.kill();
      },
    };
    let report: DemoReport | undefined;
    await runDemo({
      dir: join(dir, 'demo'),
      broker,
      steps: GATEWAY_STEPS,
      view: new PlainView((text) => t.log(text.trimEnd())),
      clock: systemClock,
      logger: silentLogger,
      signal: new AbortController().signal,
      onAgentLog: () => {},
      stay: false,
      onFinished: (finished) => {
        report = finished;
      },
    });
    expectTour(t, report!, GATEWAY_STEPS.length);
  },
);
