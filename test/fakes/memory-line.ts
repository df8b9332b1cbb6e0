import { DunlinError } from '../../src/core/index.ts';
import type { LineListener, SerialLine } from '../../src/mcu/index.ts';
import type { EagerClock } from './eager-clock.ts';

/** What the wire does to bytes under way: other bytes, or none. */
export type Wire = (bytes: Uint8Array) => Uint8Array;

export interface LinePeer {
  receive(bytes: Uint8Array): void;
}

/** The device's end of a line. */
export interface DeviceEnd {
  /** Gets what comes over the line. */
  peer: LinePeer | undefined;
  send(bytes: Uint8Array): void;
  /** Pulls the cable. */
  cut(): void;
}

/** A serial line in memory; bytes arrive a turn of the event loop later, and the cable can be pulled. */
export class MemoryLine implements SerialLine, DeviceEnd {
  readonly name = 'memory';
  readonly bytesPerSecond = 11_520;
  toDevice: Wire = (bytes) => bytes;
  toHost: Wire = (bytes) => bytes;
  /** Refused the next so many times. */
  refuseOpens = 0;
  opens = 0;
  writtenBytes = 0;
  /** After so many written bytes the cable is pulled, once. */
  cutAfterBytes = Number.POSITIVE_INFINITY;
  peer: LinePeer | undefined;
  readonly #clock: Pick<EagerClock, 'stir'>;
  #listener: LineListener | undefined;

  constructor(clock: Pick<EagerClock, 'stir'>) {
    this.#clock = clock;
  }

  async open(listener: LineListener): Promise<void> {
    this.opens++;
    if (this.refuseOpens > 0) {
      this.refuseOpens--;
      throw new DunlinError('memory: no such device', { code: 'mcu-unreachable' });
    }
    this.#listener = listener;
  }

  async write(bytes: Uint8Array): Promise<void> {
    if (this.#listener === undefined) throw new Error('not open');
    this.writtenBytes += bytes.byteLength;
    if (this.writtenBytes >= this.cutAfterBytes) {
      this.cutAfterBytes = Number.POSITIVE_INFINITY;
      this.cut();
      throw new Error('EIO');
    }
    const changed = this.toDevice(bytes);
    setImmediate(() => {
      this.#clock.stir();
      this.peer?.receive(changed);
    });
  }

  async close(): Promise<void> {
    this.#listener = undefined;
  }

  /** From the device, to whoever has the line open. */
  send(bytes: Uint8Array): void {
    const changed = this.toHost(bytes);
    const listener = this.#listener;
    setImmediate(() => {
      this.#clock.stir();
      if (listener === this.#listener) listener?.data(changed);
    });
  }

  /** The cable is pulled: what is under way is lost. */
  cut(): void {
    const listener = this.#listener;
    this.#listener = undefined;
    listener?.vanished(new Error('EIO'));
  }
}
