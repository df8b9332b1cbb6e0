import {
  GROUP_MODEL,
  type McubootImage,
  mcubootVersionText,
  parseMcubootImage,
  verifyMcubootImage,
} from '../../src/mcu/index.ts';
import { decodePlan, planOracle } from '../../src/plan/index.ts';
import {
  DeviceError,
  FakeUpload,
  type Fields,
  flag,
  type SmpDeviceOptions,
  sameBytes,
} from './smp-upload.ts';

/** Bytes of a fake model's input; its output is as long. */
export const FAKE_TENSOR_BYTES = 40;
const OUTPUT_PART_BYTES = 16;

/** What a fake model makes of its input: every byte, plus the body's first. */
export function fakeInference(body: Uint8Array, input: Uint8Array): Uint8Array {
  return input.map((byte) => (byte + body[0]!) & 0xff);
}

interface Network {
  readonly inputBytes: number;
  readonly outputBytes: number;
  run(input: Uint8Array): Uint8Array;
}

/** An execution plan of one input and one output is run by the oracle; any other body is a fake model. */
function networkOf(body: Uint8Array): Network {
  const [inputBytes, outputBytes] = [FAKE_TENSOR_BYTES, FAKE_TENSOR_BYTES];
  const fake = { inputBytes, outputBytes, run: (input: Uint8Array) => fakeInference(body, input) };
  try {
    const plan = decodePlan(body, 'model');
    const oracle = planOracle(plan);
    return {
      inputBytes: plan.inputs[0]!.sizeBytes,
      outputBytes: plan.outputs[0]!.sizeBytes,
      run: (input) => Uint8Array.from(oracle.run([Int8Array.from(input)])[0]!),
    };
  } catch {
    return fake;
  }
}

/** The model group as docs/smp-model-group.md has it. A body that begins with 0 is a broken model. */
export class FakeModels {
  readonly slots: [Uint8Array | undefined, Uint8Array | undefined] = [undefined, undefined];
  confirmedSlot = -1;
  /** The slot that is on trial, or -1. */
  trialSlot = -1;
  isTested = false;
  counterFloor = 0;
  /** Golden tests give other bytes than the model would. */
  isFaulty = false;
  /** As docs/smp-model-group.md has them. */
  readonly statistics = {
    ...{ up: 1, resets: 2, cause: 'power', runs: 3, failures: 0, arena: 64 },
    ...{ lines: 0, trials: 0, reverts: 0 },
  };
  readonly logLines: { n: number; ms: number; level: number; text: string }[] = [
    { n: 0, ms: 12, level: 2, text: 'started\u0007' },
  ];
  engine = 'dunlin';
  readonly #options: SmpDeviceOptions;
  readonly #upload = new FakeUpload();
  #vector = { n: 0, of: 0, off: 0, passed: 0, differ: 0, max: 0, done: false };
  #input = new Uint8Array();
  /** Of the active slot's body; made anew when that changes. */
  #network: { readonly body: Uint8Array; readonly network: Network } | undefined;
  #inputOffset = 0;
  #output: Uint8Array = new Uint8Array();

  constructor(options: SmpDeviceOptions) {
    this.#options = options;
  }

  get activeSlot(): number {
    return this.trialSlot >= 0 ? this.trialSlot : this.confirmedSlot;
  }

  reset(): void {
    this.#endTrial();
    this.#upload.forget();
    const { statistics } = this;
    Object.assign(statistics, { up: 1, resets: statistics.resets + 1, cause: 'software' });
    Object.assign(statistics, { runs: 0, failures: 0 });
  }

  carryOut(id: number, isWrite: boolean, fields: Fields): Fields {
    if (id === 0) return isWrite ? this.#writeState(fields) : this.#state();
    if (id === 1 && isWrite) return this.#takeChunk(fields);
    if (id === 2 && isWrite) return this.#selfTest(fields);
    if (id === 3) return isWrite ? this.#infer(fields) : this.#outputFrom(fields['off'] as number);
    if (id === 4 && !isWrite) return { ...this.statistics };
    if (id === 5 && isWrite) return this.#erase(fields['slot'] as number | undefined);
    if (id === 6 && !isWrite) {
      const lines = this.logLines.slice(fields['since'] as number);
      return { next: this.logLines.length, lines };
    }
    throw new DeviceError(8);
  }

