import test from 'ava';
import fc from 'fast-check';
import type { ErrorCode } from '../../src/core/index.ts';
import {
  type DeviceView,
  type FlashStep,
  givenUp,
  type JournalRecord,
  MAX_TRIALS,
  nextStep,
  recordBefore,
} from '../../src/mcu/index.ts';

const MAX_STEPS = 32;

const RECORD: JournalRecord = {
  kind: 'firmware',
  boards: ['native'],
  hashHex: '0'.repeat(64),
  version: '1.0.0',
  sizeBytes: 1,
  payloadSha256: '0'.repeat(64),
  phase: 'upload',
  trials: 0,
  startedMs: 0,
};

/** A device as the planner sees it, and what the file in it is worth. */
interface Model {
  place: DeviceView['place'];
  isTested: boolean;
  isBlocked: boolean;
  isSent: boolean;
  readonly isGood: boolean;
}

/** What may happen between two steps, or instead of one. */
type Event = 'nothing' | 'power-cut' | 'killed-before' | 'killed-after' | 'erased';

const someEvent = fc.constantFrom<Event>(
  'nothing',
  'nothing',
  'nothing',
  'power-cut',
  'killed-before',
  'killed-after',
  'erased',
);

function powerCut(device: Model): void {
  device.isTested = false;
  if (device.place === 'trial') device.place = 'stored';
  else if (device.place === 'pending') device.place = 'trial';
}

/** Carries a step out; the code of a refusal, else undefined. */
function perform(
  device: Model,
  kind: JournalRecord['kind'],
  step: FlashStep,
): ErrorCode | undefined {
  switch (step.kind) {
    case 'upload':
      if (device.isBlocked) return undefined;
      device.place = 'stored';
      device.isSent = true;
      return undefined;
    case 'clear':
      device.isBlocked = false;
      return undefined;
    case 'test':
      device.place = kind === 'firmware' ? 'pending' : 'trial';
      return undefined;
    case 'reset':
      powerCut(device);
      return undefined;
    case 'self-test':
      device.isTested = device.isGood;
      return device.isGood ? undefined : 'golden-mismatch';
    case 'confirm':
      device.place = 'confirmed';
      return undefined;
    case 'withdraw':
      device.place = 'stored';
      return undefined;
    default:
      return undefined;
  }
}

test('whatever happens on the way, a job ends: confirmed and good, or failed and not running', (t) => {
  fc.assert(
    fc.property(
      fc.constantFrom('firmware' as const, 'model' as const),
      fc.constantFrom<DeviceView['place']>('absent', 'stored', 'pending', 'trial'),
      fc.boolean(),
      fc.boolean(),
      fc.array(someEvent, { maxLength: 12 }),
      (kind, place, isGood, isBlocked, events) => {
        const device: Model = { place, isTested: false, isBlocked, isSent: false, isGood };
        let record: JournalRecord = { ...RECORD, kind };
        for (let count = 0; count < MAX_STEPS; count++) {
          const event = events[count] ?? 'nothing';
          if (event === 'erased' && device.place !== 'confirmed') device.place = 'absent';
          const step = nextStep(record, device);
          t.deepEqual(nextStep(record, device), step, 'the same question, the same answer');
          if (step.kind === 'done') return device.place === 'confirmed' && device.isGood;
          if (step.kind === 'failed') return device.place !== 'trial';
          if (step.kind === 'confirm' && !device.isTested) return false;
          if (record.phase === 'withdraw' && ['upload', 'test', 'confirm'].includes(step.kind)) {
            return false;
          }
          record = recordBefore(record, step);
          // A kill loses nothing durable but the step: the record is written before it.
          if (event.startsWith('killed')) device.isSent = false;
          if (event === 'killed-before') continue;
          const refusal = perform(device, kind, step);
          if (event === 'killed-after') {
            if (refusal !== undefined) device.isTested = false;
            continue;
          }
          if (refusal !== undefined) record = givenUp(record, refusal);
          if (event === 'power-cut') powerCut(device);
        }
        return false;
      },
    ),
    { numRuns: 5000 },
  );
  t.pass();
});

test('a file that never stays is tried so often and no more', (t) => {
  const view = { place: 'stored', isTested: false, isBlocked: false, isSent: true } as const;
  let record = RECORD;
  for (let trial = 0; trial < MAX_TRIALS; trial++) {
    const step = nextStep(record, view);
    t.is(step.kind, 'test');
    record = recordBefore(record, step);
  }
  t.deepEqual(nextStep(record, view), { kind: 'failed', reason: 'mcu-reverted' });
});

test('a file that is gone after its trial is sent again by a later life, and not by the one that sent it', (t) => {
  const record: JournalRecord = { ...RECORD, phase: 'trial', trials: 1 };
  const view = { place: 'absent', isTested: false, isBlocked: false } as const;
  t.is(nextStep(record, { ...view, isSent: true }).kind, 'failed');
  t.is(nextStep(record, { ...view, isSent: false }).kind, 'upload');
  t.is(nextStep({ ...record, trials: MAX_TRIALS }, { ...view, isSent: false }).kind, 'failed');
});

test('what is over stays over, and the first reason is kept', (t) => {
  const view = { place: 'trial', isTested: true, isBlocked: false, isSent: true } as const;
  t.is(nextStep({ ...RECORD, phase: 'done' }, view).kind, 'done');
  const failed = givenUp(givenUp(RECORD, 'golden-mismatch'), 'mcu-busy');
  t.is(failed.reason, 'golden-mismatch');
  t.is(nextStep(failed, view).kind, 'withdraw');
  t.deepEqual(nextStep({ ...failed, phase: 'failed' }, view), {
    kind: 'failed',
    reason: 'golden-mismatch',
  });
});
