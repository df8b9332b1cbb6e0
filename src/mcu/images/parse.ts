import { looksLikeElf, parseElf } from './elf.ts';
import { type FlashImage, flashImage, MAX_IMAGE_BYTES, malformedImage } from './flash-image.ts';
import { looksLikeIntelHex, parseIntelHex } from './intel-hex.ts';

export type ImageFormat = 'binary' | 'intel-hex' | 'elf';

/** Told by what the file begins with, not by its name. */
export function imageFormat(file: Uint8Array): ImageFormat {
  if (looksLikeElf(file)) return 'elf';
  return looksLikeIntelHex(file) ? 'intel-hex' : 'binary';
}

/**
 * @param baseAddress where a plain binary goes; the other formats say it themselves
 * @throws `image-malformed`
 */
export function parseFlashImage(file: Uint8Array, what: string, baseAddress = 0): FlashImage {
  if (file.byteLength > 4 * MAX_IMAGE_BYTES) throw malformedImage(what, 'too large');
  switch (imageFormat(file)) {
    case 'elf':
      return parseElf(file, what);
    case 'intel-hex':
      return parseIntelHex(file, what);
    case 'binary':
      return flashImage([{ address: baseAddress, bytes: file }], what);
  }
}
