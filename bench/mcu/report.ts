/** The figures of bench/mcu.ts as tables, and plainly. */
import { decodePlan } from '../../src/plan/index.ts';
import type { WeightBytes } from './layers.ts';
import type { CycleEstimate, Measured } from './measure.ts';
import { count, markdown, millions, percent, ratio } from './table.ts';

/** Instructions a MAC that SMLAD, which does two, cannot be below. */
const WALL = 0.5;
const CLOCK_HZ = 80e6;
const LONGEST_FUNCTIONS = 8;

interface PeerBuild {
  readonly instructions: number;
  readonly flashBytes: number;
  readonly ramBytes: number;
}

/** A model of tflite-micro.json. */
export interface Peer {
  readonly file: string;
  readonly checksum: string;
  readonly setupInstructions: number;
  readonly reference: PeerBuild;
  readonly cmsisNn: PeerBuild;
}

export interface Reference {
  readonly name: string;
  readonly peer: Peer;
  readonly fileBytes: number;
  readonly measured: Measured;
  /** Flash of the engine with the model's kinds of steps alone. */
  readonly leanBytes: number;
  readonly cycles: CycleEstimate;
}

export interface Other {
  readonly name: string;
  readonly fileBytes: number;
  readonly measured?: Measured;
  /** Why there is no plan. */
  readonly refused?: string;
}

export interface PruningRow {
  /** Of each layer's weights that are zero. */
  readonly share: number;
  readonly bytes: WeightBytes;
  readonly measured: Measured;
  readonly cycles: CycleEstimate;
}

export interface Pruning {
  readonly name: string;
  readonly rows: readonly PruningRow[];
}

export interface Report {
  readonly source: string;
  readonly references: readonly Reference[];
  readonly others: readonly Other[];
  readonly prunings: readonly Pruning[];
}

const perMac = (instructions: number, macs: number): string =>
  macs === 0 ? '' : (instructions / macs).toFixed(2);
const times = (theirs: number, ours: number): string => ` (${ratio(theirs / ours)})`;

function besideTable({ references, source }: Report): string {
  const rows = references.flatMap(({ name, peer, measured, leanBytes }) => {
    const { instructions, ramBytes, setupInstructions, engineFlashBytes } = measured.statistics;
    const theirs = (build: PeerBuild): string[] => [
      millions(build.instructions) + times(build.instructions, instructions),
      count(build.ramBytes) + times(build.ramBytes, ramBytes),
      count(build.flashBytes) + times(build.flashBytes, leanBytes),
      count(peer.setupInstructions) + times(peer.setupInstructions, setupInstructions),
    ];
    const flash = `${count(leanBytes)}; all kinds ${count(engineFlashBytes)}`;
    const ours = [millions(instructions), count(ramBytes), flash, count(setupInstructions)];
    return [
      [name, 'Dunlin', ...ours],
      ['', 'CMSIS-NN', ...theirs(peer.cmsisNn)],
      ['', 'reference', ...theirs(peer.reference)],
    ];
  });
  const head = ['model', 'engine', 'instructions', 'RAM bytes', 'flash bytes', 'set-up'];
  return section(
    'One inference beside TFLite Micro',
    `Theirs: ${source}. In brackets: theirs / ours. Outputs are the same bytes (checksums).`,
    markdown(head, rows, 2),
  );
}

function bytesTable({ references }: Report): string {
  const rows = references.map(({ name, fileBytes, measured }) => {
    const { plan, payloadBytes, statistics } = measured;
    const planBytes = plan.bytes.length;
    return [
      name,
      count(fileBytes),
      count(planBytes),
      count(payloadBytes),
      (planBytes / payloadBytes).toFixed(3),
      count(plan.liveBytes),
      count(plan.arenaBytes),
      count(statistics.ramBytes - plan.arenaBytes),
      count(statistics.stackBytes),
    ];
  });
  const head = ['model', '.tflite', 'plan', 'payload', 'plan / payload'];
  return section(
    'Bytes',
    'Payload: weights, biases, 5 bytes a channel (a layer with one scale: 5 in all). Live\n' +
      'tensors: the most that tensors alone take at once, none over another.',
    markdown([...head, 'live tensors', 'arena', 'data + bss', 'stack'], rows),
  );
}

function wallTable({ references }: Report): string {
  const rows = references.map(({ name, measured, cycles: { run, deviation, stepDeviation } }) => {
    const { macs } = measured.plan;
    const { instructions } = measured.statistics;
    return [
      name,
      count(macs),
      count(instructions),
      perMac(instructions, macs),
      ratio(instructions / macs / WALL),
      count(run.cycles),
      perMac(run.cycles, macs),
      ((run.cycles / CLOCK_HZ) * 1000).toFixed(2),
      `${count(run.memory)} / ${count(run.stalls)} / ${count(run.refill)} / ${count(run.division)}`,
      `${deviation} (${stepDeviation})`,
    ];
  });
  return section(
    'How far from the wall, and cycles of a Cortex-M4 without wait states',
    'The wall: 0.5 instructions a MAC. Cycles are estimated (bench/mcu/timing.ts). Beyond one\n' +
      'an instruction: loads and stores / addresses waited for / refills after branches /\n' +
      'divisions. Deviation: instructions counted from executed blocks less those counted by\n' +
      'the clock of the board, of a run (of its worst step).',
    markdown(
      [
        'model',
        'MACs',
        'instructions',
        'a MAC',
        'of the wall',
        'cycles',
        'a MAC',
        'ms at 80 MHz',
        'cycles beyond',
        'deviation',
      ],
      rows,
    ),
  );
}

