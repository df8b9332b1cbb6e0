import { type Clock, errorMessage, type Logger } from '../../core/index.ts';
import {
  type Flasher,
  type FlashJob,
  type FlashJournal,
  ImageGroup,
  ifKnown,
  type McuInference,
  ModelGroup,
  type ModelLog,
  type ModelStatistics,
  requireBoard,
  type SmpClient,
} from '../../mcu/index.ts';
import type { McuRunning } from '../../telemetry/index.ts';
import type { StoredRelease } from '../../update/index.ts';
import { Turns } from '../turns.ts';
import {
  firmwareOf,
  hashHexOf,
  type McuTakes,
  mcuGoldenVectors,
  mcuHashes,
  modelOf,
} from './mcu-release.ts';

export interface McuDeviceOptions {
  readonly name: string;
  /** Names that the device may say it has. */
  readonly boards: readonly string[];
  readonly takes: McuTakes;
  readonly client: SmpClient;
  readonly flasher: Flasher;
  readonly journal: FlashJournal;
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface McuReading {
  readonly statistics: ModelStatistics;
  readonly log: ModelLog;
}

type Signal = AbortSignal | undefined;

/**
 * One microcontroller on its line. Invariants: one exchange of commands at a time (`#line`); a new job only after the
 * journal's last one is over; nothing is written before the device has said which board it is.
 */
export class McuDevice {
  readonly #options: McuDeviceOptions;
  readonly #line = new Turns();
  readonly #images: ImageGroup;
  readonly #models: ModelGroup;
  #running: McuRunning | undefined;
  #step: string | undefined;
  #isOnline = false;
  #jobs = 0;
  #logSince = 0;
  #resets: number | undefined;
  #onChange: () => void = () => {};

  constructor(options: McuDeviceOptions) {
    this.#options = options;
    this.#images = new ImageGroup(options.client);
    this.#models = new ModelGroup(options.client);
  }

  get name(): string {
    return this.#options.name;
  }

  get isOnline(): boolean {
    return this.#isOnline;
  }

  /** Files are being sent to it, or tried. */
  get isBusy(): boolean {
    return this.#jobs > 0;
  }

  /** The step of the job under way. */
  get step(): string | undefined {
    return this.#step;
  }

  /** As the device said last. */
  get running(): McuRunning | undefined {
    return this.#running;
  }

  get lineCounts() {
    return this.#options.client.counts;
  }

  /** Told of everything that the state shows. */
  set onChange(listener: () => void) {
    this.#onChange = listener;
  }

