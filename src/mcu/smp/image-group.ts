import { type Static, Type } from '../../core/index.ts';
import { GROUP_IMAGE } from './answer-errors.ts';
import { Bytes, Uint32 } from './cbor.ts';
import { SMP_READ, SMP_WRITE, type SmpClient } from './client.ts';
import { type UploadOptions, upload } from './upload.ts';

/* Zephyr, "Application/software image management group" (group 1). */
const ID_STATE = 0;
const ID_UPLOAD = 1;
const ID_ERASE = 5;
const ID_SLOT_INFO = 6;

/** Erasing a slot takes what the flash takes. */
export const DEFAULT_ERASE_TIMEOUT_MS = 30_000;
const MAX_IMAGES = 32;
/** SHA-256, or up to SHA-512 where MCUboot is built so. */
const MIN_HASH_BYTES = 32;
const MAX_HASH_BYTES = 64;
const Hash = Bytes(MAX_HASH_BYTES, MIN_HASH_BYTES);
const Flag = Type.Optional(Type.Boolean());

/** `version` is imgtool's: major.minor.revision.build. */
export const ImageState = Type.Object({
  image: Type.Optional(Uint32),
  slot: Uint32,
  version: Type.String({ maxLength: 64 }),
  hash: Type.Optional(Hash),
  bootable: Flag,
  pending: Flag,
  confirmed: Flag,
  active: Flag,
  permanent: Flag,
});
export type ImageState = Static<typeof ImageState>;

export const ImageStates = Type.Object({
  images: Type.Array(ImageState, { maxItems: MAX_IMAGES }),
});

const SlotInfo = Type.Object({
  images: Type.Array(
    Type.Object({
      image: Uint32,
      slots: Type.Array(Type.Object({ slot: Uint32, size: Type.Optional(Uint32) }), {
        maxItems: MAX_IMAGES,
      }),
      max_image_size: Type.Optional(Uint32),
    }),
    { maxItems: MAX_IMAGES },
  ),
});
export type SlotInfo = Static<typeof SlotInfo>['images'][number];

export interface ImageGroupOptions {
  readonly eraseTimeoutMs?: number;
}

/** Commands of the image group. Every one may throw what `SmpClient.request` does. */
export class ImageGroup {
  readonly #client: SmpClient;
  readonly #eraseTimeoutMs: number;

  constructor(client: SmpClient, { eraseTimeoutMs }: ImageGroupOptions = {}) {
    this.#client = client;
    this.#eraseTimeoutMs = eraseTimeoutMs ?? DEFAULT_ERASE_TIMEOUT_MS;
  }

  /** What lies in the slots; slots without a valid image are left out. */
  async readState(signal?: AbortSignal): Promise<readonly ImageState[]> {
    const { images } = await this.#client.request({
      what: 'image state',
      operation: SMP_READ,
      group: GROUP_IMAGE,
      id: ID_STATE,
      answer: ImageStates,
      signal,
    });
    return images;
  }

  /** The image runs once after the next reset, and stays if it is confirmed then. */
  async test(hash: Uint8Array, signal?: AbortSignal): Promise<readonly ImageState[]> {
    return await this.#writeState('image test', { hash, confirm: false }, signal);
  }

  /** @param hash the running image without one */
  async confirm(hash?: Uint8Array, signal?: AbortSignal): Promise<readonly ImageState[]> {
    return await this.#writeState('image confirm', { hash, confirm: true }, signal);
  }

  /** @param slot 1 without one: the slot that does not run */
  async erase(slot?: number, signal?: AbortSignal): Promise<void> {
    await this.#client.request({
      what: 'image erase',
      operation: SMP_WRITE,
      group: GROUP_IMAGE,
      id: ID_ERASE,
      body: { slot },
      answer: Type.Object({}),
      timeoutMs: this.#eraseTimeoutMs,
      signal,
    });
  }

  /** @throws `mcu-unsupported` by devices that do not tell */
  async readSlots(signal?: AbortSignal): Promise<readonly SlotInfo[]> {
    const { images } = await this.#client.request({
      what: 'slot information',
      operation: SMP_READ,
      group: GROUP_IMAGE,
      id: ID_SLOT_INFO,
      answer: SlotInfo,
      signal,
    });
    return images;
  }

  /** @param bytes the whole signed file. @throws what `upload` does */
  async upload(bytes: Uint8Array, options: UploadOptions = {}): Promise<void> {
    await upload(
      this.#client,
      { what: 'image upload', group: GROUP_IMAGE, id: ID_UPLOAD, bytes },
      { eraseTimeoutMs: this.#eraseTimeoutMs, ...options },
    );
  }

  async #writeState(
    what: string,
    body: { readonly hash: Uint8Array | undefined; readonly confirm: boolean },
    signal: AbortSignal | undefined,
  ): Promise<readonly ImageState[]> {
    const { images } = await this.#client.request({
      what,
      operation: SMP_WRITE,
      group: GROUP_IMAGE,
      id: ID_STATE,
      body,
      answer: ImageStates,
      timeoutMs: this.#eraseTimeoutMs,
      signal,
    });
    return images;
  }
}
