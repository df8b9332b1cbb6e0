import { DunlinError, errnoOf } from '../../core/index.ts';

/** @param what the file that is at fault, as it was named */
export function invalid(what: string, reason: string, cause?: unknown): DunlinError {
  return new DunlinError(`${what}: ${reason}`, {
    code: 'input-invalid',
    ...(cause === undefined ? {} : { cause }),
  });
}

/** For a file or folder that cannot be opened or listed. */
export function unreadable(path: string, cause: unknown): DunlinError {
  return errnoOf(cause) === 'ENOENT'
    ? new DunlinError(`${path}: no such file or folder`, { code: 'file-missing', cause })
    : new DunlinError(`${path}: cannot be read (${errnoOf(cause) ?? cause})`, {
        code: 'file-unreadable',
        cause,
      });
}