  /** @throws `mcu-unreachable`, `mcu-silent`, `mcu-garbled`, `mcu-busy`, `mcu-wrong-board` */
  async connect(signal: Signal): Promise<void> {
    const { flasher, boards, client } = this.#options;
    await this.#line.run(async () => {
      const identity = await flasher.identify(signal);
      requireBoard(identity, boards, client.lineName);
      this.#running = await this.#readRunning(identity.bootloader, signal);
      this.#isOnline = true;
    }, signal);
    this.#onChange();
  }

  /** After the line was lost; `connect` opens it anew. */
  async disconnect(): Promise<void> {
    this.#isOnline = false;
    await this.#options.client.close();
  }

  /** Whether a job was interrupted that `resume` would go on with. */
  async isInterrupted(): Promise<boolean> {
    return (await this.#options.journal.readUnfinished()) !== undefined;
  }

  /** Whether the last job, over or not, was about a file of this release. */
  async hasBegun(stored: StoredRelease): Promise<boolean> {
    const record = await this.#options.journal.read();
    return record !== undefined && mcuHashes(stored, this.#options.takes).has(record.hashHex);
  }

  /**
   * Ends what an earlier life began, well or with what ran before. A refusal by the device is no error here.
   * @throws errors of the line
   */
  async resume(signal: AbortSignal): Promise<void> {
    await this.#job(signal, async (onProgress) => {
      try {
        await this.#options.flasher.resume({ signal, onProgress });
      } catch (error) {
        signal.throwIfAborted();
        if (await this.isInterrupted()) throw error;
        this.#options.logger.warn(`${this.name}: ${errorMessage(error)}`);
      }
    });
  }

  /** Whether the device runs all that a release has for it, for good. */
  runs(stored: StoredRelease): boolean {
    const { takes } = this.#options;
    const { firmware, model, engine } = this.#running ?? {};
    const image = firmwareOf(stored, takes);
    if (image !== undefined && hashHexOf(image, 'firmware') !== firmware?.hash) return false;
    if (!takes.install.includes('model')) return this.#running !== undefined;
    try {
      const wanted = modelOf(stored, takes, engine);
      return wanted !== undefined && hashHexOf(wanted.file, wanted.artifact) === model?.hash;
    } catch {
      return false;
    }
  }

  /**
   * Makes the device run a release: firmware first, where it is another one; then the model, tried with the golden
   * vectors before it is confirmed. What runs already is not sent; a model is tried all the same.
   * @throws `golden-mismatch`, refusals of the device, errors of the line
   */
  async install(stored: StoredRelease, signal: AbortSignal): Promise<void> {
    const { takes, boards } = this.#options;
    await this.#job(signal, async (onProgress) => {
      const { flasher } = this.#options;
      const flash = async (job: Omit<FlashJob, 'boards'>): Promise<void> => {
        await flasher.flash({ ...job, boards }, { signal, onProgress });
        this.#running = await this.#readRunning(this.#running?.bootloader, signal);
      };
      const golden = takes.install.includes('model') ? mcuGoldenVectors(stored) : [];
      const firmware = firmwareOf(stored, takes);
      const running = this.#running?.firmware?.hash;
      if (firmware !== undefined && hashHexOf(firmware, 'firmware') !== running) {
        await flash({ kind: 'firmware', file: firmware, golden: [] });
      }
      const model = modelOf(stored, takes, this.#running?.engine);
      if (model === undefined) return;
      const { file, artifact } = model;
      if (hashHexOf(file, artifact) !== this.#running?.model?.hash) {
        await flash({ kind: 'model', file, golden });
      } else {
        this.#setStep('self-test');
        await this.#models.selfTest(golden, signal);
      }
    });
  }

  /** Looks after the device. @returns undefined where the firmware has no statistics. @throws errors of the line */
  async poll(signal: Signal): Promise<McuReading | undefined> {
    return await this.#line.run(async () => {
      this.#running = await this.#readRunning(this.#running?.bootloader, signal);
      return await ifKnown(this.#readNumbers(signal));
    }, signal);
  }

  async #readNumbers(signal: Signal): Promise<McuReading> {
    const statistics = await this.#models.readStatistics(signal);
    if (statistics.resets !== this.#resets) this.#logSince = 0;
    this.#resets = statistics.resets;
    const log = await this.#models.readLog(this.#logSince, signal);
    this.#logSince = log.next;
    return { statistics, log };
  }

  /** @param input of exactly the size of the active model's inputs */
  async infer(input: Uint8Array): Promise<McuInference & { readonly roundTripUs: number }> {
    const { clock } = this.#options;
    return await this.#line.run(async () => {
      const startedMs = clock.monotonicMs();
      const inference = await this.#models.infer(input);
      return { ...inference, roundTripUs: (clock.monotonicMs() - startedMs) * 1000 };
    });
  }

  async #job(
    signal: AbortSignal,
    work: (onProgress: (progress: { readonly step: string }) => void) => Promise<void>,
  ): Promise<void> {
    this.#jobs += 1;
    try {
      await this.#line.run(async () => {
        await work(({ step }) => this.#setStep(step));
        this.#running = await this.#readRunning(this.#running?.bootloader, signal);
      }, signal);
    } finally {
      this.#jobs -= 1;
      this.#setStep(undefined);
    }
  }

  #setStep(step: string | undefined): void {
    if (this.#step === step) return;
    this.#step = step;
    this.#onChange();
  }

  async #readRunning(bootloader: string | undefined, signal: Signal): Promise<McuRunning> {
    const images = await ifKnown(this.#images.readState(signal));
    const firmware = images?.find(({ active }) => active === true);
    const state = await ifKnown(this.#models.readState(signal));
    const model = state?.slots.find(({ confirmed }) => confirmed === true);
    // Zephyr's firmware says its board elsewhere; `connect` has compared it already.
    const board = state?.board ?? this.#options.boards[0] ?? '';
    return {
      board,
      ...(bootloader === undefined ? {} : { bootloader }),
      ...(firmware?.hash === undefined || firmware.confirmed !== true
        ? {}
        : { firmware: { version: firmware.version, hash: hex(firmware.hash) } }),
      ...(state === undefined ? {} : { engine: state.engine }),
      ...(model?.hash === undefined
        ? {}
        : { model: { version: model.version ?? '', hash: hex(model.hash) } }),
    };
  }
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
