import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { DunlinError, readNamedFile } from '../core/index.ts';
import { packetGuard } from './packet-guard.ts';

/** Where the broker is and how it is spoken to. Files are read anew for every connection, so they may be renewed. */
export interface BrokerAddress {
  /** `mqtt://host[:port]` or `mqtts://host[:port]`; no user or password in it. */
  readonly url: string;
  /** PEM; without it the system's authorities are trusted. */
  readonly caFile?: string;
  /** PEM of the client's certificate; needs `keyFile`. */
  readonly certFile?: string;
  readonly keyFile?: string;
  readonly username?: string;
  /** First line of this file; needs `username`. */
  readonly passwordFile?: string;
}

export interface Credentials {
  readonly username?: string;
  readonly password?: string;
}

/** Everything that one connection needs, read and checked. */
export interface Endpoint {
  readonly credentials: Credentials;
  open(): Socket;
}

const DEFAULT_PORTS: Record<string, number> = { 'mqtt:': 1883, 'mqtts:': 8883 };
const MAX_PEM_BYTES = 1024 * 1024;
const MAX_PASSWORD_FILE_BYTES = 4096;
/** Far above any chunk or document; a broker that announces more is cut off. */
const MAX_PACKET_BYTES = 8 * 1024 * 1024;

/** @throws `config-invalid`, `file-missing`, `file-unreadable` */
export async function readEndpoint(address: BrokerAddress): Promise<Endpoint> {
  const url = brokerUrl(address);
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const port = url.port === '' ? DEFAULT_PORTS[url.protocol]! : Number(url.port);
  const [ca, cert, key] = await Promise.all(
    [address.caFile, address.certFile, address.keyFile].map((file) => readPem(file)),
  );
  const credentials = await readCredentials(address);
  const servername = isIP(host) === 0 ? { servername: host } : {};
  const open = (): Socket =>
    url.protocol === 'mqtt:'
      ? connectTcp({ host, port, noDelay: true })
      : connectTls({
          host,
          port,
          ...servername,
          ...(ca === undefined ? {} : { ca }),
          ...(cert === undefined ? {} : { cert }),
          ...(key === undefined ? {} : { key }),
          rejectUnauthorized: true,
          minVersion: 'TLSv1.2',
        });
  return { credentials, open: () => guarded(open()) };
}

function guarded(socket: Socket): Socket {
  const accepts = packetGuard(MAX_PACKET_BYTES);
  socket.on('data', (bytes: Uint8Array) => {
    if (accepts(bytes)) return;
    const message = `the broker announced a packet above ${MAX_PACKET_BYTES} bytes`;
    socket.destroy(new DunlinError(message, { code: 'broker-refused' }));
  });
  return socket;
}

function brokerUrl(address: BrokerAddress): URL {
  const bad = (why: string, cause?: unknown): DunlinError =>
    new DunlinError(`broker: ${why}`, { code: 'config-invalid', cause });
  let url: URL;
  try {
    url = new URL(address.url);
  } catch (error) {
    throw bad('the url has to look like mqtt://host:1883 or mqtts://host:8883', error);
  }
  if (DEFAULT_PORTS[url.protocol] === undefined || url.hostname === '') {
    throw bad('the url has to begin with mqtt:// or mqtts:// and name a host');
  }
  if (url.username !== '' || url.password !== '') {
    throw bad('put the user into username and the password into passwordFile, not into the url');
  }
  const { caFile, certFile, keyFile, username, passwordFile } = address;
  if (url.protocol === 'mqtt:' && (caFile ?? certFile ?? keyFile) !== undefined) {
    throw bad('certificates need an mqtts:// url');
  }
  if ((certFile === undefined) !== (keyFile === undefined)) {
    throw bad('certFile and keyFile belong together');
  }
  if (passwordFile !== undefined && username === undefined) {
    throw bad('passwordFile needs username');
  }
  return url;
}

async function readPem(file: string | undefined): Promise<Buffer | undefined> {
  return file === undefined ? undefined : Buffer.from(await readNamedFile(file, MAX_PEM_BYTES));
}

async function readCredentials({ username, passwordFile }: BrokerAddress): Promise<Credentials> {
  if (username === undefined) return {};
  if (passwordFile === undefined) return { username };
  const bytes = await readNamedFile(passwordFile, MAX_PASSWORD_FILE_BYTES);
  const [password = ''] = Buffer.from(bytes).toString('utf8').split(/\r?\n/, 1);
  return { username, password };
}
