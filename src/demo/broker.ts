import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { DunlinError } from '../core/index.ts';

/** How a client reaches the broker; the port is the broker's own or a relay's. */
export interface BrokerAccess {
  readonly scheme: 'mqtt' | 'mqtts';
  readonly caFile?: string;
  readonly certFile?: string;
  readonly keyFile?: string;
  readonly username?: string;
  readonly passwordFile?: string;
}

/** A broker that the tour may kill. Another one (mosquitto over TLS, say) can stand in for aedes. */
export interface DemoBroker {
  readonly name: string;
  readonly access: BrokerAccess;
  readonly port: number;
  readonly running: boolean;
  /** Starts it, again on the same port after the first time. */
  start(): Promise<void>;
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>;
}

export class AedesBroker implements DemoBroker {
  readonly name = 'aedes';
  readonly access: BrokerAccess = { scheme: 'mqtt' };
  #child: ChildProcess | undefined;
  #port = 0;

  get port(): number {
    return this.#port;
  }

  get running(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null;
  }

  async start(): Promise<void> {
    const script = fileURLToPath(new URL('./broker-process.ts', import.meta.url)).replace(
      /\.ts$/,
      '.js',
    );
    const child = fork(script, [String(this.#port)], {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    this.#child = child;
    const message = once(child, 'message') as Promise<[{ address: AddressInfo }]>;
    const gone = once(child, 'exit').then(([code]) => {
      throw new DunlinError(`the broker process ended at once (${code})`, {
        code: 'broker-unreachable',
      });
    });
    const [{ address }] = await Promise.race([message, gone]);
    gone.catch(() => {});
    this.#port = address.port;
  }

  async kill(): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exit = once(child, 'exit');
    child.kill('SIGKILL');
    await exit;
    this.#child = undefined;
  }
}
