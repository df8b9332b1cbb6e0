/**
 * Cycles of a Cortex-M4 for straight pieces of code and memory without wait states: Arm
 * 100166_0001_00 (Cortex-M4 Processor Technical Reference Manual), 3.3.1, table 3-1, and Arm's
 * "Load/store timings" (Arm DDI 0337I, 3.3.2; for the Cortex-M4F in TI SWCU185). It is an estimate:
 *
 * - P, the refill of the pipeline after a branch that is taken, is 1 to 3 "depending on the
 *   alignment and width of the target instruction": taken as 2.
 * - UDIV and SDIV take 2 to 12: taken as 12.
 * - IT may be folded into the instruction before it and take nothing: taken as 1. What an IT skips
 *   takes 1.
 * - LDR takes 2. Right behind another single load, whose result is not in its address, it takes 1,
 *   and so does an STR with an offset in a register, else 2. "STR Rx, [Ry, #imm] is always one
 *   cycle". Nothing is pipelined behind an STR.
 * - LDM, STM, PUSH, POP, LDRD and STRD take 1 + N for N registers, and are not pipelined with their
 *   neighbours.
 * - An address made by the data processing instruction right before it stalls a load or store for a
 *   cycle.
 * - Multiplications of all kinds, SMLAD and SMMULR among them, take 1.
 * - Not counted: words and halfwords at odd places (1 or 2 more each), literals that contend with
 *   fetching, a full store buffer, pairs of a load across the ends of two pieces.
 */

export const REFILL_CYCLES = 2;
const DIVISION_CYCLES = 12;

/** Cycles beyond one for each instruction. */
export interface Cycles {
  /** Of loads and stores. */
  readonly memory: number;
  /** Of loads and stores that wait for their address. */
  readonly stalls: number;
  readonly division: number;
}

interface Instruction {
  /** Without width, condition and S. */
  readonly operation: string;
  readonly operands: string;
}

const MULTIPLE = new Set([
  'push',
  'pop',
  'ldm',
  'ldmib',
  'ldmdb',
  'stm',
  'stmib',
  'stmdb',
  'stmia',
  'ldmia',
]);
const DOUBLE = new Set(['ldrd', 'strd']);
const LOAD = new Set(['ldr', 'ldrb', 'ldrh', 'ldrsb', 'ldrsh']);
const STORE = new Set(['str', 'strb', 'strh']);
const DIVISION = new Set(['udiv', 'sdiv']);
const TABLE_BRANCH = new Set(['tbb', 'tbh']);
const BRANCH = new Set(['b', 'bl', 'bx', 'blx', 'cbz', 'cbnz']);
const COMPARISON = new Set(['cmp', 'cmn', 'tst', 'teq', 'nop']);
const DATA = new Set(
  `add adc addw sub sbc subw rsb adr mov movw movt mvn and orr orn eor bic lsl lsr asr ror rrx clz
  rbit rev rev16 sxtb sxth uxtb uxth sxtb16 uxtb16 sxtab sxtah uxtab uxtah sxtab16 uxtab16 ubfx
  sbfx bfi bfc ssat usat ssat16 usat16 sel ssub8 sadd8 ssub16 sadd16 qadd qsub pkhbt pkhtb mul mla
  mls smull umull smlal umlal smulbb smulbt smultb smultt smlabb smlabt smlatb smlatt smulwb
  smulwt smuad smlad smlald smmul smmulr smmla`.split(/\s+/),
);
const KNOWN = [MULTIPLE, DOUBLE, LOAD, STORE, DIVISION, TABLE_BRANCH, BRANCH, COMPARISON, DATA];
const isKnown = (operation: string): boolean => KNOWN.some((set) => set.has(operation));

const CONDITION = /(eq|ne|cs|hs|cc|lo|mi|pl|vs|vc|hi|ls|ge|lt|gt|le)$/;

/** @throws Error for a mnemonic that no cost is known of */
function parse(text: string): Instruction {
  const [mnemonic = '', ...rest] = text.split(/\s+/);
  const operands = rest.join(' ');
  const bare = mnemonic.replace(/\.[wn]$/, '');
  if (/^it[te]{0,3}$/.test(bare)) return { operation: 'it', operands };
  const unconditional = bare.replace(CONDITION, '');
  const forms = [bare, bare.replace(/s$/, ''), unconditional, unconditional.replace(/s$/, '')];
  const operation = forms.find(isKnown);
  if (operation === undefined) throw new Error(`no cost is known of the instruction "${text}"`);
  return { operation, operands };
}

/** The registers that make an instruction's address. */
function addressOf({ operation, operands }: Instruction): readonly string[] {
  if (operation === 'push' || operation === 'pop') return ['sp'];
  if (MULTIPLE.has(operation)) return [operands.split(/[!,]/)[0]!.trim()];
  return /\[(.*?)\]/.exec(operands)?.[1]?.split(/,\s*/) ?? [];
}

/** The registers that data processing writes. */
function resultsOf({ operation, operands }: Instruction): readonly string[] {
  if (!DATA.has(operation) && !DIVISION.has(operation)) return [];
  const names = operands.split(/,\s*/);
  return /^[su]m(ul|la)l(d)?$/.test(operation) ? names.slice(0, 2) : names.slice(0, 1);
}

/** How many registers a list in braces has. */
function countRegisters(operands: string): number {
  const list = /\{(.*)\}/.exec(operands)?.[1]?.split(/,\s*/) ?? [];
  return list.reduce((sum, item) => {
    const [from, to] = item.split('-').map((name) => Number(name.replace('r', '')));
    return sum + (to === undefined ? 1 : to - from! + 1);
  }, 0);
}

const hasOffsetRegister = (instruction: Instruction): boolean =>
  addressOf(instruction).some((part, index) => index === 1 && /^[a-z]/.test(part));

function memoryCycles(instruction: Instruction, before: Instruction | undefined): number {
  const { operation, operands } = instruction;
  if (MULTIPLE.has(operation)) return countRegisters(operands);
  if (DOUBLE.has(operation)) return 2;
  if (TABLE_BRANCH.has(operation)) return 1;
  if (STORE.has(operation) && !hasOffsetRegister(instruction)) return 0;
  if (!LOAD.has(operation) && !STORE.has(operation)) return 0;
  const loaded =
    before !== undefined && LOAD.has(before.operation) && before.operands.split(',')[0];
  return loaded && !addressOf(instruction).includes(loaded) ? 0 : 1;
}

function isAccess({ operation }: Instruction): boolean {
  return (
    MULTIPLE.has(operation) || DOUBLE.has(operation) || LOAD.has(operation) || STORE.has(operation)
  );
}

/**
 * What a piece of code takes, branches taken apart. @param code disassembled instructions that
 * follow one another
 */
export function cyclesOf(code: readonly string[]): Cycles {
  let [memory, stalls, division] = [0, 0, 0];
  let before: Instruction | undefined;
  for (const text of code) {
    const instruction = parse(text);
    memory += memoryCycles(instruction, before);
    if (DIVISION.has(instruction.operation)) division += DIVISION_CYCLES - 1;
    if (before !== undefined && isAccess(instruction)) {
      const results = resultsOf(before);
      if (addressOf(instruction).some((register) => results.includes(register))) stalls++;
    }
    before = instruction;
  }
  return { memory, stalls, division };
}

/** How many instructions are of the SMLA family or MLA. */
export function multipliesOf(code: readonly string[]): number {
  return code.filter((text) => /^(smla([bt][bt]|d)|mla)$/.test(parse(text).operation)).length;
}
