import { readFileSync } from 'node:fs';
import { DunlinError } from '../../core/index.ts';

/** What `kernels/` exports; addresses are in bytes, counts and strides in floats. */
export interface Kernels {
  gemm(
    m: number,
    n: number,
    k: number,
    a: number,
    aRow: number,
    aColumn: number,
    b: number,
    bRow: number,
    c: number,
    cRow: number,
  ): void;
  transpose(rows: number, columns: number, from: number, to: number): void;
  add(count: number, from: number, to: number): void;
  fillRows(rows: number, columns: number, row: number, to: number): void;
  sumRows(rows: number, columns: number, from: number, sums: number): void;
  clamp(count: number, values: number, low: number, high: number): void;
  maskOutside(count: number, values: number, gradient: number, low: number, high: number): void;
  fakeQuantize(
    count: number,
    from: number,
    to: number,
    scale: number,
    low: number,
    high: number,
  ): void;
  adamSteps(
    count: number,
    gradient: number,
    mean: number,
    square: number,
    rate: number,
    beta1: number,
    beta2: number,
    epsilon: number,
  ): void;
  addScaled(count: number, a: number, b: number, factor: number, to: number): void;
  multiply(count: number, a: number, b: number, to: number): void;
  addProduct(count: number, a: number, b: number, to: number): void;
  addInside(
    count: number,
    values: number,
    from: number,
    to: number,
    low: number,
    high: number,
  ): void;
  copyBlocks(
    count: number,
    block: number,
    froms: number,
    tos: number,
    from: number,
    to: number,
  ): void;
  addBlocks(
    count: number,
    block: number,
    froms: number,
    tos: number,
    from: number,
    to: number,
  ): void;
  imageToColumns(window: number, image: number, columns: number): void;
  addColumnsToImage(window: number, columns: number, image: number): void;
  depthwise(window: number, image: number, weights: number, out: number): void;
  depthwiseBackward(
    window: number,
    image: number,
    weights: number,
    outGradient: number,
    imageGradient: number,
    weightsGradient: number,
  ): void;
}

const PAGE_BYTES = 65_536;
const ALIGNMENT_BYTES = 16;
/** Of one network with its gradients and moments; a WebAssembly memory ends at 4 GiB. */
export const MAX_TRAINING_BYTES = 2 * 1024 ** 3;

/** Numbers at an address that the kernels know. */
export class Region {
  readonly length: number;
  readonly address: number;
  readonly #memory: TrainingMemory;
  #floats: Float32Array | undefined;

  constructor(memory: TrainingMemory, address: number, length: number) {
    this.#memory = memory;
    this.address = address;
    this.length = length;
  }

  get floats(): Float32Array {
    this.#floats ??= new Float32Array(this.#memory.buffer, this.address, this.length);
    return this.#floats;
  }
}

/**
 * The memory of one network. First everything reserves its room, then `open` makes the memory: it never grows, so that
 * views of it stay good.
 */
export class TrainingMemory {
  readonly #what: string;
  #bytes = ALIGNMENT_BYTES;
  #scratchFloats = 0;
  readonly #integers: { readonly region: Region; readonly values: Int32Array }[] = [];
  #opened: { readonly buffer: ArrayBuffer; readonly kernels: Kernels } | undefined;
  #scratch: Region | undefined;

  /** @param what names the model in errors */
  constructor(what: string) {
    this.#what = what;
  }

  /** Zeros at first. @throws `model-too-large` past `MAX_TRAINING_BYTES` */
  reserve(floats: number): Region {
    const region = new Region(this, this.#bytes, floats);
    this.#bytes = align(this.#bytes + floats * Float32Array.BYTES_PER_ELEMENT);
    if (this.#bytes > MAX_TRAINING_BYTES) {
      throw new DunlinError(
        `${this.#what}: training it takes more than ${MAX_TRAINING_BYTES / 1024 ** 2} MiB of memory; leave ` +
          '--finetune out, or train where the model comes from',
        { code: 'model-too-large' },
      );
    }
    return region;
  }

  /** Numbers for kernels to read, there from `open` on: places, the fields of a struct. */
  integers(values: Int32Array): Region {
    const region = this.reserve(values.length);
    this.#integers.push({ region, values });
    return region;
  }

  /** Room that every operation may use while it runs. */
  needScratch(floats: number): void {
    this.#scratchFloats = Math.max(this.#scratchFloats, floats);
  }

  get scratch(): Region {
    return this.#scratch ?? notOpen();
  }

  get kernels(): Kernels {
    return this.#opened?.kernels ?? notOpen();
  }

  get buffer(): ArrayBuffer {
    return this.#opened?.buffer ?? notOpen();
  }

  /** What `reserve` has given out so far. */
  get reservedBytes(): number {
    return this.#bytes + this.#scratchFloats * Float32Array.BYTES_PER_ELEMENT;
  }

  open(): void {
    this.#scratch = this.reserve(this.#scratchFloats);
    const memory = new WebAssembly.Memory({ initial: Math.ceil(this.#bytes / PAGE_BYTES) });
    const abort = (): never => {
      throw new Error('a training kernel failed');
    };
    const instance = new WebAssembly.Instance(compiledKernels(), { env: { memory, abort } });
    this.#opened = { buffer: memory.buffer, kernels: instance.exports as Kernels };
    for (const { region, values } of this.#integers.splice(0)) {
      new Int32Array(memory.buffer, region.address, region.length).set(values);
    }
  }
}

function align(bytes: number): number {
  return Math.ceil(bytes / ALIGNMENT_BYTES) * ALIGNMENT_BYTES;
}

function notOpen(): never {
  throw new Error('the memory is not open yet');
}

let compiled: WebAssembly.Module | undefined;

function compiledKernels(): WebAssembly.Module {
  compiled ??= new WebAssembly.Module(readFileSync(new URL('./kernels.wasm', import.meta.url)));
  return compiled;
}
