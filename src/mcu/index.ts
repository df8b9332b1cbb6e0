export {
  type DeviceIdentity,
  type Flasher,
  type FlashJob,
  type FlashKind,
  type FlashOptions,
  type FlashProgress,
  type FlashResult,
  requireBoard,
} from './flasher/flasher.ts';
export { FlashJournal, JournalRecord } from './flasher/journal.ts';
export {
  type DeviceView,
  type FlashStep,
  givenUp,
  MAX_TRIALS,
  nextStep,
  recordBefore,
} from './flasher/next-step.ts';
export { UploadRate } from './flasher/rate.ts';
export { SmpFlasher, type SmpFlasherOptions } from './flasher/smp-flasher.ts';
export { GOLDEN_EXPECTED, GOLDEN_INPUT, goldenVectorsOf } from './golden.ts';
export {
  type FlashImage,
  type FlashSegment,
  flashImage,
  flattenImage,
  MAX_IMAGE_BYTES,
} from './images/flash-image.ts';
export {
  buildMcubootImage,
  IMAGE_FLAG_NON_BOOTABLE,
  keyHashOf,
  looksLikeMcuboot,
  MCUBOOT_HEADER_BYTES,
  MCUBOOT_TLV,
  type McubootImage,
  type McubootOptions,
  type McubootTlv,
  type McubootVersion,
  mcubootVersionOf,
  mcubootVersionText,
  parseMcubootImage,
  parseMcubootVersion,
  verifyMcubootImage,
} from './images/mcuboot.ts';
export { type ImageFormat, imageFormat, parseFlashImage } from './images/parse.ts';
export {
  type ContainerOptions,
  type FirmwareLayout,
  openContainer,
  signFirmware,
  signModel,
} from './images/sign.ts';
export { listSerialIds, resolveSerialPath, SERIAL_BY_ID_DIR } from './serial/by-id.ts';
export type { LineListener, SerialLine } from './serial/line.ts';
export { kernelLineLock, type LineLock, type LockLine } from './serial/line-lock.ts';
export {
  DEFAULT_BAUD_RATE,
  type SerialPortLineOptions,
  serialPortLine,
} from './serial/serial-port-line.ts';
export { GROUP_IMAGE, GROUP_MODEL, GROUP_OS } from './smp/answer-errors.ts';
export { isLineError, SmpClient, type SmpClientOptions } from './smp/client.ts';
export {
  type DecoderCounts,
  encodePacketLines,
  MAX_PACKET_BYTES,
  PacketDecoder,
} from './smp/console-framing.ts';
export { crc16Xmodem } from './smp/crc16.ts';
export { ifKnown } from './smp/if-known.ts';
export {
  ImageGroup,
  type ImageGroupOptions,
  type ImageState,
  type SlotInfo,
} from './smp/image-group.ts';
export {
  type GoldenVector,
  MAX_GOLDEN_VECTORS,
  type McuInference,
  ModelGroup,
  type ModelLog,
  type ModelSlot,
  type ModelState,
  type ModelStatistics,
} from './smp/model-group.ts';
export {
  echo,
  readBootloader,
  readInfo,
  readParameters,
  reset,
  type SmpParameters,
} from './smp/os-group.ts';
export { decodePacket, encodePacket, type SmpPacket } from './smp/packet.ts';
export type { UploadOptions, UploadProgress } from './smp/upload.ts';
