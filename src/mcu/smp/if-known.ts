import { type ErrorCode, errorCode } from '../../core/index.ts';

/** Undefined where the device does not know the command, or refuses it with one of these codes. */
export async function ifKnown<T>(
  asked: Promise<T>,
  ...codes: readonly ErrorCode[]
): Promise<T | undefined> {
  try {
    return await asked;
  } catch (error) {
    const code = errorCode(error);
    if (code === 'mcu-unsupported' || (code !== undefined && codes.includes(code))) {
      return undefined;
    }
    throw error;
  }
}
