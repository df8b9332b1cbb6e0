import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { parseAgentConfig } from '../../src/agent/index.ts';
import { DunlinError } from '../../src/core/index.ts';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const FILE = '/etc/dunlin/agent.yaml';
const HOUR_MS = 3_600_000;

const MINIMAL = `fleet: plant
device: press-7
stateDir: state
broker:
  url: mqtt://localhost
trust:
  rootFile: keys/root.json
pipelines:
  vibration:
    model: motor
    source: { kind: npy, file: data/windows.npy, channels: 3, rateHz: 1600 }
    window:
      samples: 256
      stride: 128
`;

const SECOND_PIPELINE = `  noise:
    source: { kind: npy, file: other.npy, channels: 1, rateHz: 10 }
    window: { samples: 8, stride: 8 }
    model: motor
`;

/** What is wrong with a configuration, as a person reads it. */
function refusal(text: string): string {
  try {
    parseAgentConfig(text, FILE);
  } catch (error) {
    if (error instanceof DunlinError && error.code === 'config-invalid') return error.message;
    throw error;
  }
  throw new Error('accepted');
}

test('a minimal configuration gets the defaults', (t) => {
  const config = parseAgentConfig(MINIMAL, FILE);
  t.deepEqual(config.groups, []);
  t.is(config.broker.reconnectMaxMs, 30_000);
  t.is(config.pipelines['vibration']?.schedule, '* * * * * *');
  t.like(config.inference, { path: 'auto', timeoutMs: 5_000, memoryLimitBytes: 512 * 1024 * 1024 });
  t.like(config.update, { checkIntervalMs: HOUR_MS, retryMinMs: 5_000, probationInferences: 20 });
  t.like(config.telemetry, { healthIntervalMs: 60_000, outboxMaxEntries: 100_000 });
  t.deepEqual(config.log, { level: 'info', format: 'text' });
});

test('file names are taken relative to the configuration', (t) => {
  const more = `${MINIMAL.replace('localhost', 'localhost\n  caFile: ca.pem')}inference:
  delegateFile: lib/libedgetpu.so.1
`;
  const config = parseAgentConfig(more, FILE);
  t.is(config.stateDir, '/etc/dunlin/state');
  t.is(config.trust.rootFile, '/etc/dunlin/keys/root.json');
  t.is(config.broker.caFile, '/etc/dunlin/ca.pem');
  t.is(config.inference.delegateFile, '/etc/dunlin/lib/libedgetpu.so.1');
  t.like(config.pipelines['vibration']?.source, { file: '/etc/dunlin/data/windows.npy' });

  const absolute = parseAgentConfig(more.replace('stateDir: state', 'stateDir: /var/lib/x'), FILE);
  t.is(absolute.stateDir, '/var/lib/x');
  const named = parseAgentConfig(more.replace('lib/libedgetpu', 'libedgetpu'), FILE);
  t.is(named.inference.delegateFile, 'libedgetpu.so.1', "a bare name is the system's to find");
});

test('a command runs beside the configuration', (t) => {
  const source = 'source: { kind: command, argv: [node, sensor.js], channels: 3 }';
  const config = parseAgentConfig(MINIMAL.replace(/source: .*/, source), FILE);
  t.like(config.pipelines['vibration']?.source, { workingDir: '/etc/dunlin' });
});

