import type { DeviceEnd, LinePeer } from './memory-line.ts';
import { openPty, type Pty } from './pty.ts';
import { SmpDevice } from './smp-device.ts';
import type { SmpDeviceOptions } from './smp-upload.ts';

/** A fake device behind a real serial device, for commands that run as processes of their own. */
export interface PtyDevice {
  readonly device: SmpDevice;
  readonly path: string;
  /** Bytes that came over the line so far. */
  receivedBytes(): number;
  /** Called with how many that are, whenever some come. */
  onReceived: (receivedBytes: number) => void;
  /** Whatever comes is thrown away from now on, as of a cable that is loose. */
  isDeaf: boolean;
  close(): Promise<void>;
}

export async function openPtyDevice(options: SmpDeviceOptions = {}): Promise<PtyDevice> {
  const pty = await openPty();
  const end = new PtyEnd(pty);
  const device = new SmpDevice(end, options);
  let count = 0;
  const opened: PtyDevice = {
    device,
    path: pty.path,
    receivedBytes: () => count,
    onReceived: () => {},
    isDeaf: false,
    close: () => pty.close(),
  };
  pty.onData((bytes) => {
    count += bytes.byteLength;
    if (!opened.isDeaf) end.peer?.receive(bytes);
    opened.onReceived(count);
  });
  return opened;
}

class PtyEnd implements DeviceEnd {
  peer: LinePeer | undefined;
  readonly #pty: Pty;

  constructor(pty: Pty) {
    this.#pty = pty;
  }

  send(bytes: Uint8Array): void {
    this.#pty.write(bytes);
  }

  cut(): void {
    void this.#pty.close();
  }
}
