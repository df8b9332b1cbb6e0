import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/** Where the Debian package puts it. */
const MOSQUITTO = '/usr/sbin/mosquitto';
const MOSQUITTO_PASSWD = '/usr/bin/mosquitto_passwd';
const START_TIMEOUT_MS = 20_000;

export const mosquittoIsInstalled = (): boolean =>
  existsSync(MOSQUITTO) && existsSync(MOSQUITTO_PASSWD);

/** Files for one side of a TLS connection, PEM. */
export interface TlsFiles {
  readonly caFile: string;
  readonly certFile: string;
  readonly keyFile: string;
}

function openssl(...parameters: string[]): void {
  execFileSync('openssl', parameters, { stdio: ['ignore', 'ignore', 'pipe'] });
}

/** An authority of its own, a certificate for 127.0.0.1 and localhost, and one for a client. */
export async function makeCertificates(
  dir: string,
  client: string,
): Promise<{ readonly server: TlsFiles; readonly client: TlsFiles }> {
  const at = (name: string): string => join(dir, name);
  const caFile = at('ca.pem');
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  openssl(
    ...['req', '-x509', ...curve, '-days', '2', '-subj', '/CN=Dunlin test CA'],
    ...['-keyout', at('ca.key'), '-out', caFile],
  );
  const issue = async (name: string, subject: string, extensions: string): Promise<TlsFiles> => {
    const [keyFile, certFile, request, extensionFile] = ['key', 'pem', 'csr', 'ext'].map((kind) =>
      at(`${name}.${kind}`),
    ) as [string, string, string, string];
    await writeFile(extensionFile, extensions);
    openssl('req', ...curve, '-subj', `/CN=${subject}`, '-keyout', keyFile, '-out', request);
    openssl(
      ...['x509', '-req', '-in', request, '-CA', caFile, '-CAkey', at('ca.key')],
      ...['-CAcreateserial', '-days', '2', '-extfile', extensionFile, '-out', certFile],
    );
    return { caFile, certFile, keyFile };
  };
  return {
    server: await issue('server', 'localhost', 'subjectAltName=IP:127.0.0.1,DNS:localhost\n'),
    client: await issue('client', client, 'extendedKeyUsage=clientAuth\n'),
  };
}

export interface MosquittoOptions {
  /** Configuration beyond the listener, one setting a line. */
  readonly settings?: readonly string[];
  /** TLS with a client certificate demanded. */
  readonly tls?: TlsFiles;
  /** Without users anybody may log in. */
  readonly users?: Readonly<Record<string, string>>;
}

/** The real broker as a process of its own. */
export class Mosquitto {
  readonly port: number;
  readonly #dir: string;
  readonly #tls: boolean;
  #child: ChildProcess | undefined;

  private constructor(dir: string, port: number, tls: boolean) {
    this.#dir = dir;
    this.port = port;
    this.#tls = tls;
  }

  static async start({ settings = [], tls, users }: MosquittoOptions = {}): Promise<Mosquitto> {
    const dir = await mkdtemp(join(tmpdir(), 'dunlin-mosquitto-'));
    const port = await freePort();
    const passwords = join(dir, 'passwords');
    const lines = [`listener ${port} 127.0.0.1`, `allow_anonymous ${users === undefined}`];
    if (tls !== undefined) {
      lines.push(`cafile ${tls.caFile}`, `certfile ${tls.certFile}`, `keyfile ${tls.keyFile}`);
      lines.push('require_certificate true');
    }
    if (users !== undefined) {
      await writeFile(passwords, '', { mode: 0o600 });
      for (const [name, password] of Object.entries(users)) {
        execFileSync(MOSQUITTO_PASSWD, ['-b', passwords, name, password], { stdio: 'ignore' });
      }
      lines.push(`password_file ${passwords}`);
    }
    // Started by root, mosquitto changes to a user that cannot read the test's files.
    if (process.getuid?.() === 0) lines.push('user root');
    await writeFile(join(dir, 'mosquitto.conf'), `${[...lines, ...settings].join('\n')}\n`);
    const broker = new Mosquitto(dir, port, tls !== undefined);
    await broker.restart();
    return broker;
  }

  get url(): string {
    return `${this.#tls ? 'mqtts' : 'mqtt'}://127.0.0.1:${this.port}`;
  }

  /** Starts it (again), on the same port; resolves when it listens. */
  async restart(): Promise<void> {
    const child = spawn(MOSQUITTO, ['-c', join(this.#dir, 'mosquitto.conf')], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    this.#child = child;
    let log = '';
    child.stderr.on('data', (bytes: Buffer) => {
      log = `${log}${bytes.toString()}`.slice(-2000);
    });
    for (const end = Date.now() + START_TIMEOUT_MS; !(await listens(this.port)); await delay(10)) {
      if (child.exitCode !== null || Date.now() > end) throw new Error(`mosquitto: ${log}`);
    }
  }

  async kill(signal: 'SIGKILL' | 'SIGTERM' = 'SIGKILL'): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    await exited;
  }

  /** Ends it and removes its files. */
  async stop(): Promise<void> {
    await this.kill();
    await rm(this.#dir, { recursive: true, force: true });
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (typeof address !== 'object' || address === null) throw new Error('no port');
  return address.port;
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' });
    const end = (answer: boolean) => (): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('connect', end(true));
    socket.once('error', end(false));
  });
}
