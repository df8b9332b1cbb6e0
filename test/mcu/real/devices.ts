import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SerialLine } from '../../../src/mcu/index.ts';
import { socketLine, terminalLine } from '../../fakes/stream-line.ts';
import { buildFirmware } from '../../plan/board/firmware.ts';
import { KEY } from '../device.ts';

export type RealBoard = 'native' | 'mps2-an386';

/** As firmware/boards/mps2-an386/flash_keys.h has it. */
const FLASH_KEYS_MAGIC = 0x5945_4b44;
const FLASH_KEYS_ADDRESS = 0xff00;
const FLASH_KEYS_BYTES = 8 + 7 * 32;
const PSRAM_BYTES = 16 * 1024 * 1024;
/** QEMU, -icount: 2^5 ns an instruction, rather faster than the 25 MHz of the board. */
const PACED = ['-icount', 'shift=5'];
const START_TRIES = 400;
const START_PAUSE_MS = 25;

export interface RealDeviceOptions {
  /** As slow as the board, by its own clock: QEMU else is as fast as this machine. */
  readonly isPaced?: boolean;
}

/**
 * A device of ours with its bootloader and its flash in a file: a process of this machine, or QEMU's Cortex-M4.
 * To kill it is to cut its power; its line and its flash outlive that.
 */
export class RealDevice {
  readonly board: RealBoard;
  readonly line: SerialLine;
  readonly #dir: string;
  readonly #build: string;
  readonly #isPaced: boolean;
  #process: ChildProcess | undefined;

  private constructor(
    board: RealBoard,
    dir: string,
    build: string,
    { isPaced = false }: RealDeviceOptions,
  ) {
    this.board = board;
    this.#isPaced = isPaced;
    this.#dir = dir;
    this.#build = build;
    this.line =
      board === 'native' ? terminalLine(this.#path('tty')) : socketLine(this.#path('uart'));
  }

  /** Builds what it takes; the flash is erased. */
  static async make(board: RealBoard, options: RealDeviceOptions = {}): Promise<RealDevice> {
    const build = await buildFirmware();
    const dir = await mkdtemp(join(tmpdir(), 'dunlin-mcu-'));
    const device = new RealDevice(board, dir, build, options);
    device.#writeKeys();
    if (board === 'mps2-an386') writeFileSync(device.flashPath, Buffer.alloc(PSRAM_BYTES, 0xff));
    return device;
  }

  get flashPath(): string {
    return this.#path('flash');
  }

  /** What a command line opens. Of `native` alone: QEMU's line is a socket. */
  get linkPath(): string {
    return this.#path('tty');
  }

  /** What the firmware's image carries, and where its body starts. */
  get firmware(): { readonly body: Uint8Array; readonly headerBytes: number } {
    const [name, headerBytes] =
      this.board === 'native' ? ['firmware-native.elf', 32] : [`firmware-${this.board}.bin`, 512];
    return { body: readFileSync(join(this.#build, this.board, name as string)), headerBytes } as {
      body: Uint8Array;
      headerBytes: number;
    };
  }

  get isOn(): boolean {
    return this.#process !== undefined;
  }

  /** Resolves when the line is there. */
  async powerOn(): Promise<void> {
    for (const name of ['tty', 'uart']) rmSync(this.#path(name), { force: true });
    const [command, args] = this.board === 'native' ? this.#nativeCommand() : this.#qemuCommand();
    const child = spawn(command, args, { stdio: 'ignore' });
    this.#process = child;
    child.once('error', (error) => {
      throw error;
    });
    for (
      let tries = 0;
      !existsSync(this.#path(this.board === 'native' ? 'tty' : 'uart'));
      tries++
    ) {
      if (tries === START_TRIES || child.exitCode !== null) {
        throw new Error(`${command} does not start; it takes the Debian package qemu-system-arm`);
      }
      await new Promise((resolve) => setTimeout(resolve, START_PAUSE_MS));
    }
  }

  /** Stops it in the midst of whatever it does, and lets it go on. */
  freeze(isFrozen: boolean): void {
    this.#process?.kill(isFrozen ? 'SIGSTOP' : 'SIGCONT');
  }

  async powerOff(): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
    // As udev does; what it led to may be the terminal of another test soon.
    for (const name of ['tty', 'uart']) rmSync(this.#path(name), { force: true });
  }

  async dispose(): Promise<void> {
    await this.line.close();
    await this.powerOff();
    rmSync(this.#dir, { recursive: true, force: true });
  }

  #path(name: string): string {
    return join(this.#dir, name);
  }

  #nativeCommand(): [string, string[]] {
    const program = join(this.#build, 'native', 'dunlin-mcu-native');
    const files = ['--flash', this.flashPath, '--link', this.#path('tty')];
    return [program, [...files, '--key', this.#path('mcu.pub.pem')]];
  }

  #qemuCommand(): [string, string[]] {
    const memory = `memory-backend-file,id=psram,size=16M,mem-path=${this.flashPath},share=on`;
    const keys = `loader,file=${this.#path('keys.bin')},addr=${FLASH_KEYS_ADDRESS},force-raw=on`;
    const uart = `socket,id=uart,path=${this.#path('uart')},server=on,wait=off`;
    return [
      'qemu-system-arm',
      [
        ...['-machine', 'mps2-an386,memory-backend=psram', '-object', memory],
        ...['-kernel', join(this.#build, 'mps2-an386', 'boot.elf'), '-device', keys],
        ...['-chardev', uart, '-serial', 'chardev:uart', '-display', 'none', '-monitor', 'none'],
        ...(this.#isPaced ? PACED : []),
      ],
    ];
  }

  #writeKeys(): void {
    const { publicKey } = KEY;
    writeFileSync(
      this.#path('mcu.pub.pem'),
      publicKey.export({ type: 'spki', format: 'pem' }).toString(),
    );
    const keys = Buffer.alloc(FLASH_KEYS_BYTES, 0xff);
    keys.writeUInt32LE(FLASH_KEYS_MAGIC, 0);
    keys.writeUInt32LE(1, 4);
    publicKey.export({ type: 'spki', format: 'der' }).copy(keys, 8, 12);
    writeFileSync(this.#path('keys.bin'), keys);
  }
}
