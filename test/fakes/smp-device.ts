import { decode, encode } from 'cborg';
import {
  decodePacket,
  encodePacket,
  encodePacketLines,
  GROUP_IMAGE,
  GROUP_MODEL,
  GROUP_OS,
  type McubootImage,
  mcubootVersionText,
  PacketDecoder,
  parseMcubootImage,
  type SmpPacket,
  verifyMcubootImage,
} from '../../src/mcu/index.ts';
import type { DeviceEnd, LinePeer } from './memory-line.ts';
import { FakeModels } from './smp-models.ts';
import {
  DeviceError,
  FakeUpload,
  type Fields,
  flag,
  type SmpDeviceOptions,
  sameBytes,
} from './smp-upload.ts';

export interface FakeSlot {
  file: Uint8Array | undefined;
  confirmed: boolean;
  pending: boolean;
  /** Pending for good: confirmed in advance. */
  permanent?: boolean;
}

/**
 * A device with MCUboot's two slots and our model group, that speaks bytes: what it answers goes over a
 * line, in memory or behind a pty. Its fields are its flash; `reset` is its bootloader.
 */
export class SmpDevice implements LinePeer {
  readonly options: SmpDeviceOptions;
  readonly slots: FakeSlot[] = [0, 1].map(() => ({
    file: undefined,
    confirmed: false,
    pending: false,
  }));
  readonly models: FakeModels;
  readonly line: DeviceEnd;
  /** Commands that were carried out, as "group:id" with "w" for writes, oldest first. */
  readonly log: string[] = [];
  /** What the new image does when it first runs. */
  firstBoot: 'works' | 'crashes' = 'works';
  /** Requests that are heard and not answered. */
  silent: (packet: SmpPacket) => boolean = () => false;
  /** Called before a command is carried out; may throw, or change the device. */
  before: (packet: SmpPacket, fields: Fields) => void = () => {};
  /** Offsets that uploads answer instead. */
  tamperOffset: (off: number) => number = (off) => off;
  /** Resets pull the cable, as a USB device's do. */
  cutsAtReset = false;
  resets = 0;
  readonly #upload = new FakeUpload();
  #counterFloor = 0;
  readonly #decoder = new PacketDecoder((bytes) => this.#request(bytes));

  constructor(line: DeviceEnd, options: SmpDeviceOptions = {}) {
    this.line = line;
    this.options = options;
    this.models = new FakeModels(options);
    line.peer = this;
  }

  receive(bytes: Uint8Array): void {
    this.#decoder.push(bytes);
  }

  /** Puts an image into slot 0, as the factory does. */
  install(file: Uint8Array): this {
    this.slots[0] = { file, confirmed: true, pending: false };
    this.#counterFloor = parseMcubootImage(file, 'factory').securityCounter ?? 0;
    return this;
  }

  /** The bootloader: reverts what was not confirmed, tries what is pending. */
  reset(): void {
    this.resets++;
    this.#decoder.reset();
    this.#upload.forget();
    this.models.reset();
    const [primary, secondary] = this.slots as [FakeSlot, FakeSlot];
    if (secondary.pending) {
      secondary.pending = false;
      if (this.#isTrusted(secondary.file!)) {
        this.slots.reverse();
        this.slots[0]!.confirmed = secondary.permanent === true;
        if (this.firstBoot === 'crashes') this.reset();
      } else {
        secondary.file = undefined;
      }
    } else if (primary.file !== undefined && !primary.confirmed && secondary.file !== undefined) {
      this.slots.reverse();
      this.slots[0]!.confirmed = true;
    }
  }

  get running(): McubootImage | undefined {
    const file = this.slots[0]!.file;
    return file === undefined ? undefined : parseMcubootImage(file, 'slot 0');
  }

