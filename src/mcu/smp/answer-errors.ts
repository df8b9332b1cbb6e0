import { DunlinError, type ErrorCode, errorMessage, Type } from '../../core/index.ts';
import { type CborMap, checkMap } from './cbor.ts';

export const GROUP_OS = 0;
export const GROUP_IMAGE = 1;
/** The first of the groups that are an application's own; docs/smp-model-group.md. */
export const GROUP_MODEL = 64;

/** Zephyr, `mcumgr_err_t`: errors of SMP itself, and of version 1. */
export const SMP_RC = {
  messageTooLong: 7,
  unsupported: 8,
  versionTooOld: 12,
  versionTooNew: 13,
} as const;

type ErrorRow = readonly [meaning: string, code: ErrorCode];

const PROTOCOL_ERRORS: Readonly<Record<number, ErrorRow>> = {
  1: ['unknown error', 'mcu-refused'],
  2: ['out of memory', 'mcu-refused'],
  3: ['invalid value', 'mcu-refused'],
  4: ['timeout on the device', 'mcu-refused'],
  5: ['no such entry', 'mcu-refused'],
  6: ['not possible in this state', 'mcu-refused'],
  7: ['request too long', 'mcu-refused'],
  8: ['unknown command', 'mcu-unsupported'],
  9: ['data is corrupt', 'mcu-verify-failed'],
  10: ['busy', 'mcu-busy'],
  11: ['access denied', 'mcu-refused'],
  12: ['protocol version too old', 'mcu-unsupported'],
  13: ['protocol version too new', 'mcu-unsupported'],
};

/** Zephyr, `img_mgmt_err_code_t`. */
const IMAGE_ERRORS: Readonly<Record<number, ErrorRow>> = {
  1: ['unknown error', 'mcu-refused'],
  2: ['flash configuration not known', 'mcu-refused'],
  3: ['no image in the slot', 'mcu-image-refused'],
  4: ['image without TLVs', 'mcu-image-refused'],
  5: ['broken TLV', 'mcu-image-refused'],
  6: ['image with several hashes', 'mcu-image-refused'],
  7: ['TLV of a wrong size', 'mcu-image-refused'],
  8: ['no image with this hash', 'mcu-image-refused'],
  9: ['no free slot: an image waits for its test or its confirmation', 'mcu-busy'],
  10: ['flash cannot be opened', 'mcu-refused'],
  11: ['flash cannot be read', 'mcu-refused'],
  12: ['flash cannot be written', 'mcu-refused'],
  13: ['flash cannot be erased', 'mcu-refused'],
  14: ['no such slot', 'mcu-refused'],
  15: ['out of memory', 'mcu-refused'],
  16: ['flash is in use', 'mcu-busy'],
  20: ['offset missing', 'mcu-refused'],
  21: ['length missing', 'mcu-refused'],
  22: ['shorter than an image header', 'mcu-image-refused'],
  23: ['no image header', 'mcu-image-refused'],
  24: ['wrong hash', 'mcu-image-refused'],
  25: ['linked for another address', 'mcu-image-refused'],
  27: ['what runs is newer', 'mcu-downgrade-refused'],
  28: ['an image is pending already', 'mcu-busy'],
  29: ['broken vector table', 'mcu-image-refused'],
  30: ['image too large', 'mcu-image-too-large'],
  31: ['more data than announced', 'mcu-image-too-large'],
  32: ['confirmation denied', 'mcu-refused'],
  33: ['the active image cannot be set to test', 'mcu-refused'],
};

/** docs/smp-model-group.md, "Errors"; the bootloader's and the image group's own refusals use them as well. */
const MODEL_ERRORS: Readonly<Record<number, ErrorRow>> = {
  1: ['unknown error', 'mcu-refused'],
  2: ['no model with this hash', 'mcu-image-refused'],
  3: ['too large for the slot or the memory', 'mcu-image-too-large'],
  4: ['broken, or cut short', 'mcu-image-refused'],
  5: ['the bytes in flash are not the bytes that were announced', 'mcu-verify-failed'],
  6: ['not signed by a key that the device trusts', 'mcu-signature-refused'],
  7: ['security counter too low', 'mcu-downgrade-refused'],
  8: ['of a format or for an engine that the firmware does not have', 'mcu-image-refused'],
  9: ['flash cannot be erased or written', 'mcu-refused'],
  10: ['the self-test was not passed', 'mcu-refused'],
  11: ['no model is active', 'mcu-refused'],
  12: ['more data than the model takes', 'mcu-refused'],
  13: ['busy', 'mcu-busy'],
  14: ['for another board', 'mcu-wrong-board'],
  15: ['flash holds no room: the other model is on trial', 'mcu-busy'],
};

const GROUP_ERRORS: Readonly<Record<number, Readonly<Record<number, ErrorRow>>>> = {
  [GROUP_IMAGE]: IMAGE_ERRORS,
  [GROUP_MODEL]: MODEL_ERRORS,
};

const MAX_REASON_CHARACTERS = 120;

const ErrorFields = Type.Object({
  rc: Type.Optional(Type.Integer()),
  rsn: Type.Optional(Type.Unknown()),
  err: Type.Optional(Type.Object({ group: Type.Integer(), rc: Type.Integer() })),
});

/**
 * The error in an answer, or undefined when it has none: `{rc}` of version 1 (and of SMP itself), `{err:
 * {group, rc}}` of version 2. Zephyr, "SMP Protocol Specification", "Minimal response".
 * Context: `rc`, and `group` where the error is a group's own.
 * @throws `mcu-garbled` when the fields have wrong types
 */
export function answerError(map: CborMap, what: string): DunlinError | undefined {
  const { rc, rsn, err } = checkMap(ErrorFields, map, what);
  if (err !== undefined && err.rc !== 0) {
    const row = GROUP_ERRORS[err.group]?.[err.rc];
    return refusal(what, row, `group ${err.group} error ${err.rc}`, { ...err });
  }
  if (rc === undefined || rc === 0) return undefined;
  const reason = typeof rsn === 'string' ? printable(rsn) : undefined;
  return refusal(what, PROTOCOL_ERRORS[rc], `rc ${rc}`, { rc, reason });
}

/** The `rc` of SMP itself behind an error, else undefined. */
export function protocolRc(error: unknown): number | undefined {
  if (!(error instanceof DunlinError) || error.context['group'] !== undefined) return undefined;
  const { rc } = error.context;
  return typeof rc === 'number' ? rc : undefined;
}

function refusal(
  what: string,
  row: ErrorRow | undefined,
  number: string,
  context: Readonly<Record<string, unknown>> & { readonly reason?: string | undefined },
): DunlinError {
  const [meaning, code] = row ?? ['an error of its own', 'mcu-refused'];
  const tail = context.reason === undefined ? '' : `, "${context.reason}"`;
  return new DunlinError(`${what}: the device says: ${meaning} (${number}${tail})`, {
    code,
    context,
  });
}

/** Text of a device goes into logs and terminals: bounded, and without control characters. */
export function printable(text: string, maxCharacters = MAX_REASON_CHARACTERS): string {
  return text.replace(/\p{C}/gu, '?').slice(0, maxCharacters);
}

/** For a line that failed in the system's words. */
export function unreachable(name: string, cause: unknown): DunlinError {
  if (cause instanceof DunlinError) return cause;
  return new DunlinError(`${name}: the line is gone (${errorMessage(cause)})`, {
    code: 'mcu-unreachable',
    cause,
  });
}