function profileTable({ name, measured, cycles }: Reference): string {
  const all = cycles.operationCycles.reduce((sum, own) => sum + own, 0);
  const rows = measured.operations.map(({ label, kind, macs, instructions }, index) => [
    label,
    kind,
    count(macs),
    count(instructions),
    perMac(instructions, macs),
    count(cycles.operationCycles[index]!),
    percent(cycles.operationCycles[index]! / all),
  ]);
  const functions = cycles.functions
    .slice(0, LONGEST_FUNCTIONS)
    .map((work) => [
      work.name,
      count(work.instructions),
      count(work.multiplies),
      count(work.cycles),
      percent(work.cycles / cycles.run.cycles),
    ]);
  return section(
    `${name} by operators and functions`,
    '',
    markdown(
      ['operator', 'step', 'MACs', 'instructions', 'a MAC', 'cycles', 'of all cycles'],
      rows,
      2,
    ),
    '',
    markdown(
      ['function', 'instructions', 'multiply-accumulates', 'cycles', 'of all cycles'],
      functions,
    ),
  );
}

function othersTable({ others }: Report): string {
  const rows = others.flatMap(({ name, fileBytes, measured }) => {
    if (measured === undefined) return [];
    const { plan, statistics } = measured;
    return [
      [
        name,
        count(fileBytes),
        count(plan.bytes.length),
        (plan.bytes.length / measured.payloadBytes).toFixed(3),
        count(statistics.ramBytes),
        count(plan.macs),
        count(statistics.instructions),
        perMac(statistics.instructions, plan.macs),
      ],
    ];
  });
  const refused = others.flatMap(({ refused: why }) => (why === undefined ? [] : [`- ${why}`]));
  return section(
    'Other models',
    'Nothing to compare with: there are no figures of TFLite Micro here.',
    markdown(
      ['model', '.tflite', 'plan', 'plan / payload', 'RAM bytes', 'MACs', 'instructions', 'a MAC'],
      rows,
    ),
    ...(refused.length === 0 ? [] : ['', 'Without a plan:', ...refused]),
  );
}

function layoutOf({ plan }: Measured): { weightsBytes: number; runs: number; layers: number } {
  const weighted = decodePlan(plan.bytes, 'the plan').steps.filter(
    (step) => 'weightsBytes' in step,
  );
  return {
    weightsBytes: weighted.reduce((sum, step) => sum + step.weightsBytes, 0),
    runs: weighted.filter(({ layout }) => layout === 'RUNS').length,
    layers: weighted.filter(({ weightsBytes }) => weightsBytes > 0).length,
  };
}

function pruningTable({ name, rows: measurements }: Pruning): string {
  const rows = measurements.map(({ share, bytes, measured, cycles }) => {
    const { weightsBytes, runs, layers } = layoutOf(measured);
    const { instructions, setupInstructions } = measured.statistics;
    return [
      percent(share),
      count(measured.plan.deadChannels),
      `${runs} of ${layers}`,
      count(weightsBytes),
      count(measured.plan.bytes.length),
      count(instructions),
      count(cycles.run.cycles),
      count(setupInstructions),
      count(bytes.dense),
      count(bytes.runs),
      count(bytes.bitmap),
      bytes.entriesEach.toFixed(2),
    ];
  });
  return section(
    `${name} pruned: that share of each layer's weights made zero by magnitude`,
    'As compiled: dead channels (taken out), layers in runs, bytes of weights and of the plan,\n' +
      'instructions, cycles, set-up. Beside it the weights of all layers but the depthwise,\n' +
      'dead channels too: all dense, all in runs, all as bitmaps; entries of runs a weight left.',
    markdown(
      [
        'zeros',
        'dead',
        'in runs',
        'weights',
        'plan',
        'instructions',
        'cycles',
        'set-up',
        'dense',
        'runs',
        'bitmap',
        'entries',
      ],
      rows,
    ),
  );
}

const section = (title: string, note: string, ...lines: readonly string[]): string =>
  [`### ${title}`, '', ...(note === '' ? [] : [note, '']), ...lines, ''].join('\n');

function plainMeasured({ plan, operations, ...rest }: Measured) {
  const { bytes, arenaBytes, liveBytes, macs, deadChannels } = plan;
  return {
    ...rest,
    operations,
    plan: { sizeBytes: bytes.length, arenaBytes, liveBytes, macs, deadChannels },
    ...layoutOf({ plan, operations, ...rest }),
  };
}

/** For people, and for scripts. */
export function describe(report: Report): { readonly plain: object; readonly text: string } {
  const withPlain = <T extends { readonly measured?: Measured }>(row: T): object =>
    row.measured === undefined ? row : { ...row, measured: plainMeasured(row.measured) };
  const plain = {
    source: report.source,
    references: report.references.map(withPlain),
    others: report.others.map(withPlain),
    prunings: report.prunings.map(({ name, rows }) => ({ name, rows: rows.map(withPlain) })),
  };
  const text = [
    ...(report.references.length === 0
      ? []
      : [besideTable(report), bytesTable(report), wallTable(report)]),
    ...report.references.map(profileTable),
    othersTable(report),
    ...report.prunings.map(pruningTable),
  ].join('\n');
  return { plain, text };
}
