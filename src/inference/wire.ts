/**
 * What the agent and its inference child say to each other over a Unix socket: frames of a 16-byte
 * header (kind, payload length, one number) and a payload, little-endian. One request is in flight
 * at a time. This file and the child import nothing of the house, to keep the child small.
 */

export const HEADER_BYTES = 16;
/** A model with its set-up is the largest payload there is, and tflite/limits.ts stops at 256 MiB. */
export const MAX_PAYLOAD_BYTES = 272 * 1024 * 1024;

export const FRAME_KIND = {
  /** To the child: LoadRequest as JSON, its length as the header's number, then the model. */
  load: 1,
  /** To the child: all input tensors, in order, end to end. */
  infer: 2,
  /** From the child: LoadReply as JSON. */
  loaded: 3,
  /** From the child: all output tensors; the header's number is the time of Invoke in microseconds. */
  result: 4,
  /** From the child: why it refuses, as text. */
  refused: 5,
} as const;
export type FrameKind = (typeof FRAME_KIND)[keyof typeof FRAME_KIND];

const MAX_KIND = 5;

export interface LoadRequest {
  /** The runtime's native addon. */
  readonly addonPath: string;
  /** Waits for the socket without sleeping at first; absent, every wait sleeps. */
  readonly socketWaitPath?: string;
  readonly threads: number;
  /** At most one short option: the addon passes dangling pointers for more. */
  readonly delegate?: {
    readonly path: string;
    readonly option?: readonly [key: string, value: string];
    /** Ours is a Node addon too and counts operators; others are only tried with dlopen. */
    readonly counts: boolean;
  };
  readonly inputBytes: readonly number[];
  readonly outputBytes: readonly number[];
}

/** native/socket-wait.c: bytes read, 0 at the end of the stream, -1 when nothing came within `spinUs`. */
export interface SocketWait {
  receive(fd: number, bytes: Buffer, offset: number, spinUs: number): number;
}

export interface LoadReply {
  readonly delegatedOperators?: number;
  readonly totalOperators?: number;
}

export interface Frame {
  readonly kind: FrameKind;
  readonly value: number;
  readonly payload: Uint8Array;
}

/** Writes a header at the start of `target`. */
export function writeHeader(
  target: Buffer,
  kind: FrameKind,
  payloadBytes: number,
  value: number,
): void {
  target.writeUInt32LE(kind, 0);
  target.writeUInt32LE(payloadBytes, 4);
  target.writeDoubleLE(value, 8);
}

export function formatFrame(kind: FrameKind, parts: readonly Uint8Array[], value = 0): Buffer {
  const payloadBytes = parts.reduce((sum, part) => sum + part.byteLength, 0);
  const frame = Buffer.allocUnsafe(HEADER_BYTES + payloadBytes);
  writeHeader(frame, kind, payloadBytes, value);
  fillPayload(frame, parts);
  return frame;
}

/** Writes the parts end to end behind a frame's header. */
export function fillPayload(frame: Buffer, parts: readonly Uint8Array[]): void {
  let offset = HEADER_BYTES;
  for (const part of parts) {
    frame.set(part, offset);
    offset += part.byteLength;
  }
}

/** Cuts a payload into the tensors that it carries end to end; views, no copies. */
export function splitPayload<T extends Uint8Array>(payload: T, lengths: readonly number[]): T[] {
  let end = 0;
  return lengths.map((length) => {
    end += length;
    return payload.subarray(end - length, end) as T;
  });
}

/** @throws RangeError on a kind that is not known or a length above the limit */
export function readHeader(bytes: Buffer): {
  kind: FrameKind;
  payloadBytes: number;
  value: number;
} {
  const kind = bytes.readUInt32LE(0);
  const payloadBytes = bytes.readUInt32LE(4);
  if (kind < 1 || kind > MAX_KIND) throw new RangeError(`frame of unknown kind ${kind}`);
  if (payloadBytes > MAX_PAYLOAD_BYTES) throw new RangeError(`frame of ${payloadBytes} bytes`);
  return { kind: kind as FrameKind, payloadBytes, value: bytes.readDoubleLE(8) };
}

/** Puts a stream's pieces together again. A frame that comes in one piece is not copied. */
export class FrameReader {
  readonly #maxPayloadBytes: number;
  #pending: Buffer[] = [];
  #pendingBytes = 0;

  constructor(maxPayloadBytes = MAX_PAYLOAD_BYTES) {
    this.#maxPayloadBytes = maxPayloadBytes;
  }

  /** @throws RangeError when the stream is not one of frames; nothing after that can be trusted */
  push(piece: Buffer): Frame[] {
    this.#pending.push(piece);
    this.#pendingBytes += piece.byteLength;
    const frames: Frame[] = [];
    while (this.#pendingBytes >= HEADER_BYTES) {
      const { kind, payloadBytes, value } = readHeader(this.#head(HEADER_BYTES));
      if (payloadBytes > this.#maxPayloadBytes) {
        throw new RangeError(`frame of ${payloadBytes} bytes, ${this.#maxPayloadBytes} at most`);
      }
      const frameBytes = HEADER_BYTES + payloadBytes;
      if (this.#pendingBytes < frameBytes) break;
      const whole = this.#head(frameBytes);
      frames.push({ kind, value, payload: whole.subarray(HEADER_BYTES, frameBytes) });
      this.#pending = whole.byteLength > frameBytes ? [whole.subarray(frameBytes)] : [];
      this.#pendingBytes -= frameBytes;
    }
    return frames;
  }

  /** The pending bytes with at least the first `count` in one piece. */
  #head(count: number): Buffer {
    const first = this.#pending[0]!;
    if (first.byteLength >= count && this.#pending.length === 1) return first;
    const joined = Buffer.concat(this.#pending, this.#pendingBytes);
    this.#pending = [joined];
    return joined;
  }
}
