import { DunlinError } from '../../core/index.ts';
import { ITEM_BYTES, quantize, type TensorSpec, type TensorType } from '../../inference/index.ts';
import type { ReleaseDocument, StoredRelease } from '../../update/index.ts';
import { predictionOf, requireWindowItems } from '../model-host.ts';
import type { Prediction, ServedRelease, WindowHost } from '../pipeline.ts';
import type { McuDevice } from './mcu-device.ts';

/** A release in service on a microcontroller: windows are quantized here and inferred there. */
export class McuHost implements WindowHost {
  readonly release: ServedRelease;
  readonly path = 'mcu';
  readonly pid = undefined;
  readonly #stored: StoredRelease;
  readonly #device: McuDevice;
  readonly #isWanted: () => boolean;

  constructor(stored: StoredRelease, device: McuDevice, isWanted: () => boolean) {
    const { document, release } = stored;
    this.release = { document, releaseSha256: release.releaseSha256 };
    this.#stored = stored;
    this.#device = device;
    this.#isWanted = isWanted;
  }

  /** Windows wait while the device is away, is flashed, or runs something else. */
  get isReady(): boolean {
    const device = this.#device;
    return device.isOnline && !device.isBusy && this.#isWanted() && device.runs(this.#stored);
  }

  async infer(window: Float32Array): Promise<Prediction> {
    const { document } = this.release;
    const input = specOf(document.input, 'input');
    requireWindowItems(window, input.lengthBytes / ITEM_BYTES[input.type]);
    const { output, durationUs, roundTripUs } = await this.#device.infer(quantize(window, input));
    const latencyUs = durationUs ?? roundTripUs;
    return predictionOf(document, output, specOf(document.output, 'output'), latencyUs);
  }

  async close(): Promise<void> {}
}

/** @throws `input-invalid` for a type that is no tensor's */
function specOf(description: ReleaseDocument['input'], name: string): TensorSpec {
  const { type, shape } = description;
  if (!(type in ITEM_BYTES)) {
    throw new DunlinError(`${name}: no tensors of ${type} on microcontrollers`, {
      code: 'input-invalid',
    });
  }
  const items = shape.reduce((product, size) => product * size, 1);
  return {
    ...description,
    name,
    type: type as TensorType,
    lengthBytes: items * ITEM_BYTES[type as TensorType],
  };
}
