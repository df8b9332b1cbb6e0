import { parseJson, type Static, Type } from '../../src/core/index.ts';

const FileMetricsSchema = Type.Object({
  /** Share of the held-out windows, measured by running the file in the stock runtime. */
  accuracy: Type.Number({ minimum: 0, maximum: 1 }),
  sizeBytes: Type.Integer({ minimum: 1 }),
  /** After brotli, quality 11, as it is sent. */
  compressedBytes: Type.Integer({ minimum: 1 }),
  /** Share of all weights. */
  zeroWeights: Type.Number({ minimum: 0, maximum: 1 }),
});

const VersionMetricsSchema = Type.Object({
  /** Of this version's own training: v2 starts from v1. */
  trainingSteps: Type.Integer({ minimum: 1 }),
  /** Windows of a step, and different windows in all. */
  batchWindows: Type.Integer({ minimum: 1 }),
  trainingWindows: Type.Integer({ minimum: 1 }),
  parameters: Type.Integer({ minimum: 1 }),
  /** Multiply-accumulates of one window. */
  macs: Type.Integer({ minimum: 1 }),
  /** Share of zeros among the weights that may be pruned. */
  prunedShare: Type.Number({ minimum: 0, maximum: 1 }),
  float: FileMetricsSchema,
  int8: FileMetricsSchema,
});

/** metrics.json */
const MetricsSchema = Type.Object({
  node: Type.String(),
  architecture: Type.String(),
  heldOutWindows: Type.Integer({ minimum: 1 }),
  /** v1's; v2 has its training windows. */
  calibrationWindows: Type.Integer({ minimum: 1 }),
  /** How the ranges of v1's int8 file were chosen, as the optimizer's report says it. */
  int8Ranges: Type.String(),
  seeds: Type.Record(Type.String(), Type.Integer()),
  versions: Type.Object({ v1: VersionMetricsSchema, v2: VersionMetricsSchema }),
});

export type FileMetrics = Static<typeof FileMetricsSchema>;
export type VersionMetrics = Static<typeof VersionMetricsSchema>;
export type Metrics = Static<typeof MetricsSchema>;

export const METRICS_FILE = 'metrics.json';

/** On another processor or another Node, rounding may differ in the last bit and flip a few windows. */
const ACCURACY_TOLERANCE = 0.002;

/** @throws `input-invalid` */
export function parseMetrics(bytes: Uint8Array): Metrics {
  return parseJson(MetricsSchema, bytes, METRICS_FILE);
}

export function formatMetrics(metrics: Metrics): Uint8Array {
  return Buffer.from(`${JSON.stringify(metrics, null, 2)}\n`);
}

/** Whether files made here must equal the ones whose metrics are `recorded`, byte for byte. */
export function mustBeIdentical(recorded: Metrics, made: Metrics): boolean {
  return recorded.node === made.node && recorded.architecture === made.architecture;
}

/** What differs by more than a processor may make differ; empty when all is well. */
export function compareAccuracy(recorded: Metrics, made: Metrics): string[] {
  const problems: string[] = [];
  for (const version of ['v1', 'v2'] as const) {
    for (const kind of ['float', 'int8'] as const) {
      const [before, now] = [recorded, made].map((m) => m.versions[version][kind].accuracy);
      if (Math.abs(before! - now!) <= ACCURACY_TOLERANCE) continue;
      problems.push(`${version} ${kind}: accuracy ${percent(now!)}, recorded ${percent(before!)}`);
    }
  }
  return problems;
}

/** The table of README.md, in Markdown. */
export function formatTable(metrics: Metrics): string {
  const rows = (['v1', 'v2'] as const).flatMap((version) =>
    (['float', 'int8'] as const).map((kind) => {
      const { macs, trainingSteps, trainingWindows, ...files } = metrics.versions[version];
      const file = files[kind];
      return [
        `${version} ${kind}`,
        percent(file.accuracy),
        ...[file.sizeBytes, file.compressedBytes, macs].map(whole),
        percent(file.zeroWeights),
        ...[trainingSteps, trainingWindows].map(whole),
      ];
    }),
  );
  return markdownTable([
    ['file', 'accuracy', 'bytes', 'brotli bytes', 'MACs', 'zero weights', 'steps', 'windows'],
    ...rows,
  ]);
}

/** Names in the first column, numbers in the others. */
export function markdownTable(rows: readonly (readonly string[])[]): string {
  const [head, ...others] = rows;
  const rule = head!.map((_, column) => (column === 0 ? '---' : '---:'));
  return [head!, rule, ...others].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

function whole(count: number): string {
  return count.toLocaleString('en-US');
}

export function percent(share: number): string {
  return `${(100 * share).toFixed(2)} %`;
}