  #isTrusted(file: Uint8Array): boolean {
    try {
      const image = parseMcubootImage(file, 'slot 1');
      verifyMcubootImage(image, 'slot 1', this.options.keys);
      return (image.securityCounter ?? 0) >= this.#counterFloor;
    } catch {
      return false;
    }
  }

  #request(bytes: Uint8Array): void {
    const packet = decodePacket(bytes);
    if (packet === undefined || packet.operation % 2 === 1) return;
    if (bytes.byteLength > this.#bufferBytes || this.silent(packet)) return;
    const fields = decode(packet.body) as Fields;
    let answer: Fields;
    try {
      const name = `${packet.group}:${packet.id}`;
      this.before(packet, fields);
      if (this.options.unknown?.includes(name)) throw new DeviceError(8);
      this.log.push(`${name}${packet.operation === 2 ? 'w' : ''}`);
      answer = this.#carryOut(packet, fields);
    } catch (error) {
      if (!(error instanceof DeviceError)) throw error;
      const { rc, group } = error;
      const isPlain = group === undefined || this.options.version1 === true;
      answer = isPlain ? { rc } : { err: { group, rc } };
    }
    const { version, group, sequence, id } = packet;
    const operation = packet.operation + 1;
    const body = encode(answer);
    this.line.send(
      encodePacketLines(encodePacket({ operation, version, group, sequence, id, body })),
    );
  }

  get #bufferBytes(): number {
    return this.options.bufferBytes ?? 512;
  }

  #carryOut(packet: SmpPacket, fields: Fields): Fields {
    const { group, id } = packet;
    const isWrite = packet.operation === 2;
    if (group === GROUP_OS) return this.#os(id, fields);
    if (group === GROUP_IMAGE) return this.#image(id, isWrite, fields);
    if (group === GROUP_MODEL) {
      const answer = this.models.carryOut(id, isWrite, fields);
      return id === 1 ? this.#tampered(answer) : answer;
    }
    throw new DeviceError(8);
  }

  #os(id: number, fields: Fields): Fields {
    switch (id) {
      case 0:
        return { r: fields['d'] };
      case 5:
        setImmediate(() => {
          if (this.cutsAtReset) this.line.cut();
          this.reset();
        });
        return {};
      case 6:
        return { buf_size: this.#bufferBytes, buf_count: this.options.bufferCount ?? 1 };
      case 7:
        return { output: this.options.board ?? 'native' };
      case 8:
        return { bootloader: 'MCUboot' };
      default:
        throw new DeviceError(8);
    }
  }

  #image(id: number, isWrite: boolean, fields: Fields): Fields {
    if (id === 0) return isWrite ? this.#writeState(fields) : this.#state();
    if (id === 1) {
      const { answer, file } = this.#upload.take(fields, (len) => {
        if (len > this.#slotBytes) throw new DeviceError(30, GROUP_IMAGE);
        const [primary, secondary] = this.slots as [FakeSlot, FakeSlot];
        if (secondary.pending || (primary.file !== undefined && !primary.confirmed)) {
          throw new DeviceError(9, GROUP_IMAGE);
        }
        this.slots[1]!.file = undefined;
      });
      if (file !== undefined) this.slots[1]!.file = file.slice();
      return this.#tampered(answer);
    }
    if (id === 5) {
      if (this.slots[1]!.pending) throw new DeviceError(6);
      this.slots[1]!.file = undefined;
      return {};
    }
    if (id === 6) {
      const slots = [0, 1].map((slot) => ({ slot, size: this.#slotBytes }));
      return { images: [{ image: 0, slots, max_image_size: this.#slotBytes }] };
    }
    throw new DeviceError(8);
  }

  get #slotBytes(): number {
    return this.options.slotBytes ?? 65_536;
  }

  #tampered(answer: Fields): Fields {
    return { ...answer, off: this.tamperOffset(answer['off'] as number) };
  }

  #state(): Fields {
    const images = this.slots.flatMap(({ file, confirmed, pending }, slot) => {
      if (file === undefined) return [];
      const image = parseMcubootImage(file, 'slot');
      return [
        {
          slot,
          version: mcubootVersionText(image.version),
          hash: image.hash,
          bootable: true,
          ...flag('active', slot === 0),
          ...flag('confirmed', confirmed),
          ...flag('pending', pending),
        },
      ];
    });
    return { images };
  }

  #writeState(fields: Fields): Fields {
    const hash = fields['hash'] as Uint8Array | undefined;
    const isConfirm = fields['confirm'] === true;
    const slot = this.slots.find(
      ({ file }) =>
        file !== undefined &&
        hash !== undefined &&
        sameBytes(parseMcubootImage(file, '').hash, hash),
    );
    const target = hash === undefined && isConfirm ? this.slots[0]! : slot;
    if (target === undefined) throw new DeviceError(8, GROUP_IMAGE);
    if (target === this.slots[0]) {
      if (!isConfirm) throw new DeviceError(33, GROUP_IMAGE);
      target.confirmed = true;
      this.#counterFloor = Math.max(this.#counterFloor, this.running?.securityCounter ?? 0);
    } else {
      target.pending = true;
      target.permanent = isConfirm;
    }
    return this.#state();
  }
}
