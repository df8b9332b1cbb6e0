import type { KeyObject } from 'node:crypto';
import { DunlinError } from '../../core/index.ts';
import { requireProgram } from './elf.ts';
import { flattenImage, hex, malformedImage } from './flash-image.ts';
import {
  buildMcubootImage,
  IMAGE_FLAG_NON_BOOTABLE,
  looksLikeMcuboot,
  type McubootImage,
  type McubootVersion,
  parseMcubootImage,
  verifyMcubootImage,
} from './mcuboot.ts';
import { imageFormat, parseFlashImage } from './parse.ts';

/** What a signed image of a board's firmware looks like; its profile says it. */
export interface FirmwareLayout {
  /** What is signed of an ELF file: what it loads into flash, or the file as it is. */
  readonly payload: 'segments' | 'file';
  /** From the start of the slot to the code. */
  readonly headerBytes: number;
  /** Where the slot starts that firmware runs in. */
  readonly slotAddress?: number | undefined;
  readonly slotBytes?: number | undefined;
}

export interface ContainerOptions {
  readonly version: McubootVersion;
  readonly securityCounter: number;
  readonly privateKey: KeyObject;
}

/**
 * Firmware as a linker or an objcopy left it, as what a bootloader starts: the same bytes that imgtool makes.
 * @param file a plain binary, Intel hex or ELF
 * @throws `image-malformed` (broken, signed already, or linked for another address), `mcu-image-too-large`
 */
export function signFirmware(
  file: Uint8Array,
  what: string,
  layout: FirmwareLayout,
  options: ContainerOptions,
): Uint8Array {
  if (looksLikeMcuboot(file)) throw malformedImage(what, 'is a signed image already');
  const { headerBytes, slotBytes } = layout;
  const body = layout.payload === 'file' ? file : codeOf(file, what, layout);
  if (layout.payload === 'file' && body.byteLength > 0) requireProgram(body, what);
  if (body.byteLength === 0) throw malformedImage(what, 'nothing in it goes into flash');
  const image = buildMcubootImage({ body, headerBytes, ...options });
  if (slotBytes === undefined || image.byteLength <= slotBytes) return image;
  throw new DunlinError(
    `${what}: ${image.byteLength} bytes with header and signature do not fit into ${slotBytes}`,
    { code: 'mcu-image-too-large' },
  );
}

/** A model's execution plan or .tflite as what a model slot takes. */
export function signModel(payload: Uint8Array, options: ContainerOptions): Uint8Array {
  return buildMcubootImage({ body: payload, flags: IMAGE_FLAG_NON_BOOTABLE, ...options });
}

/**
 * A signed container of this kind, its bytes compared with its digest and, where keys are given, its signature with
 * one of them. Without keys it has to have a signature, whoever's: no device takes a file without one.
 * @throws `image-malformed`, `digest-mismatch`, `untrusted-signature`
 */
export function openContainer(
  file: Uint8Array,
  what: string,
  kind: 'firmware' | 'model',
  keys?: readonly KeyObject[],
): McubootImage {
  const image = parseMcubootImage(file, what);
  verifyMcubootImage(image, what, keys);
  const found = (image.flags & IMAGE_FLAG_NON_BOOTABLE) === 0 ? 'firmware' : 'model';
  if (found !== kind) throw malformedImage(what, `holds a ${found}, not a ${kind}`);
  if (image.isSigned) return image;
  throw new DunlinError(`${what}: not signed; name the key to sign it with`, {
    code: 'untrusted-signature',
  });
}

/** The code behind the header. Zephyr leaves the header's room in what it links; others start behind it. */
function codeOf(
  file: Uint8Array,
  what: string,
  { headerBytes, slotAddress }: FirmwareLayout,
): Uint8Array {
  const { address, bytes } = flattenImage(parseFlashImage(file, what), what);
  // No vector table starts with zeros: the first word is where the stack is.
  const hasRoom =
    bytes.byteLength > headerBytes && bytes.subarray(0, headerBytes).every((byte) => byte === 0);
  const codeAddress = hasRoom ? address + headerBytes : address;
  const saysAddress = imageFormat(file) !== 'binary';
  if (saysAddress && slotAddress !== undefined && codeAddress !== slotAddress + headerBytes) {
    throw malformedImage(
      what,
      `its code is linked for ${hex(codeAddress)}, and the slot's starts at ${hex(slotAddress + headerBytes)}`,
    );
  }
  const code = hasRoom ? bytes.subarray(headerBytes) : bytes;
  if (slotAddress !== undefined) requireVectors(code, what, slotAddress + headerBytes);
  return code;
}

/**
 * A Cortex-M starts at the second word of its code, in Thumb state (Armv7-M ARM, B1.5.3). A binary says no address of
 * its own, so this is what tells another file, or code for another address, from firmware.
 */
function requireVectors(code: Uint8Array, what: string, codeAddress: number): void {
  if (code.byteLength >= 8) {
    const view = Buffer.from(code.buffer, code.byteOffset, code.byteLength);
    const [stack, start] = [view.readUInt32LE(0), view.readUInt32LE(4)];
    const isCode = start % 2 === 1 && start > codeAddress && start < codeAddress + code.byteLength;
    if (stack !== 0 && stack % 4 === 0 && isCode) return;
  }
  const end = codeAddress + code.byteLength;
  throw malformedImage(
    what,
    `no firmware for this board, or cut short: it does not start in ${hex(codeAddress)} to ${hex(end)}`,
  );
}
