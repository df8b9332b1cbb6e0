import { brotliCompressSync, brotliDecompressSync, constants } from 'node:zlib';
import {
  DunlinError,
  openEnvelope,
  type PublicKey,
  type SigningKey,
  sealEnvelope,
} from '../core/index.ts';
import { DeviceEvent, DeviceState, TelemetryBatch } from './documents.ts';

/** A batch after decompression. */
const MAX_BATCH_BYTES = 1024 * 1024;
/** Good enough for JSON, and cheap on a Pi. */
const BROTLI_QUALITY = 5;

export function sealTelemetry(batch: TelemetryBatch, key: SigningKey): Uint8Array {
  return brotliCompressSync(sealEnvelope(batch, [key]), {
    params: { [constants.BROTLI_PARAM_QUALITY]: BROTLI_QUALITY },
  });
}

/** @throws `metadata-malformed`, `untrusted-signature` */
export function openTelemetry(payload: Uint8Array, key: PublicKey): TelemetryBatch {
  let bytes: Uint8Array;
  try {
    bytes = brotliDecompressSync(payload, { maxOutputLength: MAX_BATCH_BYTES });
  } catch (cause) {
    throw new DunlinError('telemetry batch: not brotli, or too large', {
      code: 'metadata-malformed',
      cause,
    });
  }
  return openEnvelope(TelemetryBatch, bytes, [key], 'telemetry batch');
}

export function sealEvent(event: DeviceEvent, key: SigningKey): Uint8Array {
  return sealEnvelope(event, [key]);
}

/** @throws `metadata-malformed`, `untrusted-signature` */
export function openEvent(payload: Uint8Array, key: PublicKey): DeviceEvent {
  return openEnvelope(DeviceEvent, payload, [key], 'device event');
}

export function sealState(state: DeviceState, key: SigningKey): Uint8Array {
  return sealEnvelope(state, [key]);
}

/** @throws `metadata-malformed`, `untrusted-signature` */
export function openState(payload: Uint8Array, key: PublicKey): DeviceState {
  return openEnvelope(DeviceState, payload, [key], 'device state');
}