  get #spareSlot(): number {
    return this.confirmedSlot === 0 ? 1 : 0;
  }

  #container(slot: number): McubootImage | undefined {
    const file = this.slots[slot];
    return file === undefined ? undefined : parseMcubootImage(file, 'model');
  }

  #endTrial(): void {
    this.trialSlot = -1;
    this.isTested = false;
  }

  #state(): Fields {
    const size = this.#options.slotBytes ?? 65_536;
    const slots = [0, 1].map((slot) => {
      const image = this.#container(slot);
      if (image === undefined) return { slot, size };
      return {
        slot,
        size,
        hash: image.hash,
        version: mcubootVersionText(image.version),
        ...flag('active', slot === this.activeSlot),
        ...flag('confirmed', slot === this.confirmedSlot),
        ...flag('pending', slot === this.trialSlot),
        ...flag('tested', slot === this.trialSlot && this.isTested),
      };
    });
    const board = this.#options.board ?? 'native';
    const network = this.activeSlot < 0 ? undefined : this.#active();
    const io = network === undefined ? {} : { in: network.inputBytes, out: network.outputBytes };
    return { board, engine: this.engine, format: 1, target: 'portable', arena: 4096, slots, ...io };
  }

  #writeState(fields: Fields): Fields {
    const hash = fields['hash'] as Uint8Array;
    const slot = [0, 1].findIndex((index) => {
      const image = this.#container(index);
      return image !== undefined && sameBytes(image.hash, hash);
    });
    const image = this.#container(slot);
    if (image === undefined) throw new DeviceError(2, GROUP_MODEL);
    if (fields['confirm'] === true) {
      if (slot === this.confirmedSlot) return this.#state();
      if (slot !== this.trialSlot || !this.isTested) throw new DeviceError(10, GROUP_MODEL);
      this.confirmedSlot = slot;
      this.counterFloor = Math.max(this.counterFloor, image.securityCounter ?? 0);
      this.#endTrial();
      return this.#state();
    }
    if (slot === this.activeSlot) return this.#state();
    this.#load(image);
    this.trialSlot = slot;
    this.isTested = false;
    return this.#state();
  }

  #load(image: McubootImage): void {
    if (!this.#isSigned(image)) throw new DeviceError(6, GROUP_MODEL);
    if ((image.securityCounter ?? 0) < this.counterFloor) throw new DeviceError(7, GROUP_MODEL);
    if (image.body[0] === 0) throw new DeviceError(4, GROUP_MODEL);
  }

  #isSigned(image: McubootImage): boolean {
    try {
      verifyMcubootImage(image, 'model', this.#options.keys);
      return true;
    } catch {
      return false;
    }
  }

  #takeChunk(fields: Fields): Fields {
    const { answer, file } = this.#upload.take(fields, (len) => {
      if (len > (this.#options.slotBytes ?? 65_536)) throw new DeviceError(3, GROUP_MODEL);
      if (this.trialSlot === this.#spareSlot) this.#endTrial();
      this.slots[this.#spareSlot] = undefined;
    });
    if (file !== undefined) this.slots[this.#spareSlot] = file.slice();
    return answer;
  }

  #active(): Network {
    const image = this.#container(this.activeSlot);
    if (image === undefined) throw new DeviceError(11, GROUP_MODEL);
    const { body } = image;
    if (this.#network === undefined || !sameBytes(this.#network.body, body)) {
      this.#network = { body, network: networkOf(body) };
    }
    return this.#network.network;
  }

  #run(input: Uint8Array): Uint8Array {
    this.statistics.runs++;
    const output = this.#active().run(input);
    if (this.isFaulty) output[3]! ^= 4;
    return output;
  }

  #selfTest(fields: Fields): Fields {
    const [n, of, off] = ['n', 'of', 'off'].map((key) => fields[key] as number);
    const data = fields['data'] as Uint8Array;
    let vector = this.#vector;
    if (off === 0) {
      const passed = n === 0 || of !== vector.of ? 0 : Math.min(vector.passed, n!);
      vector = { n: n!, of: of!, off: 0, passed, differ: 0, max: 0, done: false };
      this.#vector = vector;
    }
    if (off === 0) this.#input = new Uint8Array(this.#active().inputBytes);
    if (off === vector.off && n === vector.n) {
      for (const byte of data) this.#takeVectorByte(byte);
      const { inputBytes, outputBytes } = this.#active();
      if (vector.off === inputBytes + outputBytes && !vector.done) this.#endVector();
    }
    if (!vector.done) return { off: vector.off };
    return { off: vector.off, equal: vector.differ === 0, differ: vector.differ, max: vector.max };
  }

  #takeVectorByte(byte: number): void {
    const vector = this.#vector;
    const { inputBytes, outputBytes } = this.#active();
    if (vector.off >= inputBytes + outputBytes) throw new DeviceError(12, GROUP_MODEL);
    if (vector.off < inputBytes) this.#input[vector.off] = byte;
    if (vector.off === inputBytes - 1) this.#output = this.#run(this.#input);
    if (vector.off >= inputBytes) {
      const difference = Math.abs(byte - this.#output[vector.off - inputBytes]!);
      if (difference > 0) vector.differ++;
      vector.max = Math.max(vector.max, difference);
    }
    vector.off++;
  }

  #endVector(): void {
    const vector = this.#vector;
    vector.done = true;
    vector.passed = vector.differ === 0 && vector.passed === vector.n ? vector.n + 1 : 0;
    this.isTested = this.trialSlot >= 0 && vector.passed === vector.of;
  }

  #infer(fields: Fields): Fields {
    const off = fields['off'] as number;
    const data = fields['data'] as Uint8Array;
    const { inputBytes } = this.#active();
    if (off === 0) {
      this.#inputOffset = 0;
      this.#input = new Uint8Array(inputBytes);
    }
    if (off === this.#inputOffset) {
      if (off + data.byteLength > inputBytes) throw new DeviceError(12, GROUP_MODEL);
      this.#input.set(data, off);
      this.#inputOffset += data.byteLength;
      if (this.#inputOffset === inputBytes) this.#output = this.#run(this.#input);
    }
    if (this.#inputOffset < inputBytes) return { off: this.#inputOffset };
    const out = this.#output.slice(0, OUTPUT_PART_BYTES);
    return { off: this.#inputOffset, len: this.#output.byteLength, out, us: 17 };
  }

  #outputFrom(off: number): Fields {
    return { off, out: this.#output.slice(off, off + OUTPUT_PART_BYTES) };
  }

  #erase(slot = this.#spareSlot): Fields {
    if (slot === this.confirmedSlot) throw new DeviceError(2, GROUP_MODEL);
    if (slot === this.trialSlot) this.#endTrial();
    this.slots[slot as 0 | 1] = undefined;
    return {};
  }
}
