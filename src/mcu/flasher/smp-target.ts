import { DunlinError } from '../../core/index.ts';
import type { SmpClient } from '../smp/client.ts';
import { ifKnown } from '../smp/if-known.ts';
import { ImageGroup } from '../smp/image-group.ts';
import { ModelGroup } from '../smp/model-group.ts';
import { readBootloader, readInfo, reset } from '../smp/os-group.ts';
import type { UploadOptions } from '../smp/upload.ts';
import type { DeviceIdentity, FlashKind } from './flasher.ts';
import type { DeviceView } from './next-step.ts';

type Place = DeviceView['place'];
type Signal = AbortSignal | undefined;

/** What of a job is another command for firmware than for a model. */
export interface SmpTarget {
  place(hash: Uint8Array, signal: Signal): Promise<Place>;
  /** Undefined where the device does not tell. */
  slotBytes(signal: Signal): Promise<number | undefined>;
  upload(file: Uint8Array, options: UploadOptions): Promise<void>;
  test(hash: Uint8Array, signal: Signal): Promise<unknown>;
  confirm(hash: Uint8Array, signal: Signal): Promise<unknown>;
  /** Ends the trial of this one, or of another. */
  withdraw(hash: Uint8Array, signal: Signal): Promise<void>;
  /** A reset answers before it happens, and takes its time. */
  readonly withdrawsByReset: boolean;
}

export function smpTarget(client: SmpClient, kind: FlashKind): SmpTarget {
  return kind === 'firmware' ? firmwareTarget(client) : modelTarget(client);
}

function firmwareTarget(client: SmpClient): SmpTarget {
  const images = new ImageGroup(client);
  return {
    async place(hash, signal) {
      const found = (await images.readState(signal)).filter((image) => isSame(image.hash, hash));
      return mostOf(
        found.map(({ active, confirmed, pending }) => {
          if (active === true) return confirmed === true ? 'confirmed' : 'trial';
          return pending === true ? 'pending' : 'stored';
        }),
      );
    },
    async slotBytes(signal) {
      const slots = await ifKnown(images.readSlots(signal));
      const [first] = slots ?? [];
      return first?.max_image_size ?? first?.slots.find(({ slot }) => slot === 1)?.size;
    },
    upload: (file, options) => images.upload(file, options),
    test: (hash, signal) => images.test(hash, signal),
    // Without its hash: should a reset have taken it back meanwhile, then a confirmation by hash would be a request to
    // swap it in for good.
    confirm: (_hash, signal) => images.confirm(undefined, signal),
    withdraw: (_hash, signal) => reset(client, { signal }),
    withdrawsByReset: true,
  };
}

function modelTarget(client: SmpClient): SmpTarget {
  const models = new ModelGroup(client);
  return {
    async place(hash, signal) {
      const { slots } = await models.readState(signal);
      return mostOf(
        slots
          .filter((slot) => isSame(slot.hash, hash))
          .map(({ active, confirmed }) => {
            if (active === true) return confirmed === true ? 'confirmed' : 'trial';
            return 'stored';
          }),
      );
    },
    async slotBytes(signal) {
      const { slots } = await models.readState(signal);
      return slots.length === 0 ? undefined : Math.min(...slots.map(({ size }) => size));
    },
    upload: (file, options) => models.upload(file, options),
    test: (hash, signal) => models.test(hash, signal),
    confirm: (hash, signal) => models.confirm(hash, signal),
    async withdraw(hash, signal) {
      const { slots } = await models.readState(signal);
      const slot = slots.find((candidate) => isSame(candidate.hash, hash))?.slot;
      await models.erase(slot, signal);
    },
    withdrawsByReset: false,
  };
}

/**
 * The board's name from our firmware, else from Zephyr's, or from our bootloader, which is busy for what asks of
 * models; and the bootloader's.
 */
export async function identifyDevice(
  client: SmpClient,
  target: SmpTarget,
  signal: Signal,
): Promise<DeviceIdentity> {
  const state = await ifKnown(new ModelGroup(client).readState(signal), 'mcu-busy');
  const board = state?.board ?? (await ifKnown(readInfo(client, 'i', { signal })));
  const bootloader = await ifKnown(readBootloader(client, undefined, { signal }));
  return {
    board,
    bootloader: bootloader?.bootloader,
    slotBytes: await ifKnown(target.slotBytes(signal)),
  };
}

const ORDER: readonly Place[] = ['absent', 'stored', 'pending', 'trial', 'confirmed'];

/** The same file in both slots counts where it has got furthest. */
function mostOf(places: readonly Place[]): Place {
  return places.reduce<Place>(
    (most, place) => (ORDER.indexOf(place) > ORDER.indexOf(most) ? place : most),
    'absent',
  );
}

function isSame(a: Uint8Array | undefined, b: Uint8Array): boolean {
  return a !== undefined && Buffer.compare(a, b) === 0;
}

/** @throws `mcu-image-too-large` */
export function requireRoom(
  { slotBytes }: DeviceIdentity,
  sizeBytes: number,
  lineName: string,
): void {
  if (slotBytes === undefined || sizeBytes <= slotBytes) return;
  throw new DunlinError(`${lineName}: ${sizeBytes} bytes do not fit into ${slotBytes}`, {
    code: 'mcu-image-too-large',
  });
}
