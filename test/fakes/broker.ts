import { createServer, type Server, type Socket } from 'node:net';
import { Aedes } from 'aedes';

/** A message on its way to one client. */
export interface Delivery {
  readonly clientId: string;
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly retain: boolean;
}

/** What the broker does to its clients; every one may be changed while it runs. */
export interface BrokerHooks {
  /** The payload to deliver instead, or undefined to lose it. */
  forward?: (delivery: Delivery) => Uint8Array | undefined;
  refuseLogin?: (clientId: string, username: string | undefined, password: string) => boolean;
  refuseSubscribe?: (topic: string, clientId: string) => boolean;
  /** Sees every SUBSCRIBE packet's topics. */
  onSubscribe?: (topics: readonly string[], clientId: string) => void;
  /** Sees every UNSUBSCRIBE packet's topics, once it has been carried out. */
  onUnsubscribe?: (topics: readonly string[], clientId: string) => void;
}

export interface Packet {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly qos: 0 | 1 | 2;
  readonly retain: boolean;
}

/** A real broker (aedes) in this process that misbehaves on request. */
export class FakeBroker {
  readonly hooks: BrokerHooks;
  /** What clients published, oldest first; the broker's own $SYS messages left out. */
  readonly published: Packet[] = [];
  /** Deliveries by topic, tampered ones included. */
  readonly deliveries = new Map<string, number>();
  readonly retained = new Map<string, Packet>();
  readonly sockets = new Set<Socket>();
  /** Called with every message of a client, wills included. */
  readonly listeners = new Set<(packet: Packet) => void>();
  connections = 0;
  #port = 0;
  #aedes: Aedes | undefined;
  #server: Server | undefined;

  private constructor(hooks: BrokerHooks) {
    this.hooks = hooks;
  }

  static async start(hooks: BrokerHooks = {}): Promise<FakeBroker> {
    const broker = new FakeBroker(hooks);
    await broker.restart();
    return broker;
  }

  get url(): string {
    return `mqtt://127.0.0.1:${this.#port}`;
  }

  /** As a client would publish it, without one. */
  async publish(topic: string, payload: Uint8Array | string, retain = false): Promise<void> {
    const aedes = this.#aedes;
    if (aedes === undefined) throw new Error('the broker is stopped');
    const bytes = Buffer.from(payload as Uint8Array);
    await new Promise<void>((resolve, reject) => {
      const packet = { cmd: 'publish', topic, payload: bytes, qos: 0, retain, dup: false } as const;
      aedes.publish(packet, (error) => (error ? reject(error) : resolve()));
    });
  }

  /** Cuts every connection as a dead network does; clients may come back at once. */
  cut(): void {
    for (const socket of this.sockets) socket.destroy();
  }

  /** Takes everything and answers nothing on the connections that there are, as one that hangs. */
  fallSilent(): void {
    for (const socket of this.sockets) socket.cork();
  }

  /** As after `kill -9`: connections are gone and nobody listens. */
  async stop(): Promise<void> {
    const [server, aedes] = [this.#server, this.#aedes];
    this.#server = undefined;
    this.#aedes = undefined;
    this.cut();
    if (server !== undefined) await new Promise<void>((resolve) => server.close(() => resolve()));
    if (aedes !== undefined) await new Promise<void>((resolve) => aedes.close(() => resolve()));
  }

  /** Starts again on the same port; without `keepRetained` as a broker that persists nothing. */
  async restart({ keepRetained = false } = {}): Promise<void> {
    const aedes = this.#make();
    await aedes.listen();
    const kept = keepRetained ? [...this.retained.values()] : [];
    this.retained.clear();
    this.#aedes = aedes;
    for (const { topic, payload } of kept) await this.publish(topic, payload, true);
    const server = createServer((socket) => {
      this.sockets.add(socket);
      this.connections++;
      socket.once('close', () => this.sockets.delete(socket));
      socket.on('error', () => {});
      aedes.handle(socket);
    });
    this.#server = server;
    await new Promise<void>((resolve) => server.listen(this.#port, '127.0.0.1', resolve));
    const address = server.address();
    if (typeof address === 'object' && address !== null) this.#port = address.port;
  }

  #make(): Aedes {
    const { hooks } = this;
    const aedes = new Aedes({
      authenticate: (client, username, password, done) => {
        const refused = hooks.refuseLogin?.(client.id, username, String(password ?? '')) ?? false;
        done(null, !refused);
      },
      authorizeSubscribe: (client, subscription, done) => {
        const refused = hooks.refuseSubscribe?.(subscription.topic, client.id) ?? false;
        done(null, refused ? null : subscription);
      },
      authorizeForward: (client, packet) => {
        const { topic, retain } = packet;
        const payload = Buffer.from(packet.payload as Uint8Array);
        const delivery = { clientId: client.id, topic, payload, retain };
        const forwarded = hooks.forward === undefined ? payload : hooks.forward(delivery);
        if (forwarded === undefined) return null;
        this.deliveries.set(topic, (this.deliveries.get(topic) ?? 0) + 1);
        return { ...packet, payload: Buffer.from(forwarded) };
      },
    });
    aedes.on('publish', ({ topic, payload, qos, retain }) => {
      if (topic.startsWith('$SYS')) return;
      const packet = { topic, payload: Buffer.from(payload as Uint8Array), qos, retain };
      this.published.push(packet);
      if (retain && packet.payload.byteLength > 0) this.retained.set(topic, packet);
      else if (retain) this.retained.delete(topic);
      for (const listener of this.listeners) listener(packet);
    });
    aedes.on('subscribe', (subscriptions, client) =>
      hooks.onSubscribe?.(
        subscriptions.map(({ topic }) => topic),
        client.id,
      ),
    );
    aedes.on('unsubscribe', (topics, client) => hooks.onUnsubscribe?.(topics, client.id));
    return aedes;
  }
}
