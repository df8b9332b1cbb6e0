import { basename } from 'node:path';
import { Command } from 'commander';
import {
  DunlinError,
  errorMessage,
  nodeFiles,
  readNamedFile,
  writeFileAtomic,
} from '../core/index.ts';
import {
  MAX_MODEL_BYTES,
  parseModel,
  renameInner,
  repackModel,
  serializeModel,
  verifyIndices,
} from '../tflite/index.ts';
import type { CommandIo } from './command.ts';
import { grouped } from './table.ts';

interface RepackOptions {
  readonly out?: string;
  readonly stripNames: boolean;
  readonly json: boolean;
}

/** `dunlin repack`: the same computation in a smaller file. */
export function repackCommand(io: CommandIo): Command {
  return new Command('repack')
    .description(
      'write a .tflite file again, smaller: what it computes stays the same to the last bit',
    )
    .argument('<model>', 'a .tflite file')
    .option('--out <file>', 'where to write it (default: <model>.repacked.tflite beside it)')
    .option('--strip-names', 'leave out the names of the tensors between inputs and outputs', false)
    .option('--json', 'print one JSON document', false)
    .addHelpText(
      'after',
      `
Equal constants, vectors and options are kept once, and what nothing uses is left out: unused tensors, buffers and
operator codes, converters' notes about themselves; of the names that converters join for an inner tensor the first
stays. Inputs, outputs, signatures and the model's own metadata (labels, say) stay, and weights and arithmetic are not
touched.

Examples:
  dunlin repack model.tflite
  dunlin repack model.tflite --out small.tflite --strip-names`,
    )
    .action((file: string, options: RepackOptions) => repack(io, file, options));
}

async function repack(io: CommandIo, file: string, options: RepackOptions): Promise<void> {
  const before = await readNamedFile(file, MAX_MODEL_BYTES);
  const original = parseModel(before, basename(file));
  verifyIndices(original, basename(file));
  const model = repackModel(original);
  const packed = serializeModel(renameInner(model, options.stripNames ? 'none' : 'short'));
  // A file that is as small already is better left as it is.
  const after = packed.byteLength < before.byteLength ? packed : before;
  const out = options.out ?? file.replace(/(\.tflite)?$/, '.repacked.tflite');
  try {
    await writeFileAtomic(nodeFiles, out, after);
  } catch (cause) {
    throw new DunlinError(`${out}: cannot be written (${errorMessage(cause)})`, {
      code: 'file-unreadable',
      cause,
    });
  }
  const [from, to] = [before.byteLength, after.byteLength];
  io.out(
    options.json
      ? `${JSON.stringify({ file: out, sizeBytes: { before: from, after: to } })}\n`
      : `${out}: ${grouped(from)} → ${grouped(to)} bytes (${((100 * to) / from).toFixed(1)} %)\n`,
  );
}
