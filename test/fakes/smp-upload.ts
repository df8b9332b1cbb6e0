import { createHash, type KeyObject } from 'node:crypto';
import { GROUP_IMAGE } from '../../src/mcu/index.ts';

export type Fields = Record<string, unknown>;

/** An error as the device answers it: `rc` of SMP, or of a group. */
export class DeviceError extends Error {
  readonly rc: number;
  readonly group: number | undefined;
  constructor(rc: number, group?: number) {
    super(`rc ${rc}`);
    this.rc = rc;
    this.group = group;
  }
}

export interface SmpDeviceOptions {
  readonly board?: string;
  readonly bufferBytes?: number;
  readonly bufferCount?: number;
  readonly slotBytes?: number;
  /** Group and id of commands that the firmware does not have: "0:6". */
  readonly unknown?: readonly string[];
  /** Answers errors as version 1 has them. */
  readonly version1?: boolean;
  readonly keys?: readonly KeyObject[];
}

const sha256 = (bytes: Uint8Array): Uint8Array => createHash('sha256').update(bytes).digest();
export const sameBytes = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;
export const flag = (name: string, value: boolean): Fields => (value ? { [name]: true } : {});

/** An upload as Zephyr and docs/smp-model-group.md have it: known by its digest, chunk after chunk. */
export class FakeUpload {
  bytes = new Uint8Array();
  sha: Uint8Array | undefined;
  off = 0;

  /** The whole file when this chunk was its last. */
  take(fields: Fields, start: (len: number) => void): { answer: Fields; file?: Uint8Array } {
    const data = fields['data'] as Uint8Array;
    const off = fields['off'] as number;
    if (off === 0) {
      const sha = fields['sha'] as Uint8Array;
      const isSame = this.sha !== undefined && sameBytes(this.sha, sha);
      if (isSame && this.off > 0) return { answer: { off: this.off } };
      start(fields['len'] as number);
      this.bytes = new Uint8Array(fields['len'] as number);
      this.sha = sha;
      this.off = 0;
    }
    if (off !== this.off || this.sha === undefined) return { answer: { off: this.off } };
    if (off + data.byteLength > this.bytes.byteLength) throw new DeviceError(31, GROUP_IMAGE);
    this.bytes.set(data, off);
    this.off += data.byteLength;
    if (this.off < this.bytes.byteLength) return { answer: { off: this.off } };
    const match = sameBytes(sha256(this.bytes), this.sha);
    this.sha = undefined;
    return { answer: { off: this.off, match }, ...(match ? { file: this.bytes } : {}) };
  }

  forget(): void {
    this.sha = undefined;
    this.off = 0;
  }
}
