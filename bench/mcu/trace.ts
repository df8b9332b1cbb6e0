/**
 * What the engine executes, from QEMU's log (-d in_asm,exec,nochain): "IN:" lists the instructions
 * of a translated block, "Trace" says that a block is about to run. A block that QEMU then does not
 * run ("Stopped execution of TB chain before") is logged again when it does.
 */
import { execFileSync, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { ProgramResult, RunProgram } from '../../src/plan/index.ts';
import { type Cycles, cyclesOf, multipliesOf, REFILL_CYCLES } from './timing.ts';

/** What ran between two points; cycles are estimates of timing.ts. */
export interface Work extends Cycles {
  readonly instructions: number;
  /** Of the instructions: multiply-accumulates, of which SMLAD makes two MACs. */
  readonly multiplies: number;
  /** Refills of the pipeline after branches taken. */
  readonly refill: number;
  readonly cycles: number;
}

export interface FunctionWork extends Work {
  readonly name: string;
}

export interface StepWork extends Work {
  readonly functions: readonly FunctionWork[];
}

export interface EngineTrace {
  /** engine_run of the one sample. */
  readonly run: Work;
  /** The same by functions, the longest first. */
  readonly functions: readonly FunctionWork[];
  /** Of each step alone. */
  readonly steps: readonly StepWork[];
}

interface Block {
  readonly name: string;
  readonly end: number;
  readonly instructions: number;
  readonly multiplies: number;
  readonly cycles: Cycles;
}

interface Executed {
  count: number;
  taken: number;
}
type Phase = Map<Block, Executed>;

const NOTHING: Work = {
  instructions: 0,
  multiplies: 0,
  memory: 0,
  stalls: 0,
  division: 0,
  refill: 0,
  cycles: 0,
};

function workOf(block: Block, { count, taken }: Executed): Work {
  const instructions = count * block.instructions;
  const multiplies = count * block.multiplies;
  const memory = count * block.cycles.memory;
  const stalls = count * block.cycles.stalls;
  const division = count * block.cycles.division;
  const refill = taken * REFILL_CYCLES;
  const cycles = instructions + memory + stalls + division + refill;
  return { instructions, multiplies, memory, stalls, division, refill, cycles };
}

function plus(a: Work, b: Work): Work {
  const names = Object.keys(NOTHING) as (keyof Work)[];
  return Object.fromEntries(names.map((name) => [name, a[name] + b[name]])) as unknown as Work;
}

const total = (phase: Phase): Work =>
  [...phase].reduce((sum, [block, executed]) => plus(sum, workOf(block, executed)), NOTHING);

function byFunction(phase: Phase): FunctionWork[] {
  const found = new Map<string, Work>();
  for (const [block, executed] of phase) {
    found.set(block.name, plus(found.get(block.name) ?? NOTHING, workOf(block, executed)));
  }
  return [...found].map(([name, work]) => ({ name, ...work })).sort((a, b) => b.cycles - a.cycles);
}

/** Addresses of the firmware: of the engine as a whole and of the two functions that run it. */
export interface EngineSymbols {
  readonly start: number;
  readonly end: number;
  readonly run: number;
  readonly runStep: number;
}

export function engineSymbols(firmware: string): EngineSymbols {
  const lines = execFileSync('arm-none-eabi-nm', [firmware], { encoding: 'utf8' });
  const addressOf = (name: string): number => {
    const [, address] = new RegExp(`^([0-9a-f]+) . ${name}$`, 'm').exec(lines) ?? [];
    if (address === undefined) throw new Error(`${firmware} has no symbol ${name}`);
    // The lowest bit of a function's address says that it is Thumb.
    return Number.parseInt(address, 16) & ~1;
  };
  return {
    start: addressOf('__engine_start'),
    end: addressOf('__engine_end'),
    run: addressOf('engine_run'),
    runStep: addressOf('engine_run_step'),
  };
}

const LISTED = /^0x([0-9a-f]{8}): {2}((?:[0-9a-f]{4} ?)+) +(\S.*)$/;

/** Reads the log line by line. */
export class TraceReader {
  readonly #symbols: EngineSymbols;
  readonly #blocks = new Map<string, Block>();
  readonly #run: Phase = new Map();
  readonly #steps: Phase[] = [];
  #phase: Phase | undefined;
  /** What is about to run, and is not counted yet. */
  #current: Block | undefined;
  #listedName = '';
  #listedFirst = 0;
  #listedEnd = 0;
  #listed: string[] = [];

  constructor(symbols: EngineSymbols) {
    this.#symbols = symbols;
  }

  read(line: string): void {
    if (line.startsWith('Trace ')) this.#execute(line);
    else if (line.startsWith('0x')) this.#list(line);
    else if (line.startsWith('IN: ')) this.#listedName = line.slice(4).trim();
    else if (line.startsWith('Stopped ')) this.#current = undefined;
  }

  #list(line: string): void {
    const [, address, code, text] = LISTED.exec(line) ?? [];
    if (address === undefined) throw new Error(`QEMU's log has an instruction like "${line}"`);
    const at = Number.parseInt(address, 16);
    if (this.#listed.length === 0) this.#listedFirst = at;
    this.#listed.push(text!.trim());
    this.#listedEnd = at + code!.replaceAll(' ', '').length / 2;
  }

  /**
   * "Trace 0: 0x7f9b9c000480 [00800408/000034b4/00000110/ff020200] memcpy": pc and two words of
   * flags.
   */
  #execute(line: string): void {
    const from = line.indexOf('/', line.indexOf('[')) + 1;
    const key = line.slice(from, line.indexOf(']', from));
    const address = Number.parseInt(key.slice(0, 8), 16);
    if (this.#listed.length > 0) this.#blocks.set(key, this.#translated(address));
    const block = this.#blocks.get(key);
    if (block === undefined) throw new Error(`QEMU ran a block that it did not list: ${line}`);
    this.#count(address);
    this.#enter(address);
    this.#current = block;
  }

  #translated(address: number): Block {
    const [code, first] = [this.#listed, this.#listedFirst];
    this.#listed = [];
    if (first !== address) throw new Error(`QEMU listed ${first} and runs ${address}`);
    const { start, end } = this.#symbols;
    const isEngine = first >= start && first < end;
    const cycles = isEngine ? cyclesOf(code) : NOTHING;
    const multiplies = isEngine ? multipliesOf(code) : 0;
    const name = this.#listedName;
    return {
      name,
      end: this.#listedEnd,
      instructions: code.length,
      multiplies,
      cycles,
    };
  }

  /** The block before this one has run. */
  #count(next: number): void {
    const block = this.#current;
    if (block === undefined || this.#phase === undefined) return;
    const executed = this.#phase.get(block) ?? { count: 0, taken: 0 };
    executed.count++;
    if (next !== block.end) executed.taken++;
    this.#phase.set(block, executed);
  }

  #enter(address: number): void {
    const { start, end, run, runStep } = this.#symbols;
    if (address < start || address >= end) this.#phase = undefined;
    else if (this.#phase !== undefined) return;
    else if (address === run) this.#phase = this.#run;
    else if (address === runStep) {
      this.#phase = new Map();
      this.#steps.push(this.#phase);
    }
  }

  result(): EngineTrace {
    const steps = this.#steps.map((step) => ({ ...total(step), functions: byFunction(step) }));
    return { run: total(this.#run), functions: byFunction(this.#run), steps };
  }
}

/**
 * Runs QEMU with its log on the standard error, which goes to the reader instead of into the
 * result.
 */
export const traced =
  (reader: TraceReader): RunProgram =>
  (command, args, { timeoutMs }) =>
    new Promise<ProgramResult>((resolve, reject) => {
      const child = spawn(command, [...args, '-d', 'in_asm,exec,nochain'], {
        stdio: ['ignore', 'pipe', 'pipe'],
        timeout: timeoutMs,
        killSignal: 'SIGKILL',
      });
      const parts: Buffer[] = [];
      child.stdout.on('data', (part: Buffer) => parts.push(part));
      child.on('error', reject);
      const ended = new Promise<number | null>((done) => child.on('close', done));
      const lines = createInterface({ input: child.stderr });
      lines.on('line', (line) => reader.read(line));
      const read = new Promise<void>((done) => lines.on('close', done));
      Promise.all([ended, read]).then(
        ([status]) => resolve({ status, stdout: Buffer.concat(parts), stderr: '' }),
        reject,
      );
    });
