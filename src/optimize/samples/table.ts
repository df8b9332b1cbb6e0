import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import type { CsvError, Info } from 'csv-parse';
import { invalid, unreadable } from './fail.ts';

/** What the delimiter is looked for in. */
const HEAD_BYTES = 64 * 1024;
/** A number with all its digits, or a name in a header, on average over a line. */
const MAX_CELL_BYTES = 64;
/** Columns that a line may have too many before it is called too long instead. */
const SPARE_COLUMNS = 64;
/** From so many columns on, a first line of 0,1,2,… is the header that pandas writes, no sample. */
const MIN_COUNTING_COLUMNS = 8;
/** Of a cell that is not a number, in the error. */
const MAX_CELL_SHOWN = 40;

const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i;
const NOT_FINITE = /^[+-]?(?:nan|inf|infinity)$/i;
const DECIMAL_COMMA = /^[+-]?\d+,\d+$/;

export interface TableOptions {
  readonly columnCount: number;
  /** What a line should hold, for the error of one that does not. */
  readonly wanted: string;
  /** The row is overwritten by the next one. @param line counted from 1 */
  readonly onRow: (row: Float64Array, line: number) => void;
  readonly signal?: AbortSignal;
}

interface TableRecord {
  readonly record: readonly string[];
  readonly info: Info;
}

/**
 * Reads a table of numbers, a row a line, without holding its text: comma, semicolon or tab between
 * the cells, perhaps a header, blank lines passed over.
 * @throws `input-invalid` naming line and column, `file-missing`, `file-unreadable`
 */
export async function readTable(path: string, options: TableOptions): Promise<void> {
  const { columnCount } = options;
  const { CsvError, parse } = await import('csv-parse');
  const parser = parse({
    delimiter: await findDelimiter(path),
    record_delimiter: ['\r\n', '\n', '\r'],
    bom: true,
    info: true,
    max_record_size: MAX_CELL_BYTES * (columnCount + SPARE_COLUMNS),
    relax_column_count: true,
    skip_empty_lines: true,
    trim: true,
  });
  const source = createReadStream(path);
  // pipe() alone leaves the parser waiting when the source fails.
  source.on('error', (error) => parser.destroy(error));
  try {
    await takeRows(path, source.pipe(parser), options);
  } catch (error) {
    if (error instanceof CsvError) throw invalid(path, csvReason(error), error);
    throw error instanceof Error && 'syscall' in error ? unreadable(path, error) : error;
  } finally {
    source.destroy();
  }
}

async function takeRows(
  path: string,
  records: AsyncIterable<TableRecord>,
  { columnCount, wanted, onRow, signal }: TableOptions,
): Promise<void> {
  const row = new Float64Array(columnCount);
  let isFirst = true;
  for await (const { record: cells, info } of records) {
    signal?.throwIfAborted();
    const mayBeHeader = isFirst;
    isFirst = false;
    if (mayBeHeader && isHeader(cells)) continue;
    if (cells.length !== columnCount) {
      const columns = cells.length === 1 ? '1 column' : `${cells.length} columns`;
      throw invalid(path, `line ${info.lines} has ${columns}; ${wanted}`);
    }
    for (const [column, cell] of cells.entries()) {
      if (!NUMBER.test(cell)) {
        const place = `line ${info.lines}, column ${column + 1}`;
        throw invalid(path, `${place}: ${cellProblem(cell)}`);
      }
      row[column] = Number(cell);
    }
    onRow(row, info.lines);
  }
}

/** No cell is a number, or they only count (pandas without names). One odd cell is an error. */
function isHeader(cells: readonly string[]): boolean {
  const isCounting =
    cells.length >= MIN_COUNTING_COLUMNS && cells.every((cell, index) => cell === String(index));
  return isCounting || cells.every((cell) => !NUMBER.test(cell) && !NOT_FINITE.test(cell));
}

function cellProblem(cell: string): string {
  if (cell === '') return 'there is no value; give a number';
  const shown = JSON.stringify(cell.slice(0, MAX_CELL_SHOWN));
  if (NOT_FINITE.test(cell)) return `${shown} is not finite; leave the sample out`;
  if (DECIMAL_COMMA.test(cell)) return `${shown} has a decimal comma; write a point`;
  return `${shown} is not a number`;
}

/** Semicolon before comma: where both are, the commas are of decimals. */
async function findDelimiter(path: string): Promise<string> {
  let head: string;
  try {
    const file = await open(path, 'r');
    try {
      const { buffer, bytesRead } = await file.read({ buffer: Buffer.alloc(HEAD_BYTES) });
      head = buffer.toString('utf8', 0, bytesRead);
    } finally {
      await file.close();
    }
  } catch (error) {
    throw unreadable(path, error);
  }
  const line = head.split(/[\r\n]+/).find((text) => text.trim() !== '') ?? '';
  return [';', '\t'].find((delimiter) => line.includes(delimiter)) ?? ',';
}

function csvReason(error: CsvError): string {
  const line = `line ${error['lines']}`;
  return error.code === 'CSV_MAX_RECORD_SIZE'
    ? `${line} is too long for a row of this model's input`
    : `${line}: its quotation marks are not in order; numbers need none`;
}
