/** What a serial line tells whoever opened it. */
export interface LineListener {
  data(bytes: Uint8Array): void;
  /** The other end is gone: unplugged, or the process behind a pty has ended. Comes once at most; not after `close`. */
  vanished(cause: unknown): void;
}

/**
 * A serial line with one owner. The listener is part of opening, since a peer that vanishes is noticed only
 * where somebody listens for data.
 */
export interface SerialLine {
  /** For people. */
  readonly name: string;
  /** Bits a second divided by 10: a start bit, 8 data bits, a stop bit. */
  readonly bytesPerSecond: number;
  /** May be opened again after it vanished or was closed. @throws `mcu-unreachable`, `mcu-busy` */
  open(listener: LineListener): Promise<void>;
  /** Resolves when the bytes have been handed to the system. @throws `mcu-unreachable` */
  write(bytes: Uint8Array): Promise<void>;
  /** Nothing happens when it is closed. */
  close(): Promise<void>;
}
