import { read } from 'node:fs';
import type { SerialPort } from 'serialport';
import { errnoOf } from '../../core/index.ts';

/** What a port of @serialport/bindings-cpp 13 has on Linux. */
interface LinuxPort {
  readonly fd: number | null;
  /** Of the last write: null once it is done. */
  readonly writeOperation: Promise<unknown> | null;
  readonly poller: {
    once(event: 'readable', listener: (error: Error | null) => void): unknown;
  };
  read(
    buffer: Buffer,
    offset: number,
    length: number,
  ): Promise<{ buffer: Buffer; bytesRead: number }>;
}

/**
 * Gives an open port a read of ours, before anything is read. A terminal whose other end is gone reads as 0
 * bytes for ever (POSIX, "Modem Disconnect"), and @serialport/bindings-cpp 13 then reads again at once, with
 * a whole core, and tells nobody (its issue 162). Ports are open for non-blocking reads of at least one byte,
 * so 0 bytes mean nothing else.
 * @returns once the port is closed: resolves when no system call has it any more. Until then it is locked.
 */
export function endAtHangUp(port: SerialPort): () => Promise<void> {
  const linux = port.port as unknown as LinuxPort;
  let reading: Promise<unknown> | undefined;
  linux.read = (buffer, offset, length) => {
    const read = readOnce(linux, buffer, offset, length);
    reading = read;
    return read;
  };
  return async () => {
    await Promise.allSettled([reading, linux.writeOperation]);
  };
}

async function readOnce(port: LinuxPort, buffer: Buffer, offset: number, length: number) {
  for (;;) {
    if (port.fd === null) throw closed();
    const bytesRead = await readSome(port.fd, buffer, offset, length);
    // Closed in the meantime: its poller is destroyed, and polling with it ends the process by SIGSEGV.
    if (port.fd === null) throw closed();
    if (bytesRead === 0) throw new Error('the device is gone');
    if (bytesRead !== undefined) return { buffer, bytesRead };
    await readable(port);
  }
}

/** By which the binding knows that nothing went wrong. */
function closed(): Error {
  return Object.assign(new Error('closed'), { canceled: true });
}

/** Undefined when there is nothing to read yet. */
function readSome(
  fd: number,
  buffer: Buffer,
  offset: number,
  length: number,
): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    read(fd, buffer, offset, length, null, (error, bytesRead) => {
      const errno = errnoOf(error);
      if (error === null) resolve(bytesRead);
      else if (errno === 'EAGAIN' || errno === 'EINTR') resolve(undefined);
      else reject(error);
    });
  });
}

/** Rejects with `canceled` when the port is closed meanwhile. */
function readable(port: LinuxPort): Promise<void> {
  return new Promise((resolve, reject) => {
    port.poller.once('readable', (error) => {
      if (error) reject(error);
      else resolve();
    });
  });
}
