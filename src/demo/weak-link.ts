import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

const TICK_MS = 20;
/** Bytes that may wait for a device on the link before reading from the broker stops. */
const MAX_BUFFERED_BYTES = 64 * 1024;

interface Pair {
  readonly device: Socket;
  readonly broker: Socket;
  readonly queue: Buffer[];
  queuedBytes: number;
}

/**
 * The device's way to the broker: a TCP relay that lets so many bytes a second through towards the device,
 * as a weak radio link would. Knows nothing of what it carries, so TLS passes too.
 */
export class WeakLink {
  readonly #server: Server;
  readonly #pairs = new Set<Pair>();
  readonly #timer: NodeJS.Timeout;
  readonly #brokerPort: number;
  bytesPerSecond: number;
  /** While false, whoever knocks is turned away. */
  admitting = true;

  private constructor(brokerPort: number, bytesPerSecond: number) {
    this.#brokerPort = brokerPort;
    this.bytesPerSecond = bytesPerSecond;
    this.#server = createServer((device) => this.#accept(device));
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
  }

  static async open(brokerPort: number, bytesPerSecond: number): Promise<WeakLink> {
    const link = new WeakLink(brokerPort, bytesPerSecond);
    link.#server.listen(0, '127.0.0.1');
    await once(link.#server, 'listening');
    return link;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Cuts whoever is connected. */
  cut(): void {
    for (const { device, broker } of this.#pairs) {
      device.destroy();
      broker.destroy();
    }
    this.#pairs.clear();
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.cut();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #accept(device: Socket): void {
    if (!this.admitting) {
      device.destroy();
      return;
    }
    const broker = connect(this.#brokerPort, '127.0.0.1');
    const pair: Pair = { device, broker, queue: [], queuedBytes: 0 };
    this.#pairs.add(pair);
    device.on('data', (data) => broker.write(data));
    broker.on('data', (data) => {
      pair.queue.push(data);
      pair.queuedBytes += data.length;
      if (pair.queuedBytes > MAX_BUFFERED_BYTES) broker.pause();
    });
    const end = (): void => {
      this.#pairs.delete(pair);
      device.destroy();
      broker.destroy();
    };
    for (const socket of [device, broker]) socket.on('error', end).on('close', end);
  }

  #tick(): void {
    const allowance = Math.max(1, Math.round((this.bytesPerSecond * TICK_MS) / 1000));
    for (const pair of this.#pairs) {
      let left = allowance;
      while (left > 0 && pair.queue.length > 0) {
        const head = pair.queue.shift()!;
        pair.device.write(head.subarray(0, left));
        if (head.length > left) pair.queue.unshift(head.subarray(left));
        const sent = Math.min(left, head.length);
        pair.queuedBytes -= sent;
        left -= sent;
      }
      if (pair.queuedBytes <= MAX_BUFFERED_BYTES) pair.broker.resume();
    }
  }
}