/** One fault each, and the place and the word that the message has to have. */
const FAULTS: readonly [name: string, text: string, message: RegExp][] = [
  [
    'an unknown key',
    MINIMAL.replace('device:', 'group: presses\ndevice:'),
    /agent\.yaml:2:1: group: unknown key/,
  ],
  [
    'a wrong unit in the key',
    `${MINIMAL}update:\n  checkIntervalS: 5\n`,
    /agent\.yaml:16:3: update\.checkIntervalS: unknown key.*checkIntervalMs/,
  ],
  [
    'a unit in the value',
    `${MINIMAL}update:\n  checkIntervalMs: 5s\n`,
    /agent\.yaml:16:3: update\.checkIntervalMs: /,
  ],
  [
    'no cron expression',
    MINIMAL.replace('    window:', '    schedule: every second\n    window:'),
    /agent\.yaml:12:5: pipelines\.vibration\.schedule: "every second" is no cron expression/,
  ],
  [
    'two pipelines with one model',
    MINIMAL + SECOND_PIPELINE,
    /agent\.yaml:18:5: pipelines\.noise\.model: .*motor/,
  ],
  [
    'a stride that skips samples',
    MINIMAL.replace('stride: 128', 'stride: 257'),
    /agent\.yaml:14:7: pipelines\.vibration\.window\.stride: .*257/,
  ],
  [
    'a device whose name is no topic',
    MINIMAL.replace('press-7', 'press/7'),
    /agent\.yaml:2:1: device: /,
  ],
  [
    'a broker that is no MQTT',
    MINIMAL.replace('mqtt://', 'https://'),
    /agent\.yaml:5:3: broker\.url: /,
  ],
  [
    'a missing key',
    MINIMAL.replace('  rootFile: keys/root.json', '  {}'),
    /agent\.yaml:6:1: trust.*rootFile/,
  ],
];

for (const [name, text, message] of FAULTS) {
  test(`refused with file and line: ${name}`, (t) => {
    t.regex(refusal(text), message);
  });
}

const DEVICES = `microcontrollers:
  left: { port: usb-left, board: native, model: bearing, signingKeyFile: mcu.pub.pem }
`;
const ON = '    on: left\n    window:';

test('microcontrollers get the defaults, and need no pipeline', (t) => {
  const alone = `${MINIMAL.slice(0, MINIMAL.indexOf('pipelines:'))}${DEVICES}`;
  const config = parseAgentConfig(alone, FILE);
  t.deepEqual(config.pipelines, {});
  t.deepEqual(config.microcontrollers['left'], {
    ...{ port: 'usb-left', board: 'native', model: 'bearing' },
    signingKeyFile: '/etc/dunlin/mcu.pub.pem',
    install: ['firmware', 'model'],
  });
  t.like(config.mcu, { atOnce: 1, pollIntervalMs: 10_000, probationMs: 600_000 });
  t.deepEqual(parseAgentConfig(MINIMAL, FILE).microcontrollers, {});
  const fed =
    MINIMAL.replace('    window:', ON).replace('model: motor', 'model: bearing') + DEVICES;
  t.is(parseAgentConfig(fed, FILE).pipelines['vibration']?.on, 'left');
});

test('what does not fit together about microcontrollers is named', (t) => {
  const nothing = MINIMAL.slice(0, MINIMAL.indexOf('pipelines:'));
  t.regex(refusal(nothing), /there is nothing to do/);
  t.regex(refusal(MINIMAL.replace('    window:', ON)), /no microcontroller is called left/);
  t.regex(
    refusal(MINIMAL.replace('    window:', ON) + DEVICES),
    /pipelines\.vibration\.model: left runs bearing, not motor/,
  );
  const twice = `${MINIMAL}${DEVICES}${DEVICES.split('\n')[1]!.replace('left:', 'right:')}\n`;
  t.regex(refusal(twice), /microcontrollers\.right\.port: another microcontroller is on usb-left/);
});

test('every fault is named, not only the first', (t) => {
  const message = refusal((MINIMAL + SECOND_PIPELINE).replace('stride: 128', 'stride: 999'));
  t.regex(message, /agent\.yaml:14:7: .*; .*agent\.yaml:18:5: /);
});

test('the example with every key is valid', (t) => {
  const path = join(ROOT, 'configs/gateway.yaml');
  const config = parseAgentConfig(readFileSync(path, 'utf8'), path);
  t.is(config.pipelines['vibration']?.model, 'motor');
});
