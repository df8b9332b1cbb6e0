import {
  ImageGroup,
  type ImageState,
  ifKnown,
  ModelGroup,
  type ModelState,
  type ModelStatistics,
  readBootloader,
  readInfo,
  readParameters,
  type SlotInfo,
  type SmpClient,
  type SmpParameters,
} from '../../mcu/index.ts';

/** What a device tells about itself; undefined is what its firmware does not know. */
export interface DeviceFacts {
  readonly board: string | undefined;
  readonly bootloader: string | undefined;
  readonly parameters: SmpParameters | undefined;
  readonly images: readonly ImageState[] | undefined;
  readonly slots: readonly SlotInfo[] | undefined;
  readonly models: ModelState | undefined;
  readonly statistics: ModelStatistics | undefined;
}

/** @throws `mcu-silent`, `mcu-garbled`, `mcu-unreachable` */
export async function readFacts(client: SmpClient, signal: AbortSignal): Promise<DeviceFacts> {
  const [images, models] = [new ImageGroup(client), new ModelGroup(client)];
  // First, since every firmware knows it: a line without a device ends here.
  const parameters = await ifKnown(readParameters(client, { signal }));
  const state = await ifKnown(models.readState(signal));
  return {
    parameters,
    board: state?.board ?? (await ifKnown(readInfo(client, 'i', { signal }))),
    bootloader: (await ifKnown(readBootloader(client, undefined, { signal })))?.bootloader,
    images: await ifKnown(images.readState(signal)),
    slots: await ifKnown(images.readSlots(signal)),
    models: state,
    statistics: state === undefined ? undefined : await ifKnown(models.readStatistics(signal)),
  };
}

/** The version of what runs, or undefined. */
export function runningVersion(
  slots: readonly { readonly version?: string; readonly active?: boolean }[] | undefined,
): string | undefined {
  return slots?.find(({ active }) => active === true)?.version;
}
