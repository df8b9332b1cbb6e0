import { type ChildProcess, spawn } from 'node:child_process';

/** A pseudo-terminal: `path` is the device to open, this object the other end of its cable. */
export interface Pty {
  readonly path: string;
  write(bytes: Uint8Array): void;
  /** Whatever is written to the device from now on. */
  onData(listener: (bytes: Uint8Array) => void): void;
  /** The cable is pulled. */
  close(): Promise<void>;
}

const PATH = /(\/dev\/pts\/\d+)\r?\nready\r?\n/;

/** By `script` of util-linux, which every Debian has: its standard streams are the terminal's master end. */
export async function openPty(): Promise<Pty> {
  const command = 'tty; stty raw -echo; echo ready; exec sleep 300';
  const child = spawn('script', ['-qfc', command, '/dev/null'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const path = await new Promise<string>((resolve, reject) => {
    let text = '';
    const read = (bytes: Buffer): void => {
      text += bytes.toString('latin1');
      const found = PATH.exec(text)?.[1];
      if (found === undefined) return;
      child.stdout.off('data', read);
      resolve(found);
    };
    child.stdout.on('data', read);
    child.once('error', reject);
    child.once('exit', () => reject(new Error(`script ended: ${text}`)));
  });
  // Bytes for a cable that was pulled go nowhere.
  child.stdin.on('error', () => {});
  return {
    path,
    write: (bytes) => child.stdin.write(bytes),
    onData: (listener) => child.stdout.on('data', listener),
    close: () => ended(child),
  };
}

function ended(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) return resolve();
    child.once('exit', () => resolve());
    child.kill('SIGKILL');
  });
}
