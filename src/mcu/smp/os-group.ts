import { type Static, Type } from '../../core/index.ts';
import { GROUP_OS, printable } from './answer-errors.ts';
import { Uint32 } from './cbor.ts';
import { SMP_READ, SMP_WRITE, type SmpClient } from './client.ts';

/* Zephyr, "Default/OS Management Group" (group 0). */
const ID_ECHO = 0;
const ID_RESET = 5;
const ID_PARAMETERS = 6;
const ID_INFO = 7;
const ID_BOOTLOADER = 8;

const MAX_TEXT_CHARACTERS = 512;
const Text = Type.String({ maxLength: MAX_TEXT_CHARACTERS });

const Empty = Type.Object({});
const Parameters = Type.Object({ buf_size: Uint32, buf_count: Uint32 });
const Bootloader = Type.Object({
  bootloader: Type.Optional(Text),
  mode: Type.Optional(Type.Integer()),
  'no-downgrade': Type.Optional(Type.Boolean()),
});

export interface SmpParameters {
  /** One packet with its header. */
  readonly bufferBytes: number;
  /** The answer's buffer is one of them. */
  readonly bufferCount: number;
}

interface Options {
  readonly signal?: AbortSignal | undefined;
}

/** @returns the same text from a device that hears and answers */
export async function echo(client: SmpClient, text: string, options: Options = {}) {
  const { r } = await client.request({
    what: 'echo',
    operation: SMP_WRITE,
    group: GROUP_OS,
    id: ID_ECHO,
    body: { d: text },
    answer: Type.Object({ r: Text }),
    ...options,
  });
  return r;
}

/** The device answers first, then resets. */
export async function reset(client: SmpClient, options: Options = {}): Promise<void> {
  await client.request({
    what: 'reset',
    operation: SMP_WRITE,
    group: GROUP_OS,
    id: ID_RESET,
    answer: Empty,
    attempts: 1,
    ...options,
  });
}

/** @throws `mcu-unsupported` where the device does not tell */
export async function readParameters(
  client: SmpClient,
  options: Options = {},
): Promise<SmpParameters> {
  const answer = await client.request({
    what: 'parameters',
    operation: SMP_READ,
    group: GROUP_OS,
    id: ID_PARAMETERS,
    answer: Parameters,
    ...options,
  });
  return { bufferBytes: answer.buf_size, bufferCount: answer.buf_count };
}

/**
 * @param format one letter each, as of `uname`; `i` is the board's name. Zephyr, "OS/Application info"
 * @throws `mcu-unsupported`
 */
export async function readInfo(client: SmpClient, format: string, options: Options = {}) {
  const { output } = await client.request({
    what: 'info',
    operation: SMP_READ,
    group: GROUP_OS,
    id: ID_INFO,
    body: { format },
    answer: Type.Object({ output: Text }),
    ...options,
  });
  return printable(output, MAX_TEXT_CHARACTERS);
}

/** @param query nothing for the name, `mode` for how it swaps. @throws `mcu-unsupported` */
export async function readBootloader(
  client: SmpClient,
  query?: string,
  options: Options = {},
): Promise<Static<typeof Bootloader>> {
  return await client.request({
    what: 'bootloader information',
    operation: SMP_READ,
    group: GROUP_OS,
    id: ID_BOOTLOADER,
    body: { query },
    answer: Bootloader,
    ...options,
  });
}
