import { DunlinError } from '../core/index.ts';

/** Fleets, devices, groups: the same names that documents allow; one topic level each. */
const NAME = /^[a-z0-9][a-z0-9_-]{0,62}$/;
const SHA256 = /^[0-9a-f]{64}$/;
/** `root.json`, `12.snapshot.json`: one level, never a wildcard. */
const TUF_FILE = /^[0-9a-z][0-9a-z._-]{0,126}$/;
const PREFIX = 'dunlin/v1';

export interface TopicSubject {
  readonly kind: 'device' | 'group';
  readonly name: string;
}

/** Builds the topics of one fleet, `dunlin/v1/<fleet>/…`. Builders throw `input-invalid` on a bad name. */
export interface FleetTopics {
  readonly prefix: string;
  /** Retained TUF metadata. */
  tuf(file: string): string;
  /** A retained chunk, named by the SHA-256 of its payload. */
  chunk(sha256: string): string;
  /** A retained assignment; devices and groups have a namespace each, so that none shadows the other. */
  assignment(subject: TopicSubject): string;
  /** Retained reported state. */
  state(device: string): string;
  /** Retained; the device's last will. */
  status(device: string): string;
  telemetry(device: string): string;
  events(device: string): string;
  /** What a reader of a whole fleet subscribes to. */
  readonly filters: {
    readonly state: string;
    readonly status: string;
    readonly telemetry: string;
    readonly events: string;
    readonly assignments: string;
  };
}

export function fleetTopics(fleet: string): FleetTopics {
  const prefix = `${PREFIX}/${checked(fleet, NAME, 'fleet')}`;
  const ofDevice = (kind: string) => (device: string) =>
    `${prefix}/${kind}/${checked(device, NAME, 'device')}`;
  return {
    prefix,
    tuf: (file) => `${prefix}/tuf/${checked(file, TUF_FILE, 'metadata file')}`,
    chunk: (sha256) => `${prefix}/chunks/${checked(sha256, SHA256, 'chunk')}`,
    assignment: ({ kind, name }) => `${prefix}/assign/${kind}/${checked(name, NAME, kind)}`,
    state: ofDevice('state'),
    status: ofDevice('status'),
    telemetry: ofDevice('telemetry'),
    events: ofDevice('events'),
    filters: {
      state: `${prefix}/state/+`,
      status: `${prefix}/status/+`,
      telemetry: `${prefix}/telemetry/+`,
      events: `${prefix}/events/+`,
      assignments: `${prefix}/assign/+/+`,
    },
  };
}

function checked(name: string, pattern: RegExp, what: string): string {
  if (pattern.test(name)) return name;
  throw new DunlinError(`"${name}" is no name of a ${what}; it has to match ${pattern.source}`, {
    code: 'input-invalid',
  });
}

/** Whether an MQTT filter covers a topic. MQTT 3.1.1, 4.7 */
export function filterMatches(filter: string, topic: string): boolean {
  if (filter === topic) return true;
  const levels = filter.split('/');
  const names = topic.split('/');
  const wild = levels[0] === '#' || levels[0] === '+';
  if (wild && topic.startsWith('$')) return false;
  for (const [index, level] of levels.entries()) {
    if (level === '#') return true;
    if (index >= names.length || (level !== '+' && level !== names[index])) return false;
  }
  return levels.length === names.length;
}
