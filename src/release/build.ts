import {
  checkSchema,
  DunlinError,
  formatNpy,
  type Logger,
  type NpyArray,
  sha256Hex,
} from '../core/index.ts';
import type { LoadModel } from '../inference/index.ts';
import {
  describeModel,
  type ModelDescription,
  parseModel,
  type TensorDescription,
  verifyModel,
} from '../tflite/index.ts';
import {
  type Artifact,
  CPU_ARTIFACT,
  cutIntoArtifact,
  EDGETPU_ARTIFACT,
  GOLDEN_ARTIFACT,
  ReleaseDocument,
} from '../update/index.ts';
import { makeGolden } from './golden.ts';
import { buildMcuArtifacts, type McuArtifacts, type McuOptions } from './mcu.ts';
import { checkReleaseName } from './release-name.ts';
import type { Repository } from './repository.ts';

export interface BuildOptions {
  readonly repository: Repository;
  readonly model: string;
  readonly version: string;
  /** .tflite for the CPU, and the same compiled for the Edge TPU. */
  readonly cpu: Uint8Array;
  readonly edgetpu?: Uint8Array;
  readonly mcu?: McuOptions;
  readonly task: ReleaseDocument['task'];
  readonly goldenInputs: NpyArray;
  /** The model whose outputs are expected, when not the release's own. */
  readonly goldenReference?: Uint8Array;
  readonly toleranceSteps: number;
  readonly latencyBudgetUs?: number;
  readonly metrics: Readonly<Record<string, number>>;
  /** What is known of how the model was made: digests, tools. */
  readonly provenance?: Readonly<Record<string, string>>;
  readonly chunkBytes: number;
  readonly nowMs: number;
  readonly load: LoadModel;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

/**
 * Makes a release in the repository: verifies the models, records golden outputs, cuts everything into chunks.
 * Equal inputs at equal times make equal bytes, where the latency budget is named.
 * @throws `release-exists`, `model-*`, `input-invalid`, what loading and inference throw, what `buildMcuArtifacts` does
 */
export async function buildRelease(options: BuildOptions): Promise<ReleaseDocument> {
  const { repository, model, version, cpu, edgetpu, task } = options;
  checkReleaseName(model, version);
  await repository.refuseExisting(model, version);
  const description = checkVariants(cpu, edgetpu);
  const [input, output] = [description.inputs[0]!, description.outputs[0]!];
  checkLabels(task, output);
  const mcu = mcuArtifactsOf(options, withoutName(input));
  const golden = await makeGolden({
    ...{ cpu, inputs: options.goldenInputs, toleranceSteps: options.toleranceSteps },
    ...(edgetpu === undefined ? {} : { edgetpu }),
    ...(options.goldenReference === undefined ? {} : { reference: options.goldenReference }),
    ...(options.latencyBudgetUs === undefined ? {} : { latencyBudgetUs: options.latencyBudgetUs }),
    ...(mcu?.golden === undefined ? {} : { mcu: mcu.golden }),
    ...{ load: options.load, logger: options.logger, signal: options.signal },
  });
  const files = new Map([
    [CPU_ARTIFACT, cpu],
    ...(edgetpu === undefined ? [] : [[EDGETPU_ARTIFACT, edgetpu] as const]),
    ...(mcu?.files ?? []),
    [GOLDEN_ARTIFACT, golden.npz],
  ]);
  const { artifacts, chunks } = cutAll(files, options.chunkBytes);
  const document = checked({
    type: 'dunlin-release',
    formatVersion: 1,
    model,
    version,
    createdAt: new Date(options.nowMs).toISOString(),
    task,
    input: withoutName(input),
    output: withoutName(output),
    metrics: options.metrics,
    provenance: provenanceOf(options),
    golden: golden.document,
    artifacts,
  });
  await repository.addRelease(document, files, chunks);
  return document;
}

function mcuArtifactsOf(
  { version, cpu, goldenInputs, goldenReference: reference, mcu }: BuildOptions,
  input: ReleaseDocument['input'],
): McuArtifacts | undefined {
  if (mcu === undefined) return undefined;
  return buildMcuArtifacts({ version, cpu, input, reference, goldenInputs }, mcu);
}

/** @returns what the CPU's variant is */
function checkVariants(cpu: Uint8Array, edgetpu: Uint8Array | undefined): ModelDescription {
  const own = describe(cpu, CPU_ARTIFACT);
  if (own.edgetpu) {
    throw invalid(
      'the model for the CPU is compiled for the Edge TPU; give it as the Edge TPU variant',
    );
  }
  if (edgetpu === undefined) return own;
  const compiled = describe(edgetpu, EDGETPU_ARTIFACT);
  if (!compiled.edgetpu) {
    throw invalid(
      'the Edge TPU variant is not compiled for it; edgetpu_compiler makes such a file',
    );
  }
  const ends = ({ inputs, outputs }: ModelDescription): string =>
    JSON.stringify([...inputs, ...outputs].map(withoutName));
  if (ends(own) !== ends(compiled)) {
    throw invalid('the Edge TPU variant has other inputs or outputs than the model for the CPU');
  }
  return own;
}

function describe(bytes: Uint8Array, what: string): ModelDescription {
  const model = parseModel(bytes, what);
  verifyModel(model, what);
  const description = describeModel(model, bytes);
  const { inputs, outputs } = description;
  if (inputs.length === 1 && outputs.length === 1) return description;
  throw invalid(
    `${what} has ${inputs.length} inputs and ${outputs.length} outputs; an agent serves models with one of each`,
  );
}

function checkLabels({ kind, labels }: ReleaseDocument['task'], output: TensorDescription): void {
  const classes = output.shape.reduce((product, size) => product * size, 1);
  if (kind !== 'classification' && labels.length === 0) return;
  if (labels.length === classes) return;
  throw invalid(`${labels.length} labels for ${classes} outputs; name each output`);
}

function cutAll(
  files: ReadonlyMap<string, Uint8Array>,
  chunkBytes: number,
): { readonly artifacts: Record<string, Artifact>; readonly chunks: Map<string, Uint8Array> } {
  const artifacts: Record<string, Artifact> = {};
  const chunks = new Map<string, Uint8Array>();
  for (const [name, bytes] of files) {
    const cut = cutIntoArtifact(bytes, { chunkBytes, encoding: 'br' });
    artifacts[name] = cut.artifact;
    for (const [sha256, chunk] of cut.chunks) chunks.set(sha256, chunk);
  }
  return { artifacts, chunks };
}

/** What the release was made from, where its artifacts do not say it themselves. */
function provenanceOf(options: BuildOptions): Record<string, string> {
  const { provenance, goldenInputs, goldenReference } = options;
  return {
    ...provenance,
    goldenInputsSha256: sha256Hex(formatNpy(goldenInputs)),
    ...(goldenReference === undefined ? {} : { goldenReferenceSha256: sha256Hex(goldenReference) }),
  };
}

function withoutName({
  type,
  shape,
  scale,
  zeroPoint,
}: TensorDescription): ReleaseDocument['input'] {
  return {
    type,
    shape: [...shape],
    ...(scale === undefined ? {} : { scale }),
    ...(zeroPoint === undefined ? {} : { zeroPoint }),
  };
}

function checked(document: ReleaseDocument): ReleaseDocument {
  const result = checkSchema(ReleaseDocument, document);
  if ('value' in result) return result.value;
  const [problem] = result.problems;
  throw invalid(`the release would not be valid: ${problem?.path} ${problem?.message}`);
}

function invalid(message: string): DunlinError {
  return new DunlinError(message, { code: 'input-invalid' });
}
