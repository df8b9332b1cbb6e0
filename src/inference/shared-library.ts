/** Constants of the ELF-64 object file format, version 1.5, and of the processor supplements. */
const MAGIC = 0x7f454c46;
const CLASS_64 = 2;
const LITTLE_ENDIAN = 1;
const TYPE_SHARED = 3;
const MACHINE: Readonly<Record<string, number>> = { x64: 62, arm64: 183 };
const SECTION_DYNSYM = 11;
const SECTION_HEADER_BYTES = 64;
const SYMBOL_BYTES = 24;
const MAX_SYMBOLS = 200_000;
const MAX_NAME_BYTES = 256;

/** What an external delegate must export: tensorflow/lite/delegates/external/external_delegate.cc. */
const DELEGATE_SYMBOLS = ['tflite_plugin_create_delegate', 'tflite_plugin_destroy_delegate'];

/**
 * Why a file cannot be a TFLite external delegate for this processor; undefined when it can.
 * Nothing is loaded: the symbols are read from the file.
 */
export function describeDelegateLibrary(
  bytes: Uint8Array,
  architecture: string,
): string | undefined {
  let exported: Set<string>;
  try {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const wrong = wrongHeader(view, architecture);
    if (wrong !== undefined) return wrong;
    exported = exportedSymbols(view, bytes);
  } catch (error) {
    // Every offset in the file is read through the view, which throws at its end.
    if (error instanceof RangeError) return 'a damaged shared library';
    throw error;
  }
  const absent = DELEGATE_SYMBOLS.filter((name) => !exported.has(name));
  return absent.length === 0 ? undefined : `no TFLite delegate: it does not export ${absent[0]}`;
}

function wrongHeader(view: DataView, architecture: string): string | undefined {
  if (view.byteLength < 64 || view.getUint32(0) !== MAGIC) return 'not a shared library';
  const is64 = view.getUint8(4) === CLASS_64 && view.getUint8(5) === LITTLE_ENDIAN;
  if (!is64 || view.getUint16(18, true) !== MACHINE[architecture]) {
    return `not for this processor (${architecture})`;
  }
  return view.getUint16(16, true) === TYPE_SHARED ? undefined : 'not a shared library';
}

interface Section {
  readonly type: number;
  readonly offset: number;
  readonly sizeBytes: number;
  readonly link: number;
}

function exportedSymbols(view: DataView, bytes: Uint8Array): Set<string> {
  const tableOffset = Number(view.getBigUint64(40, true));
  const sectionCount = view.getUint16(60, true);
  const sectionAt = (index: number): Section => {
    const at = tableOffset + index * SECTION_HEADER_BYTES;
    return {
      type: view.getUint32(at + 4, true),
      offset: Number(view.getBigUint64(at + 24, true)),
      sizeBytes: Number(view.getBigUint64(at + 32, true)),
      link: view.getUint32(at + 40, true),
    };
  };
  const names = new Set<string>();
  for (let index = 0; index < sectionCount; index++) {
    const section = sectionAt(index);
    if (section.type !== SECTION_DYNSYM) continue;
    const strings = sectionAt(section.link);
    const count = Math.min(Math.floor(section.sizeBytes / SYMBOL_BYTES), MAX_SYMBOLS);
    for (let symbol = 0; symbol < count; symbol++) {
      const at = section.offset + symbol * SYMBOL_BYTES;
      // Section index 0 means that the symbol is wanted from elsewhere, not offered.
      if (view.getUint16(at + 6, true) === 0) continue;
      names.add(nameAt(bytes, strings.offset + view.getUint32(at, true)));
    }
  }
  return names;
}

function nameAt(bytes: Uint8Array, offset: number): string {
  const end = bytes.subarray(offset, offset + MAX_NAME_BYTES).indexOf(0);
  return Buffer.from(bytes.subarray(offset, offset + Math.max(end, 0))).toString('latin1');
}
