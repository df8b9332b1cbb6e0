export const count = (value: number): string => Math.round(value).toLocaleString('en-US');
export const millions = (value: number): string => `${(value / 1e6).toFixed(value < 1e7 ? 3 : 2)}M`;
export const ratio = (value: number): string => `${value.toFixed(2)} x`;
export const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

/** A table in Markdown: so many columns to the left, the others to the right. */
export function markdown(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  left = 1,
): string {
  const all = [head, ...rows];
  const widths = head.map((_, column) => Math.max(3, ...all.map((row) => row[column]!.length)));
  const pad = (cell: string, column: number): string =>
    column < left ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!);
  const line = (row: readonly string[]): string => `| ${row.map(pad).join(' | ')} |`;
  const rules = widths.map((width, column) => '-'.repeat(width + 1) + (column < left ? '-' : ':'));
  const rule = `|${rules.join('|')}|`;
  return [line(head), rule, ...rows.map(line)].join('\n');
}
