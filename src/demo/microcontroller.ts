import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, rm } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { DunlinError } from '../core/index.ts';

const BUILD = fileURLToPath(new URL('../../../firmware/build/native/', import.meta.url));
const PROGRAM = `${BUILD}dunlin-mcu-native`;

export interface MicrocontrollerFiles {
  /** Kept from one start to the next; erased flash where it is not there. */
  readonly flash: string;
  readonly link: string;
  readonly publicKey: string;
}

/**
 * A microcontroller of the tour: the bootloader and the firmware of firmware/boards/native, whose serial line is a pty
 * and whose flash is a file. To kill it is to cut its power and its line.
 */
export class Microcontroller {
  /** What a release gives it. */
  static readonly firmware = `${BUILD}firmware-native.elf`;
  readonly #files: MicrocontrollerFiles;
  #process: ChildProcess | undefined;

  private constructor(files: MicrocontrollerFiles) {
    this.#files = files;
  }

  /** Switched off. @throws `file-missing` where it was not built */
  static async make(files: MicrocontrollerFiles): Promise<Microcontroller> {
    for (const path of [PROGRAM, Microcontroller.firmware]) {
      await access(path).catch((cause) => {
        throw new DunlinError(
          `${path}: not there; make -C firmware device BOARD=native builds it`,
          {
            code: 'file-missing',
            cause,
          },
        );
      });
    }
    return new Microcontroller(files);
  }

  powerOn(): void {
    const { flash, link, publicKey } = this.#files;
    const args = ['--flash', flash, '--link', link, '--key', publicKey];
    const child = spawn(PROGRAM, args, { stdio: 'ignore' });
    // One that cannot start is one that never answers: the step that waits for it says so.
    child.on('error', () => {});
    this.#process = child;
  }

  async powerOff(): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
    // As udev does when a device goes.
    await rm(this.#files.link, { force: true });
  }
}
