import { join } from 'node:path';
import {
  canonicalBytes,
  DunlinError,
  type NpyArray,
  nodeFiles,
  parseNpy,
  readNamedFile,
  sha256Hex,
} from '../core/index.ts';
import {
  FLOAT_VARIANT,
  GOLDEN_INPUTS_FILE,
  type OptimizedDirectory,
  type Report,
  readOptimized,
  type Variant,
  variantMode,
} from '../optimize/index.ts';
import { MAX_ARTIFACT_BYTES } from '../update/index.ts';

/** The options that say where a release's model comes from. */
export interface ReleaseSourceOptions {
  readonly from?: string;
  readonly variant?: string;
  readonly cpu?: string;
  readonly goldenInputs?: string;
}

/** The model, what it is to be asked on every device, and what is known of it. */
export interface ReleaseSource {
  readonly cpu: Uint8Array;
  readonly goldenInputs: NpyArray;
  readonly metrics: Readonly<Record<string, number>>;
  readonly provenance: Readonly<Record<string, string>>;
}

/**
 * The two ways: a directory of `dunlin optimize`, or files of other tools.
 * @throws `usage`, `file-missing`, `file-unreadable`, `input-invalid`, `digest-mismatch`
 */
export async function readReleaseSource(options: ReleaseSourceOptions): Promise<ReleaseSource> {
  const { from, variant, cpu, goldenInputs } = options;
  if (from !== undefined && cpu !== undefined) {
    throw usage('--from has a model in it, and so has --cpu: give one of them');
  }
  if (from !== undefined) {
    const optimized = await readOptimized(nodeFiles, from, variant);
    return {
      cpu: optimized.model,
      goldenInputs: await goldenInputsOf(optimized, from, goldenInputs),
      metrics: metricsOf(optimized.variant, optimized.report),
      provenance: provenanceOf(optimized.variant, optimized.report),
    };
  }
  if (variant !== undefined) throw usage('--variant is one of a --from directory; name that, too');
  if (cpu === undefined || goldenInputs === undefined) {
    throw usage(
      'give --from <dir>, a directory of dunlin optimize, or both --cpu <file> and --golden-inputs <npy>',
    );
  }
  return {
    cpu: await readReleaseFile(cpu),
    goldenInputs: await readArray(goldenInputs),
    metrics: {},
    provenance: {},
  };
}

export function readReleaseFile(path: string): Promise<Uint8Array> {
  return readNamedFile(path, MAX_ARTIFACT_BYTES);
}

async function goldenInputsOf(
  { goldenInputs }: OptimizedDirectory,
  directory: string,
  instead: string | undefined,
): Promise<NpyArray> {
  if (instead !== undefined) return readArray(instead);
  const path = join(directory, GOLDEN_INPUTS_FILE);
  if (goldenInputs !== undefined) return parseNpy(goldenInputs, path);
  throw new DunlinError(`${path}: no such file; name inputs with --golden-inputs`, {
    code: 'file-missing',
  });
}

async function readArray(path: string): Promise<NpyArray> {
  return parseNpy(await readReleaseFile(path), path);
}

/** What the report measured, as far as it holds on any machine: no latencies. */
function metricsOf(variant: Variant, { variants }: Report): Record<string, number> {
  const { accuracy, sizeBytes, compressedBytes, peakActivationBytes, macs, sparsity } = variant;
  const { sqnrDb, top1, top1ByClass } = variant.logits ?? variant.output;
  const floatAccuracy = variants.find(({ name }) => name === FLOAT_VARIANT)?.accuracy;
  return {
    ...(accuracy === undefined ? {} : { accuracy }),
    ...(floatAccuracy === undefined ? {} : { floatAccuracy }),
    // Equal to the last bit: no error, so no ratio.
    ...(sqnrDb === null ? {} : { sqnrDb }),
    ...{ top1, top1ByClass, sizeBytes, compressedBytes, peakActivationBytes, macs, sparsity },
  };
}

/** What decides the bytes of the variant, and what it was judged by. */
function provenanceOf({ name }: Variant, report: Report): Record<string, string> {
  const { source, calibration, evaluation, options, machine } = report;
  return {
    variant: name,
    floatModelSha256: source.sha256,
    calibrationSha256: calibration.sha256,
    evaluationSha256: evaluation.sha256,
    optimizeOptionsSha256: sha256Hex(canonicalBytes(options)),
    // The other variants keep their activations in float.
    ...(variantMode(name) === 'int8' ? { ranges: calibration.ranges } : {}),
    optimizedWith: `dunlin ${machine.dunlin}`,
  };
}

function usage(message: string): DunlinError {
  return new DunlinError(message, { code: 'usage' });
}
