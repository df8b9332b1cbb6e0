import {
  elementCountOf,
  FLOAT32_BYTES,
  inputText,
  type RawSamples,
  type SampleInput,
  type SampleOptions,
} from './sample-set.ts';
import { checkAmount, takeIndices } from './spread.ts';
import { readTable } from './table.ts';

/** Rows are gathered in pieces of this size: their number is known only at the end. */
const BLOCK_BYTES = 1024 * 1024;

/** The samples of a .csv or .tsv file, one a line. @throws what `readTable` throws */
export async function readTableSamples(
  path: string,
  input: SampleInput,
  { maxCount, signal }: SampleOptions,
): Promise<RawSamples> {
  const elementCount = elementCountOf(input.shape);
  const rowsPerBlock = Math.max(1, Math.floor(BLOCK_BYTES / (FLOAT32_BYTES * elementCount)));
  const blocks: Float32Array[] = [];
  let sourceCount = 0;
  await readTable(path, {
    columnCount: elementCount,
    wanted:
      `the model's ${inputText(input)} takes ${elementCount}: ` +
      'one sample a line, without an index or a label',
    onRow: (row) => {
      const place = sourceCount % rowsPerBlock;
      if (place === 0) blocks.push(new Float32Array(rowsPerBlock * elementCount));
      blocks.at(-1)!.set(row, place * elementCount);
      sourceCount += 1;
      checkAmount(path, sourceCount, elementCount);
    },
    ...(signal === undefined ? {} : { signal }),
  });

  const indices = takeIndices(path, sourceCount, elementCount, maxCount);
  const values = new Float32Array(indices.length * elementCount);
  for (const [to, from] of indices.entries()) {
    const block = blocks[Math.floor(from / rowsPerBlock)]!;
    const start = (from % rowsPerBlock) * elementCount;
    values.set(block.subarray(start, start + elementCount), to * elementCount);
  }
  return { values, sourceCount };
}
