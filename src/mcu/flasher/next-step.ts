import type { ErrorCode } from '../../core/index.ts';
import type { JournalRecord } from './journal.ts';

/** Where the file of the job is on the device, as the device tells. */
export interface DeviceView {
  readonly place: /** Not there, or not whole. */
    | 'absent'
    /** In a slot, and nothing is to happen to it. */
    | 'stored'
    /** Runs after the next reset. */
    | 'pending'
    /** Runs, and not any more after a reset. */
    | 'trial'
    /** Runs, and after a reset as well. */
    | 'confirmed';
  /** Sent whole in this life of ours, and the device found its digest right. */
  readonly isSent: boolean;
  /** It passed the self-test in this trial, or there is none to pass. */
  readonly isTested: boolean;
  /** The device would not take an upload: something else is pending or on trial. */
  readonly isBlocked: boolean;
}

export type FlashStep =
  | { readonly kind: 'upload' }
  /** Ends whatever else is pending or on trial. */
  | { readonly kind: 'clear' }
  /** Firmware is pending afterwards, a model on trial. */
  | { readonly kind: 'test' }
  | { readonly kind: 'reset' }
  | { readonly kind: 'self-test' }
  | { readonly kind: 'confirm' }
  /** Ends the trial: what ran before runs again. */
  | { readonly kind: 'withdraw' }
  | { readonly kind: 'done' }
  | { readonly kind: 'failed'; readonly reason: ErrorCode };

/** How often a file may start on trial: a power cut in a trial is not the file's fault. */
export const MAX_TRIALS = 3;

/**
 * The next step of a job. Pure: what the device is decides, the journal tells only what that cannot show,
 * namely how often the file was tried and whether it has been given up.
 */
export function nextStep(record: JournalRecord, view: DeviceView): FlashStep {
  const { phase } = record;
  if (phase === 'done') return { kind: 'done' };
  if (phase === 'failed') return { kind: 'failed', reason: reasonOf(record) };
  if (view.place === 'confirmed') return { kind: 'done' };
  if (phase === 'withdraw') {
    if (view.place === 'trial') return { kind: 'withdraw' };
    return { kind: 'failed', reason: reasonOf(record) };
  }
  switch (view.place) {
    case 'trial':
      return { kind: view.isTested ? 'confirm' : 'self-test' };
    case 'pending':
      return { kind: 'reset' };
    case 'stored':
      if (record.trials < MAX_TRIALS) return { kind: 'test' };
      return { kind: 'failed', reason: 'mcu-reverted' };
    case 'absent':
      // Once it was tried and is gone, the device threw it out; it would again, unless power cut off what was sent.
      if (phase !== 'upload' && (view.isSent || record.trials >= MAX_TRIALS)) {
        return { kind: 'failed', reason: 'mcu-reverted' };
      }
      return { kind: view.isBlocked ? 'clear' : 'upload' };
  }
}

/**
 * The record to make durable before a step is carried out. Whatever starts a trial is counted before it
 * starts: a kill in between counts one too many, never one too few.
 */
export function recordBefore(record: JournalRecord, step: FlashStep): JournalRecord {
  switch (step.kind) {
    case 'test':
      return { ...record, phase: 'trial', trials: record.trials + 1 };
    case 'confirm':
      return { ...record, phase: 'confirm' };
    case 'done':
      return { ...record, phase: 'done' };
    case 'failed':
      return { ...record, phase: 'failed', reason: step.reason };
    default:
      return record;
  }
}

/** The device, or its self-test, refused for good: back to what ran before. */
export function givenUp(record: JournalRecord, reason: ErrorCode): JournalRecord {
  return { ...record, phase: 'withdraw', reason: record.reason ?? reason };
}

function reasonOf({ reason }: JournalRecord): ErrorCode {
  return reason ?? 'mcu-refused';
}
