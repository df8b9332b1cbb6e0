export const count = (value: number): string => Math.round(value).toLocaleString('en-US');
export const millions = (value: number): string => `${(value / 1e6).toFixed(value < 1e7 ? 3 : 2)}M`;
export const ratio = (value: number): string => `${value.toFixed(2)} x`;
export const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

/** A table in Markdown: the first column to the left, the others to the right. */
export function markdown(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [head, ...rows];
  const widths = head.map((_, column) => Math.max(3, ...all.map((row) => row[column]!.length)));
  const line = (row: readonly string[]): string =>
    `| ${row.map((cell, column) => (column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!))).join(' | ')} |`;
  const rule = `|${widths.map((width, column) => `${'-'.repeat(width + 1)}${column === 0 ? '-' : ':'}`).join('|')}|`;
  return [line(head), rule, ...rows.map(line)].join('\n');
}
